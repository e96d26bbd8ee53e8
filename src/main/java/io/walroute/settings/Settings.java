package io.walroute.settings;

import io.walroute.change.ColumnList;
import io.walroute.change.ColumnRules;
import io.walroute.change.Redactions;
import io.walroute.change.Redactions.TableRules;
import io.walroute.settings.SettingsFile.RawValue;
import io.walroute.slot.ReplicaIdentity;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.Setup;
import io.walroute.slot.TableName;
import io.walroute.tls.TlsFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What the user has set, checked as a whole: either every value is usable or loading names all that aren't.
 *
 * <p>Immutable. Values of the receivers ({@link #hooks()}) are handed over as written: whoever runs them checks them.
 */
public final class Settings {
    // A list: a set's order, and with it that of setup's steps, would change from run to run.
    private static final List<TableName> FULL_BY_DEFAULT =
            List.of(new TableName("public", "listings"), new TableName("public", "ens_names"));

    private final Path home;
    private final RawSettings raw;
    private final Map<Setting, Object> parsed;
    private final Map<TableName, TableSettings> tableSettings;
    private final Map<String, Map<String, String>> hooks;
    private final Map<String, String> redriveSchedules;

    private Settings(
            Path home,
            RawSettings raw,
            Map<Setting, Object> parsed,
            Map<TableName, TableSettings> tableSettings,
            Map<String, Map<String, String>> hooks,
            Map<String, String> redriveSchedules) {
        this.home = home;
        this.raw = raw;
        this.parsed = parsed;
        this.tableSettings = tableSettings;
        this.hooks = hooks;
        this.redriveSchedules = redriveSchedules;
    }

    /**
     * @param option what {@code --home} says, or null
     * @return the home folder: the option, else WALROUTE_HOME, else the current folder
     * @throws SettingsException if it is no folder
     */
    public static Path home(Path option, Map<String, String> environment) {
        String variable =
                environment.getOrDefault(Setting.WALROUTE_HOME.key(), "").strip();
        Path home = option != null ? option : Path.of(variable);
        if (!Files.isDirectory(home.toAbsolutePath())) {
            throw new SettingsException(List.of((option != null ? "--home " : "WALROUTE_HOME=") + home
                    + " is not a folder. Name the folder that holds application.properties and routes/"));
        }
        return home.toAbsolutePath().normalize();
    }

    /**
     * Reads {@code application.properties} of the home folder (if there is none, all is as by default), and on top of it the
     * environment.
     *
     * @throws SettingsException with everything that is wrong
     */
    public static Settings load(Path home, Map<String, String> environment) {
        List<String> problems = new ArrayList<>();
        Path absolute = home.toAbsolutePath().normalize();
        return new Loader(absolute, RawSettings.read(absolute, environment, problems), problems).load();
    }

    /**
     * Neither file nor environment: only what is given, by the keys of the file.
     *
     * @throws SettingsException with everything that is wrong
     */
    public static Settings of(Path home, Map<String, String> values) {
        List<String> problems = new ArrayList<>();
        Path absolute = home.toAbsolutePath().normalize();
        return new Loader(absolute, RawSettings.of(values, problems), problems).load();
    }

    public Path home() {
        return home;
    }

    /** @throws SettingsException if it isn't set: the demo and {@code --help} do without */
    public DatabaseUrl databaseUrl() {
        return findDatabaseUrl()
                .orElseThrow(() -> new SettingsException(List.of("DATABASE_URL is not set. Set it in "
                        + home.resolve(SettingsFile.NAME)
                        + " or in the environment: postgresql://user:password@host:5432/database")));
    }

    public Optional<DatabaseUrl> findDatabaseUrl() {
        return find(Setting.DATABASE_URL, DatabaseUrl.class);
    }

    public String replicationSlot() {
        return get(Setting.REPLICATION_SLOT, String.class);
    }

    public String publicationName() {
        return get(Setting.PUBLICATION_NAME, String.class);
    }

    /** Health warns when the slot would be invalidated sooner than that. */
    public Duration slotWarnBefore() {
        return get(Setting.SLOT_WARN_BEFORE, Duration.class);
    }

    public Duration walSenderTimeout() {
        return get(Setting.WAL_SENDER_TIMEOUT, Duration.class);
    }

    public Duration heartbeatInterval() {
        return get(Setting.HEARTBEAT_INTERVAL, Duration.class);
    }

    public SnapshotMode snapshot() {
        return get(Setting.SNAPSHOT, SnapshotMode.class);
    }

    public int maxInFlight() {
        return get(Setting.MAX_IN_FLIGHT, Integer.class);
    }

    public long maxInFlightBytes() {
        return get(Setting.MAX_IN_FLIGHT_BYTES, Long.class);
    }

    /** Changes whose JSON is longer don't leave. */
    public long maxEventBytes() {
        return get(Setting.MAX_EVENT_BYTES, Long.class);
    }

    /** What which sink doesn't get to see; empty if all see all. */
    public Optional<Redactions> redactions() {
        var builder = new Redactions.Builder(
                get(Setting.REDACT_UNNAMED, Boolean.class),
                find(Setting.REDACT_SALT, String.class).orElse(null));
        tableSettings.forEach((table, of) -> {
            if (!of.redaction().isEmpty()) {
                builder.table(table.schema(), table.table(), of.redaction());
            }
        });
        return Optional.ofNullable(builder.build());
    }

    public Duration pollInterval() {
        return get(Setting.POLL_INTERVAL, Duration.class);
    }

    public Duration drainTimeout() {
        return get(Setting.DRAIN_TIMEOUT, Duration.class);
    }

    /** Empty: the cache is off. */
    public Optional<String> redisUrl() {
        return find(Setting.REDIS_URL, String.class);
    }

    /** Empty: whom the Java platform trusts may vouch for Redis. */
    public Optional<Path> cacheCaFile() {
        return find(Setting.CACHE_CA_FILE, String.class).map(home::resolve);
    }

    /** May be empty. */
    public String cachePrefix() {
        return find(Setting.CACHE_PREFIX, String.class).orElse("");
    }

    /** What changes are sent on to, beside cache, notifications and webhooks. */
    public DistributionSettings distribution() {
        return new DistributionSettings(
                find(Setting.PG_NOTIFY_TABLES, TableSelection.class),
                get(Setting.PG_NOTIFY_CHANNEL, String.class),
                find(Setting.REDIS_STREAM_TABLES, TableSelection.class),
                get(Setting.REDIS_STREAM_KEY, String.class),
                get(Setting.REDIS_STREAM_MAX_LENGTH, Integer.class),
                find(Setting.REDIS_PUBSUB_TABLES, TableSelection.class),
                get(Setting.REDIS_PUBSUB_CHANNEL, String.class),
                find(Setting.DISTRIBUTE_REDIS_URL, String.class).or(this::redisUrl),
                find(Setting.RABBITMQ_TABLES, TableSelection.class),
                find(Setting.RABBITMQ_URL, String.class),
                get(Setting.RABBITMQ_EXCHANGE, String.class));
    }

    /** Empty: off. 0: any free port. */
    public OptionalInt websocketPort() {
        return get(Setting.WEBSOCKET_PORT, OptionalInt.class);
    }

    public String notifyHost() {
        return get(Setting.NOTIFY_HOST, String.class);
    }

    public Duration notifyKeep() {
        return get(Setting.NOTIFY_KEEP, Duration.class);
    }

    @SuppressWarnings("unchecked")
    public List<String> notifyAllowOrigins() {
        return find(Setting.NOTIFY_ALLOW_ORIGINS, List.class).orElse(List.of());
    }

    /** A secret; empty: no JWTs of HS256. */
    public Optional<String> notifyJwtSecret() {
        return find(Setting.NOTIFY_JWT_SECRET, String.class);
    }

    /** A URL, or a file relative to the home folder. */
    public Optional<String> notifyJwtJwks() {
        return find(Setting.NOTIFY_JWT_JWKS, String.class);
    }

    public Optional<String> notifyJwtIssuer() {
        return find(Setting.NOTIFY_JWT_ISSUER, String.class);
    }

    public Optional<String> notifyJwtAudience() {
        return find(Setting.NOTIFY_JWT_AUDIENCE, String.class);
    }

    public Duration notifyJwtClockSkew() {
        return get(Setting.NOTIFY_JWT_CLOCK_SKEW, Duration.class);
    }

    public Optional<Path> notifyTokens() {
        return file(Setting.NOTIFY_TOKENS);
    }

    public boolean notifyQueryToken() {
        return get(Setting.NOTIFY_QUERY_TOKEN, Boolean.class);
    }

    public boolean notifyRequireAuthorization() {
        return get(Setting.NOTIFY_REQUIRE_AUTHORIZATION, Boolean.class);
    }

    /** By topic or pattern, as written: whoever runs the hub checks them. */
    public Map<String, String> notifyRules() {
        return byTopic(Setting.NOTIFY_TOPIC_AUTHORIZE, value -> value);
    }

    /** By topic or pattern: whether subscribers that don't keep up are closed. */
    public Map<String, Boolean> notifyCloseSlow() {
        return byTopic(Setting.NOTIFY_TOPIC_WHEN_SLOW, value ->
                (Boolean) Setting.NOTIFY_TOPIC_WHEN_SLOW.kind().parse(value));
    }

    private <T> Map<String, T> byTopic(Setting setting, Function<String, T> parse) {
        Map<String, T> byTopic = new TreeMap<>();
        raw.values().forEach((key, value) -> {
            Setting.Match match = Setting.ofKey(key).orElseThrow();
            if (match.setting() == setting) {
                byTopic.put(match.variables().get(0), parse.apply(value.value()));
            }
        });
        return byTopic;
    }

    public int notifyMaxConnections() {
        return get(Setting.NOTIFY_MAX_CONNECTIONS, Integer.class);
    }

    public int notifyMaxConnectionsPerSubject() {
        return get(Setting.NOTIFY_MAX_CONNECTIONS_PER_SUBJECT, Integer.class);
    }

    public Optional<Integer> notifyMaxConnectionsPerAddress() {
        return find(Setting.NOTIFY_MAX_CONNECTIONS_PER_ADDRESS, Integer.class);
    }

    public int notifyMaxSubscriptions() {
        return get(Setting.NOTIFY_MAX_SUBSCRIPTIONS, Integer.class);
    }

    public long notifyMaxMessage() {
        return get(Setting.NOTIFY_MAX_MESSAGE, Long.class);
    }

    public int notifyMessageRate() {
        return get(Setting.NOTIFY_MESSAGE_RATE, Integer.class);
    }

    public Duration notifyHandshakeTimeout() {
        return get(Setting.NOTIFY_HANDSHAKE_TIMEOUT, Duration.class);
    }

    /** Empty: the WebSocket hub speaks plain ws. */
    public Optional<TlsFiles> notifyTls() {
        return tls(
                "walroute.notify.tls",
                Setting.NOTIFY_TLS_CERTIFICATE,
                Setting.NOTIFY_TLS_KEY,
                Setting.NOTIFY_TLS_PASSWORD);
    }

    /** Empty: the management port speaks plain http. */
    public Optional<TlsFiles> managementTls() {
        return tls(
                "walroute.management.tls",
                Setting.MANAGEMENT_TLS_CERTIFICATE,
                Setting.MANAGEMENT_TLS_KEY,
                Setting.MANAGEMENT_TLS_PASSWORD);
    }

    private Optional<TlsFiles> tls(String prefix, Setting certificate, Setting key, Setting password) {
        if (file(certificate).isEmpty()
                && (file(key).isPresent() || find(password, String.class).isPresent())) {
            throw new SettingsException(List.of(prefix + ".certificate is not set, but the key or the password is."
                    + " Set it to the file with the certificate"));
        }
        return file(certificate)
                .map(found -> new TlsFiles(
                        prefix,
                        found,
                        file(key).orElse(null),
                        find(password, String.class).orElse(null)));
    }

    private Optional<Path> file(Setting setting) {
        return find(setting, String.class).map(home::resolve);
    }

    /** Empty: off. 0: any free port. */
    public OptionalInt managementPort() {
        return get(Setting.MANAGEMENT_PORT, OptionalInt.class);
    }

    public String managementHost() {
        return get(Setting.MANAGEMENT_HOST, String.class);
    }

    @SuppressWarnings("unchecked")
    public List<String> managementAllowOrigins() {
        return find(Setting.MANAGEMENT_ALLOW_ORIGINS, List.class).orElse(List.of());
    }

    /** Empty: {@link #managementTokenFile()} holds it. */
    public Optional<String> managementToken() {
        return find(Setting.MANAGEMENT_TOKEN, String.class);
    }

    /** Where the service keeps the token that it makes itself; the command line reads it there. */
    public Path managementTokenFile() {
        String url = auditUrl();
        String prefix = "jdbc:sqlite:";
        boolean file = url.startsWith(prefix) && !url.startsWith(prefix + "file:");
        Path data = file
                ? Path.of(url.substring(prefix.length()).split("\\?", 2)[0]).getParent()
                : home.resolve("data");
        return data.resolve("management.token");
    }

    /** By sink, only those that replace what the routes say. */
    public Map<String, String> redriveSchedules() {
        return redriveSchedules;
    }

    /** A SQLite file's path in it is absolute. */
    public String auditUrl() {
        String url = get(Setting.AUDIT_URL, String.class);
        String prefix = "jdbc:sqlite:";
        if (!url.startsWith(prefix) || url.startsWith(prefix + "file:")) {
            return url;
        }
        String[] file = url.substring(prefix.length()).split("\\?", 2);
        return prefix + home.resolve(file[0]) + (file.length == 1 ? "" : "?" + file[1]);
    }

    public Duration auditKeep() {
        return get(Setting.AUDIT_KEEP, Duration.class);
    }

    public TableSelection tables() {
        return get(Setting.TABLES, TableSelection.class);
    }

    /** By table, only those with settings of their own; the marketplace's REPLICA IDENTITY FULL is among them. */
    public Map<TableName, TableSettings> tableSettings() {
        return tableSettings;
    }

    /** Where the slot is, for {@code slot/}. */
    /** Whose rows a cache holds: the same for every role that logs in, so that a change of the role makes no foreign cache. */
    public String cacheIdentity() {
        return databaseUrl().jdbcUrl() + "#" + replicationSlot();
    }

    public ReplicationTarget replicationTarget() {
        DatabaseUrl url = databaseUrl();
        return new ReplicationTarget(
                url.jdbcUrl(),
                url.properties(),
                replicationSlot(),
                publicationName(),
                get(Setting.SLOT_FAILOVER, Boolean.class));
    }

    /**
     * What {@code setup} is to see to. FULL by default goes with the marketplace's tables as far as they are published; what the
     * user says of a table holds in any case.
     */
    public Setup.Wanted wantedSetup() {
        Set<TableName> said = tablesWithReplicaIdentity();
        Map<TableName, ReplicaIdentity> identities = new LinkedHashMap<>();
        tableSettings.forEach((table, of) -> of.replicaIdentity()
                .filter(identity -> said.contains(table)
                        || tables().all()
                        || tables().names().contains(table))
                .ifPresent(identity -> identities.put(table, identity)));
        Set<TableName> wished = new LinkedHashSet<>(identities.keySet());
        wished.removeAll(said);
        return new Setup.Wanted(tables().all(), tables().names(), identities, wished);
    }

    private Set<TableName> tablesWithReplicaIdentity() {
        Set<TableName> tables = new LinkedHashSet<>();
        raw.values().keySet().stream()
                .map(Setting::ofKey)
                .flatMap(Optional::stream)
                .filter(match -> match.setting() == Setting.TABLE_REPLICA_IDENTITY)
                .forEach(match -> tables.add(TableName.parse(match.variables().get(0))));
        return tables;
    }

    /** Receivers by name, each with its settings as written, keys without {@code walroute.hook.NAME.}. */
    public Map<String, Map<String, String>> hooks() {
        return hooks;
    }

    /** The folder of the YAML routes; whether it exists isn't checked here. */
    public Path routes() {
        return home.resolve(get(Setting.ROUTES, String.class));
    }

    public LogFormat logFormat() {
        return get(Setting.LOG_FORMAT, LogFormat.class);
    }

    /** The file's keys that aren't walroute's, for Camel: {@code camel.*} and what routes refer to as {@code {{key}}}. */
    public Map<String, String> camel() {
        return Collections.unmodifiableMap(raw.others());
    }

    /** Where a key was set: {@code application.properties:14} or {@code environment}; empty if it wasn't. */
    public Optional<String> place(String key) {
        return raw.value(key).map(RawValue::place);
    }

    private <T> T get(Setting setting, Class<T> type) {
        return type.cast(parsed.get(setting));
    }

    private <T> Optional<T> find(Setting setting, Class<T> type) {
        return Optional.ofNullable(get(setting, type));
    }

    /** Goes on after a problem, so that one run names them all. */
    private static final class Loader {
        private final Path home;
        private final Set<String> problems = new LinkedHashSet<>();
        private final RawSettings raw;

        Loader(Path home, RawSettings raw, List<String> problems) {
            this.home = home;
            this.raw = raw;
            this.problems.addAll(problems);
        }

        Settings load() {
            Map<Setting, Object> parsed = new java.util.EnumMap<>(Setting.class);
            for (Setting setting : Setting.values()) {
                if (!setting.isFamily()) {
                    value(setting, setting.key()).ifPresent(value -> parsed.put(setting, value));
                }
            }
            Map<TableName, TableSettings> tables = tables();
            Map<String, Map<String, String>> hooks = hooks();
            Map<String, String> redriveSchedules = redriveSchedules();
            topics();
            if (!problems.isEmpty()) {
                throw new SettingsException(List.copyOf(problems));
            }
            return new Settings(home, raw, parsed, tables, hooks, redriveSchedules);
        }

        private Optional<Object> value(Setting setting, String key) {
            Optional<RawValue> set = raw.value(key);
            if (set.isEmpty()) {
                return setting.defaultValue().map(setting.kind()::parse);
            }
            try {
                return Optional.of(setting.kind().parse(set.get().value()));
            } catch (IllegalArgumentException e) {
                problems.add(problem(setting, key, set.get(), e.getMessage()));
                return Optional.empty();
            }
        }

        private static String problem(Setting setting, String key, RawValue raw, String message) {
            String shown = setting.isSecret() ? key : key + "=" + raw.value();
            // The place goes behind the fault, before the advice.
            String[] sentences = message.split("\\. ", 2);
            return shown + " " + sentences[0] + " (" + raw.place() + ")"
                    + (sentences.length == 1 ? "" : ". " + sentences[1])
                    + (raw.value().contains(" #") ? ". A comment needs a line of its own" : "");
        }

        private Map<TableName, TableSettings> tables() {
            Map<TableName, Map<Setting, Object>> byTable = new LinkedHashMap<>();
            Map<TableName, Map<String, ColumnRules>> redact = new LinkedHashMap<>();
            raw.values().forEach((key, value) -> {
                Setting.Match match = Setting.ofKey(key).orElseThrow();
                if (match.setting().key().contains("<table>")) {
                    table(key, match, value)
                            .ifPresent(table -> value(match.setting(), key).ifPresent(parsed -> {
                                if (match.setting() == Setting.TABLE_REDACT) {
                                    redact.computeIfAbsent(table, t -> new LinkedHashMap<>())
                                            .put(match.variables().get(1), (ColumnRules) parsed);
                                    byTable.computeIfAbsent(table, t -> new LinkedHashMap<>());
                                    checkSalt(key, (ColumnRules) parsed, value);
                                } else {
                                    byTable.computeIfAbsent(table, t -> new LinkedHashMap<>())
                                            .put(match.setting(), parsed);
                                }
                            }));
                }
            });
            FULL_BY_DEFAULT.forEach(table -> byTable.computeIfAbsent(table, t -> new LinkedHashMap<>())
                    .putIfAbsent(Setting.TABLE_REPLICA_IDENTITY, ReplicaIdentity.FULL));
            Map<TableName, TableSettings> tables = new LinkedHashMap<>();
            byTable.forEach((table, of) -> tables.put(
                    table,
                    new TableSettings(
                            Optional.ofNullable((ReplicaIdentity) of.get(Setting.TABLE_REPLICA_IDENTITY)),
                            Optional.ofNullable((Duration) of.get(Setting.TABLE_CACHE_TTL)),
                            Optional.ofNullable((String) of.get(Setting.TABLE_CACHE_PREFIX)),
                            new TableRules(redact.getOrDefault(table, Map.of()), (ColumnList)
                                    of.get(Setting.TABLE_COLUMNS)))));
            return Collections.unmodifiableMap(tables);
        }

        private void checkSalt(String key, ColumnRules rules, RawValue value) {
            if (rules.hashes() && raw.value(Setting.REDACT_SALT.key()).isEmpty()) {
                problems.add(key + "=" + value.value() + " hashes, and walroute.redact.salt is not set ("
                        + value.place() + "). Make one: openssl rand -hex 32");
            }
        }

        private Optional<TableName> table(String key, Setting.Match match, RawValue value) {
            try {
                return Optional.of(TableName.parse(match.variables().get(0)));
            } catch (IllegalArgumentException e) {
                problems.add(key + ": " + e.getMessage() + " (" + value.place() + ")");
                return Optional.empty();
            }
        }

        /** Values that are asked for later can't be wrong then. */
        private void topics() {
            raw.values().forEach((key, value) -> {
                Setting setting = Setting.ofKey(key).orElseThrow().setting();
                if (setting.key().contains("<topic>")) {
                    value(setting, key);
                }
            });
        }

        private Map<String, String> redriveSchedules() {
            Map<String, String> schedules = new TreeMap<>();
            raw.values().keySet().forEach(key -> {
                Setting.Match match = Setting.ofKey(key).orElseThrow();
                if (match.setting() == Setting.REDRIVE_SCHEDULE) {
                    value(match.setting(), key)
                            .ifPresent(
                                    schedule -> schedules.put(match.variables().get(0), (String) schedule));
                }
            });
            return Collections.unmodifiableMap(schedules);
        }

        private Map<String, Map<String, String>> hooks() {
            Map<String, Map<String, String>> hooks = new TreeMap<>();
            raw.values().forEach((key, value) -> {
                Setting.Match match = Setting.ofKey(key).orElseThrow();
                if (match.setting().key().contains("<name>")) {
                    String name = match.variables().get(0);
                    hooks.computeIfAbsent(name, n -> new LinkedHashMap<>())
                            .put(key.substring(("walroute.hook." + name + ".").length()), value.value());
                }
            });
            hooks.replaceAll((name, keys) -> Collections.unmodifiableMap(keys));
            return Collections.unmodifiableMap(hooks);
        }
    }
}
