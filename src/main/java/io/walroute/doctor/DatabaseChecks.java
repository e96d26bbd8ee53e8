package io.walroute.doctor;

import io.walroute.doctor.Doctor.Check;
import io.walroute.doctor.Doctor.Group;
import io.walroute.logging.Figures;
import io.walroute.settings.Settings;
import io.walroute.settings.TableSelection;
import io.walroute.slot.Finding;
import io.walroute.slot.Pin;
import io.walroute.slot.ReplicationCheck;
import io.walroute.slot.ReplicationStatus;
import io.walroute.slot.ServerInfo;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.TableName;
import io.walroute.slot.TableStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the database must have for changes to be read, and what threatens that. All on one connection, which is closed at the end. */
public final class DatabaseChecks {
    private static final Duration LONG_TRANSACTION = Duration.ofMinutes(5);
    private static final Duration MOST_SKEW = Duration.ofSeconds(2);
    private static final long MUCH_WAL = 1L << 30;
    private static final Pattern WRITES = Pattern.compile(
            "(?i)\\b(UPDATE|INSERT\\s+INTO|DELETE\\s+FROM)\\s+((?:\"[^\"]+\"|[a-z_][\\w$]*)(?:\\.(?:\"[^\"]+\"|[a-z_][\\w$]*))?)"
                    + "(?=\\s+(?:SET|VALUES|\\(|WHERE|AS|SELECT|USING))");

    private final Settings settings;
    private Connection connection;
    private ReplicationStatus status;

    public DatabaseChecks(Settings settings) {
        this.settings = settings;
    }

    public Group group() {
        return new Group(List.of(
                new Check("database", true, () -> List.of(connect())),
                new Check("server", false, this::server),
                Check.of("slot", this::slot),
                Check.of("publication", this::publication),
                new Check("replica-identity", false, this::identities),
                Check.of("tables", this::keys),
                new Check("distribution", false, this::distribution),
                new Check("redaction", false, this::redaction),
                Check.of("privileges", this::privileges),
                Check.of("wal-limit", this::limit),
                Check.of("wal-kept", this::kept),
                Check.of("transactions", this::transactions),
                Check.of("failover", this::failover),
                Check.of("clock", this::clock),
                new Check("", false, this::close)));
    }

    private Result connect() throws SQLException {
        var target = settings.replicationTarget();
        try {
            connection = target.connect();
        } catch (SlotException e) {
            return Result.fail("database", e.finding().line(), "set DATABASE_URL");
        }
        try (var statement = connection.createStatement()) {
            // Looking must wait for nobody.
            statement.execute("SET statement_timeout = 5000");
            statement.execute("SET lock_timeout = 2000");
        }
        status = ReplicationStatus.read(connection, target, settings.wantedSetup(), LONG_TRANSACTION);
        return Result.ok(
                "database",
                settings.databaseUrl() + ", PostgreSQL " + status.server() + (encrypted() ? ", TLS" : ", no TLS"));
    }

    private boolean encrypted() {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")) {
            return row.next() && row.getBoolean(1);
        } catch (SQLException e) {
            return false; // only said beside other facts
        }
    }

    // ---------------------------------------------------------------- server and slot

    private List<Result> server() throws SQLException {
        List<Finding> findings = ReplicationCheck.findings(connection, settings.replicationTarget());
        ServerInfo info = status.info();
        List<Result> results = new ArrayList<>();
        results.add(of(findings, "server-version", "PostgreSQL " + status.server(), Finding.Fault.SERVER_TOO_OLD));
        results.add(of(findings, "primary", "it takes writes", Finding.Fault.SERVER_IS_STANDBY));
        results.add(of(findings, "wal-level", "wal_level is " + info.walLevel(), Finding.Fault.WAL_LEVEL));
        results.add(of(
                findings,
                "replication-privilege",
                settings.databaseUrl().user() + " may replicate",
                Finding.Fault.NO_REPLICATION_PRIVILEGE));
        results.add(of(
                findings,
                "slots-free",
                info.usedSlots() + " of " + info.maxSlots() + " replication slots in use",
                Finding.Fault.NO_FREE_SLOT));
        results.add(of(
                findings,
                "senders-free",
                info.usedWalSenders() + " of " + info.maxWalSenders() + " WAL senders in use",
                Finding.Fault.NO_FREE_WAL_SENDER));
        return results;
    }

    /** A finding's line ends with its fix. */
    private static Result of(List<Finding> findings, String check, String well, Finding.Fault fault) {
        return findings.stream()
                .filter(each -> each.fault() == fault)
                .findFirst()
                .map(each -> split(check, each.line(), Result.Level.FAIL))
                .orElseGet(() -> Result.ok(check, well));
    }

    static Result split(String check, String line, Result.Level level) {
        int end = line.indexOf(". ");
        return end < 0
                ? new Result(check, level, line, "walroute status")
                : new Result(
                        check,
                        level,
                        line.substring(0, end),
                        line.substring(end + 2).replaceFirst("^(?:Run(?: as a superuser)?|Give them up): ", ""));
    }

    private Result slot() throws SQLException {
        SlotInfo slot = status.slot();
        for (Finding finding : ReplicationCheck.findings(connection, settings.replicationTarget())) {
            switch (finding.fault()) {
                case SLOT_MISSING, SLOT_INVALIDATED, SLOT_OF_OTHER_PLUGIN, SLOT_OF_OTHER_DATABASE -> {
                    return split("slot", finding.line(), Result.Level.FAIL);
                }
                default -> {}
            }
        }
        if ("unreserved".equals(slot.walStatus())) {
            return Result.fail(
                    "slot",
                    slot.name() + " will be invalidated at the next checkpoint",
                    "ALTER SYSTEM SET max_slot_wal_keep_size = '" + (slot.keptBytes() / (1 << 20) + 10_240)
                            + "MB'; SELECT pg_reload_conf()");
        }
        return Result.ok(
                "slot",
                slot.name() + " is " + (slot.active() ? "read by process " + slot.activePid() : "not read at present")
                        + ", confirmed " + slot.confirmedFlushLsn() + ", " + Figures.bytes(slot.lagBytes())
                        + " behind");
    }

    private Result publication() {
        String name = settings.publicationName();
        if (status.publication() == null) {
            return Result.fail("publication", "The publication " + name + " does not exist", "walroute setup");
        }
        return status.problems().stream()
                .filter(line -> line.startsWith("The publication ") || line.startsWith("The database has no table"))
                .findFirst()
                .map(line -> split("publication", line, Result.Level.FAIL))
                .or(() -> status.warnings().stream()
                        .filter(line -> line.startsWith("The publication "))
                        .findFirst()
                        .map(line -> split("publication", line, Result.Level.WARN)))
                .orElseGet(() -> Result.ok(
                        "publication",
                        name + " publishes " + (status.publication().allTables() ? "all tables, " : "")
                                + count(TableStatus::published) + " tables"));
    }

    private long count(Predicate<TableStatus> which) {
        return status.tables().stream().filter(which).count();
    }

    private List<Result> identities() {
        List<Result> results = new ArrayList<>();
        for (TableStatus table : status.tables()) {
            if (table.exists() && !table.identityIsRight()) {
                results.add(Result.fail(
                        "replica-identity",
                        table.name() + " has replica identity " + table.replicaIdentity() + ", routes need "
                                + table.wantedIdentity() + ": changed_columns and old values are missing",
                        "walroute setup"));
            } else if (table.frozen()) {
                results.add(Result.fail(
                        "replica-identity",
                        "PostgreSQL refuses UPDATE and DELETE on " + table.name()
                                + ", published without a primary key or replica identity",
                        "set walroute.tables." + table.name() + ".replica-identity=full, then: walroute setup"));
            }
        }
        return results.isEmpty()
                ? List.of(Result.ok("replica-identity", "as configured on " + count(each -> true) + " tables"))
                : results;
    }

    private Result keys() {
        List<TableStatus> without = status.tables().stream()
                .filter(each -> each.published() && each.exists() && !each.hasKey())
                .toList();
        return without.isEmpty()
                ? Result.ok("tables", "all published tables have a primary key")
                : Result.warn(
                        "tables",
                        "Without a primary key, so not cached and one change at a time: "
                                + without.stream()
                                        .map(each -> each.name().toString())
                                        .collect(Collectors.joining(", ")),
                        "ALTER TABLE " + without.get(0).name().sql() + " ADD PRIMARY KEY (…)");
    }

    /** What isn't published never comes, so there is nothing to send on. None where that is off. */
    private List<Result> distribution() {
        var distribution = settings.distribution();
        Map<String, Optional<TableSelection>> wanted = new LinkedHashMap<>();
        wanted.put("pg-notify", distribution.pgNotify());
        wanted.put("redis-stream", distribution.redisStream());
        wanted.put("redis-pubsub", distribution.redisPubsub());
        wanted.put("rabbitmq", distribution.rabbitmq());
        if (wanted.values().stream().allMatch(Optional::isEmpty)) {
            return List.of();
        }
        Set<TableName> published = status.tables().stream()
                .filter(TableStatus::published)
                .map(TableStatus::name)
                .collect(Collectors.toSet());
        Set<TableName> missing = new LinkedHashSet<>();
        List<String> lines = new ArrayList<>();
        wanted.forEach((sink, tables) -> {
            List<TableName> unpublished = tables.map(TableSelection::names).orElse(List.of()).stream()
                    .filter(each -> !published.contains(each))
                    .toList();
            if (!unpublished.isEmpty()) {
                missing.addAll(unpublished);
                lines.add("walroute.distribute." + sink + ".tables names " + names(unpublished));
            }
        });
        return List.of(
                missing.isEmpty()
                        ? Result.ok("distribution", "the tables that are sent on are published")
                        : Result.warn(
                                "distribution",
                                String.join("; ", lines) + ": not published, so nothing of it is sent on",
                                fix(missing)));
    }

    /** {@code setup} publishes what walroute.tables names. */
    private String fix(Set<TableName> missing) {
        Set<TableName> named = new LinkedHashSet<>(settings.tables().names());
        if (settings.tables().all() || named.containsAll(missing)) {
            return "walroute setup";
        }
        named.addAll(missing);
        return "set walroute.tables="
                + named.stream().map(DatabaseChecks::setting).collect(Collectors.joining(","))
                + ", then: walroute setup";
    }

    private static String names(Collection<TableName> tables) {
        return tables.stream().map(TableName::toString).collect(Collectors.joining(", "));
    }

    /** As the settings read it: what needs no quotes has none. */
    private static String setting(TableName table) {
        return table.equals(parsed(table.toString())) ? table.toString() : table.sql();
    }

    private static TableName parsed(String text) {
        try {
            return TableName.parse(text);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private List<Result> redaction() throws SQLException {
        if (!RuleNames.areThere(settings)) {
            return List.of(Result.ok("redaction", "no rule names a column"));
        }
        List<Result> results = RuleNames.problems(settings, connection).stream()
                .map(problem -> Result.fail("redaction", problem.line(), problem.fix()))
                .toList();
        return results.isEmpty()
                ? List.of(Result.ok("redaction", "the tables and columns that rules name are there"))
                : results;
    }

    // ---------------------------------------------------------------- privileges

    private Result privileges() throws SQLException, IOException {
        List<String> missing = new ArrayList<>();
        Set<TableName> read = new LinkedHashSet<>();
        status.tables().stream().filter(TableStatus::exists).forEach(each -> read.add(each.name()));
        for (TableName table : read) {
            ask(table, "SELECT", missing);
        }
        for (String[] write : writes()) {
            ask(TableName.parse(write[1]), write[0], missing);
        }
        return missing.isEmpty()
                ? Result.ok("privileges", "may read the tables, and write what routes write back")
                : Result.fail(
                        "privileges",
                        settings.databaseUrl().user() + " may not " + String.join(", ", missing),
                        "GRANT " + missing.get(0).replaceFirst(" ", " ON ") + " TO \""
                                + settings.databaseUrl().user().replace("\"", "\"\"") + "\"");
    }

    private void ask(TableName table, String privilege, List<String> missing) throws SQLException {
        try (var query = connection.prepareStatement("SELECT has_table_privilege(c.oid, ?)"
                + " AND has_schema_privilege(n.oid, 'USAGE') FROM pg_class c JOIN pg_namespace n ON n.oid ="
                + " c.relnamespace WHERE n.nspname = ? AND c.relname = ?")) {
            query.setString(1, privilege);
            query.setString(2, table.schema());
            query.setString(3, table.table());
            try (var row = query.executeQuery()) {
                String line = privilege + " " + table.sql();
                if (row.next() && !row.getBoolean(1) && !missing.contains(line)) {
                    missing.add(line);
                }
            }
        }
    }

    /** The statements in the routes, as far as they can be told from their text: privilege and table. */
    private List<String[]> writes() throws IOException {
        List<String[]> writes = new ArrayList<>();
        if (!Files.isDirectory(settings.routes())) {
            return writes;
        }
        try (Stream<Path> files = Files.list(settings.routes())) {
            for (Path file : files.filter(each -> each.toString().endsWith(".camel.yaml"))
                    .toList()) {
                Matcher statement = WRITES.matcher(Files.readString(file));
                while (statement.find()) {
                    writes.add(new String[] {statement.group(1).split("\\s")[0].toUpperCase(), statement.group(2)});
                }
            }
        }
        return writes;
    }

    // ---------------------------------------------------------------- WAL

    private Result limit() {
        Long limit = status.limits().maxSlotWalKeepBytes();
        if (limit == null) {
            return Result.warn(
                    "wal-limit",
                    "max_slot_wal_keep_size is not set: a stopped service fills the database's disk",
                    "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf()");
        }
        SlotInfo slot = status.slot();
        Long safe = slot == null ? null : slot.safeWalSize();
        return safe != null && safe < limit / 2
                ? Result.warn(
                        "wal-limit",
                        "the slot keeps " + Figures.bytes(slot.keptBytes()) + " of WAL, only " + Figures.bytes(safe)
                                + " of max_slot_wal_keep_size " + Figures.bytes(limit) + " are left",
                        "walroute status")
                : Result.ok("wal-limit", "max_slot_wal_keep_size is " + Figures.bytes(limit));
    }

    private Result kept() {
        for (Pin pin : status.pins()) {
            boolean slot = pin.kind() == Pin.Kind.SLOT || pin.kind() == Pin.Kind.STANDBY_SLOT;
            if (slot && pin.keptBytes() != null && pin.keptBytes() > MUCH_WAL) {
                return Result.warn(
                        "wal-kept",
                        "another slot, " + pin.name() + " (" + pin.detail() + "), keeps "
                                + Figures.bytes(pin.keptBytes()) + " of WAL",
                        "if nobody needs it: SELECT pg_drop_replication_slot('"
                                + pin.name().replace("'", "''") + "')");
            }
            if (pin.kind() == Pin.Kind.ARCHIVER) {
                return Result.warn(
                        "wal-kept",
                        "the archiver fails at " + pin.name() + ", and all WAL is kept until it succeeds",
                        "see PostgreSQL's log for archive_command");
            }
        }
        return Result.ok("wal-kept", "nothing else keeps much WAL");
    }

    private Result transactions() throws SQLException {
        for (Pin pin : status.pins()) {
            if (pin.kind() == Pin.Kind.TRANSACTION) {
                return Result.warn(
                        "transactions",
                        "a transaction is open for " + Figures.time(pin.age()) + ": " + pin.name() + " (" + pin.detail()
                                + "). Until it ends, WAL since its beginning is kept",
                        "SELECT pg_terminate_backend(" + pin.name().replaceAll("\\D", "") + ")");
            }
            if (pin.kind() == Pin.Kind.PREPARED_TRANSACTION && pin.age().compareTo(LONG_TRANSACTION) > 0) {
                return Result.warn(
                        "transactions",
                        "a prepared transaction waits for " + Figures.time(pin.age()) + ": " + pin.name(),
                        "ROLLBACK PREPARED '" + pin.name().replace("'", "''") + "' (or COMMIT PREPARED)");
            }
        }
        if (!seesOthers()) {
            return Result.warn(
                    "transactions",
                    settings.databaseUrl().user() + " can't see those of others, which may hold WAL back",
                    "GRANT pg_read_all_stats TO \""
                            + settings.databaseUrl().user().replace("\"", "\"\"") + "\"");
        }
        return Result.ok("transactions", "none is open for more than " + Figures.time(LONG_TRANSACTION));
    }

    private boolean seesOthers() throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')")) {
            return row.next() && row.getBoolean(1);
        }
    }

    private Result failover() {
        SlotInfo slot = status.slot();
        boolean standbys = status.pins().stream().anyMatch(pin -> pin.kind() == Pin.Kind.STANDBY_SLOT);
        if (slot == null || !standbys || slot.failover() || status.info().version() < 170_000) {
            return Result.ok(
                    "failover", slot != null && slot.failover() ? "the slot is kept on standbys" : "no standby");
        }
        return Result.warn(
                "failover",
                "the slot " + slot.name() + " is not kept on standbys: a promotion loses it",
                "in a replication connection: ALTER_REPLICATION_SLOT " + slot.name() + " (FAILOVER true)");
    }

    // ---------------------------------------------------------------- clock

    private Result clock() throws SQLException {
        Instant before = Instant.now();
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT clock_timestamp()")) {
            row.next();
            Instant there = row.getObject(1, OffsetDateTime.class).toInstant();
            Instant after = Instant.now();
            Instant here = before.plus(Duration.between(before, after).dividedBy(2));
            Duration skew = Duration.between(here, there).abs();
            // The answer's way is no skew.
            Duration unsure = Duration.between(before, after).dividedBy(2);
            return skew.minus(unsure).compareTo(MOST_SKEW) > 0
                    ? Result.warn(
                            "clock",
                            "the database's clock and this machine's differ by " + Figures.time(skew)
                                    + ": latencies are wrong by that, and receivers may refuse signatures",
                            "timedatectl set-ntp true (on both)")
                    : Result.ok("clock", "the database's and this machine's agree within " + Figures.time(MOST_SKEW));
        }
    }

    private List<Result> close() throws SQLException {
        connection.close();
        return List.of();
    }
}
