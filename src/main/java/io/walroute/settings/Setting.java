package io.walroute.settings;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Every setting there is, declared once: key, type with unit, default and what it is for. application.properties at the top
 * level and the README are checked against this.
 *
 * <p>A key with a {@code <variable>} stands for a family, one setting per table, receiver or header.
 */
public enum Setting {
    DATABASE_URL(
            "DATABASE_URL",
            Kind.DATABASE_URL,
            null,
            "postgresql://user:password@localhost:5432/grails",
            "The database whose changes are routed; parameters such as sslmode=verify-full may follow."),
    REPLICATION_SLOT(
            "REPLICATION_SLOT",
            Kind.SLOT,
            "grails_wal_slot",
            null,
            "The replication slot that keeps changes until they are delivered."),
    PUBLICATION_NAME(
            "PUBLICATION_NAME", Kind.NAME, "grails_publication", null, "The publication that names the tables."),
    WAL_SENDER_TIMEOUT(
            "WAL_SENDER_TIMEOUT",
            Kind.MILLISECONDS,
            "60000",
            null,
            "How long PostgreSQL waits for a sign of life before it ends the replication session."),
    HEARTBEAT_INTERVAL(
            "HEARTBEAT_INTERVAL",
            Kind.MILLISECONDS,
            "30000",
            null,
            "How often a heartbeat is written into the WAL and must come back."),
    SLOT_FAILOVER(
            "walroute.slot.failover",
            Kind.SWITCH,
            "on",
            null,
            "Whether setup makes a slot that PostgreSQL 17 and later copy to standbys, so that a promotion doesn't"
                    + " lose it."),
    SLOT_WARN_BEFORE(
            "walroute.slot.warn-before",
            Kind.DURATION_TIME,
            "1h",
            null,
            "How long before the slot would be invalidated at the present rate health turns DEGRADED."),
    REDIS_URL(
            "REDIS_URL",
            Kind.REDIS_URL,
            null,
            "redis://localhost:6379",
            "The Redis of the cache; without it the cache routes are off."),
    CACHE_CA_FILE(
            "walroute.cache.ca-file",
            Kind.FILE,
            null,
            "/etc/walroute/redis-ca.pem",
            "Certificates that vouch for a rediss:// server, relative to the home folder; those of the Java platform if not set."),
    WEBSOCKET_PORT("WEBSOCKET_PORT", Kind.PORT, "3003", null, "The port of ws://host:port/ws for subscribers."),
    MANAGEMENT_PORT("MANAGEMENT_PORT", Kind.PORT, "9876", null, "The port of health, metrics and /api for operators."),
    WEBHOOK_URL(
            "WEBHOOK_URL",
            Kind.HOOK,
            null,
            "https://partner.example.com/hooks",
            "Where hook:marketplace posts changes to (the same as walroute.hook.marketplace.url); without it that hook"
                    + " is off."),
    WEBHOOK_SECRET(
            "WEBHOOK_SECRET",
            Kind.HOOK,
            null,
            "whsec_",
            "What hook:marketplace signs with (the same as walroute.hook.marketplace.secret)."),
    WALROUTE_HOME(
            "WALROUTE_HOME",
            Kind.FOLDER,
            null,
            "/srv/walroute",
            "The folder that holds this file and routes/; read from the environment only, the current folder if it is"
                    + " not set."),
    TABLES(
            "walroute.tables",
            Kind.TABLES,
            "listings,offers,ens_names,opensea_events",
            null,
            "What setup publishes; schema.table and \"Quoted Names\" as in SQL."),
    // Before those that end like a column may be called.
    TABLE_REDACT(
            "walroute.tables.<table>.redact.<column>",
            Kind.REDACT,
            null,
            "hash, hook:drop, cache:keep",
            "What becomes of a column before it leaves, for all sinks and for single ones; the audit log is meant only as audit:RULE."),
    TABLE_COLUMNS(
            "walroute.tables.<table>.columns",
            Kind.COLUMNS,
            null,
            "id, status, price_wei; hook: id, status",
            "The only columns of a table that leave; all if not set."),
    TABLE_REPLICA_IDENTITY(
            "walroute.tables.<table>.replica-identity",
            Kind.REPLICA_IDENTITY,
            null,
            "full",
            "Old values that setup makes PostgreSQL write for a table; full for listings and ens_names if not set,"
                    + " others are left as they are."),
    TABLE_CACHE_TTL(
            "walroute.tables.<table>.cache-ttl",
            Kind.DURATION_TIME,
            null,
            "1h",
            "How long a table's cache entries live; for ever if not set."),
    TABLE_CACHE_PREFIX(
            "walroute.tables.<table>.cache-prefix",
            Kind.TEXT,
            null,
            "shop:",
            "What a table's cache keys begin with, in place of walroute.cache.prefix."),
    REDACT_UNNAMED(
            "walroute.redact.unnamed",
            Kind.UNNAMED,
            "keep",
            null,
            "What becomes of columns that neither a table's redact nor its columns name; with drop, nothing leaves that isn't named."),
    REDACT_SALT(
            "walroute.redact.salt",
            Kind.TOKEN,
            null,
            "a-long-random-text",
            "The key of the HMAC-SHA-256 that hash is; whoever has it can try values."),
    MAX_EVENT_BYTES(
            "walroute.max-event-bytes",
            Kind.SIZE,
            "16MB",
            null,
            "How long a change may be as JSON; a longer one goes to the dead letters, not to a sink."),
    CACHE_PREFIX(
            "walroute.cache.prefix", Kind.TEXT, null, "grails:", "What all cache keys begin with; nothing if not set."),
    AUDIT_URL(
            "walroute.audit.url",
            Kind.JDBC_URL,
            "jdbc:sqlite:data/walroute.db",
            null,
            "The database of the audit log and the dead letters; a SQLite file is relative to the home folder."),
    AUDIT_KEEP("walroute.audit.keep", Kind.DURATION_TIME, "7d", null, "How long audited changes are kept."),
    HOOK_URL(
            "walroute.hook.<name>.url",
            Kind.HOOK,
            null,
            "https://partner.example.com/hooks",
            "Where hook:NAME posts changes to; walroute.hook.invalidation.url switches routes/invalidation.camel.yaml on."),
    HOOK_SECRET(
            "walroute.hook.<name>.secret",
            Kind.HOOK,
            null,
            "whsec_",
            "What hook:NAME signs with; several separated by commas while one replaces another."),
    HOOK_ALLOW_NETWORKS(
            "walroute.hook.<name>.allow-networks",
            Kind.HOOK,
            null,
            "127.0.0.0/8",
            "Networks beyond the public ones that the receiver may be in; plain http is allowed there."),
    HOOK_TIMEOUT("walroute.hook.<name>.timeout", Kind.HOOK, null, "10s", "How long one attempt may take."),
    HOOK_CONCURRENCY(
            "walroute.hook.<name>.concurrency", Kind.HOOK, null, "32", "How many requests go to the receiver at once."),
    HOOK_BATCH_SIZE(
            "walroute.hook.<name>.batch-size",
            Kind.HOOK,
            null,
            "1",
            "How many changes one request may carry; above 1 the body is a JSON array."),
    HOOK_BATCH_DELAY(
            "walroute.hook.<name>.batch-delay",
            Kind.HOOK,
            null,
            "50ms",
            "How long a change waits at most for others to go with it."),
    HOOK_RATE(
            "walroute.hook.<name>.rate",
            Kind.HOOK,
            null,
            "20",
            "How many requests per second the receiver gets at most; no limit if not set."),
    HOOK_CIRCUIT_WAIT(
            "walroute.hook.<name>.circuit-wait",
            Kind.HOOK,
            null,
            "10s",
            "How long a receiver that keeps failing is left alone before it is tried again."),
    HOOK_HEADER(
            "walroute.hook.<name>.header.<header>", Kind.HOOK, null, "walroute", "A header sent with each request."),
    PG_NOTIFY_TABLES(
            "walroute.distribute.pg-notify.tables",
            Kind.TABLES,
            null,
            "listings,offers",
            "Tables whose changes are sent on by NOTIFY in their own database, as key and id only where the whole is too long for it; off if not set."),
    PG_NOTIFY_CHANNEL(
            "walroute.distribute.pg-notify.channel",
            Kind.NAME,
            "walroute_changes",
            null,
            "The channel that backends LISTEN to; upper case needs quotes there."),
    REDIS_STREAM_TABLES(
            "walroute.distribute.redis-stream.tables",
            Kind.TABLES,
            null,
            "listings,offers",
            "Tables whose changes are added to a Redis Stream; off if not set."),
    REDIS_STREAM_KEY(
            "walroute.distribute.redis-stream.key", Kind.TEXT, "walroute:changes", null, "The stream's key in Redis."),
    REDIS_STREAM_MAX_LENGTH(
            "walroute.distribute.redis-stream.max-length",
            Kind.COUNT,
            "100000",
            null,
            "How many entries Redis keeps of the stream, or some more (MAXLEN ~)."),
    REDIS_PUBSUB_TABLES(
            "walroute.distribute.redis-pubsub.tables",
            Kind.TABLES,
            null,
            "listings,offers",
            "Tables whose changes are published to Redis channels, for whoever has subscribed at that moment; off if not set."),
    REDIS_PUBSUB_CHANNEL(
            "walroute.distribute.redis-pubsub.channel",
            Kind.TEXT,
            "walroute",
            null,
            "What a channel's name begins with, before a colon and the table: walroute:listings."),
    DISTRIBUTE_REDIS_URL(
            "walroute.distribute.redis-url",
            Kind.REDIS_URL,
            null,
            "redis://localhost:6379",
            "The Redis of stream and channels; REDIS_URL if not set."),
    RABBITMQ_TABLES(
            "walroute.distribute.rabbitmq.tables",
            Kind.TABLES,
            null,
            "listings,offers",
            "Tables whose changes go to an exchange of RabbitMQ, each confirmed by it, with routing keys as listings.update; off if not set."),
    RABBITMQ_URL(
            "walroute.distribute.rabbitmq.url",
            Kind.AMQP_URL,
            null,
            "amqp://user:password@localhost:5672/vhost",
            "The RabbitMQ server."),
    RABBITMQ_EXCHANGE(
            "walroute.distribute.rabbitmq.exchange",
            Kind.EXCHANGE,
            "walroute",
            null,
            "The topic exchange; made, durable, if it isn't there."),
    SNAPSHOT(
            "walroute.snapshot",
            Kind.SNAPSHOT,
            "none",
            null,
            "Whether the first start fills the cache with the rows that exist already: none, or cache for all"
                    + " published tables that go to the cache."),
    MAX_IN_FLIGHT(
            "walroute.max-in-flight",
            Kind.COUNT,
            "10000",
            null,
            "How many changes may be under way before reading waits."),
    MAX_IN_FLIGHT_BYTES(
            "walroute.max-in-flight-bytes",
            Kind.SIZE,
            "32MB",
            null,
            "How many bytes of changes may be under way before reading waits."),
    POLL_INTERVAL(
            "walroute.poll-interval",
            Kind.DURATION_TIME,
            "10ms",
            null,
            "How often new changes are looked for: shorter is faster and costs more processor time when idle."),
    DRAIN_TIMEOUT(
            "walroute.drain-timeout", Kind.DURATION_TIME, "8s", null, "How long a stop waits for changes under way."),
    NOTIFY_HOST(
            "walroute.notify.host",
            Kind.HOST,
            "127.0.0.1",
            null,
            "The address that WEBSOCKET_PORT listens on; loopback only while clients are not authenticated"
                    + " (walroute.notify.jwt.*, walroute.notify.tokens)."),
    NOTIFY_KEEP(
            "walroute.notify.keep",
            Kind.DURATION_TIME,
            "1h",
            null,
            "How long sent frames are kept for subscribers that come back."),
    NOTIFY_ALLOW_ORIGINS(
            "walroute.notify.allow-origins",
            Kind.ORIGINS,
            null,
            "https://app.example.com",
            "Web pages whose scripts may subscribe, beside those on this machine."),
    NOTIFY_JWT_JWKS(
            "walroute.notify.jwt.jwks",
            Kind.TEXT,
            null,
            "https://login.example.com/.well-known/jwks.json",
            "The public keys that subscribers' JWTs (RS256, PS256, ES256 and so on) are checked with: an https URL, or"
                    + " a file relative to the home folder."),
    NOTIFY_JWT_SECRET(
            "walroute.notify.jwt.secret",
            Kind.TEXT,
            null,
            "a-random-text-of-32-bytes-or-more",
            "What subscribers' JWTs of HS256 are signed with."),
    NOTIFY_JWT_ISSUER(
            "walroute.notify.jwt.issuer",
            Kind.TEXT,
            null,
            "https://login.example.com/",
            "What the claim iss of a subscriber's JWT has to be; anything if not set."),
    NOTIFY_JWT_AUDIENCE(
            "walroute.notify.jwt.audience",
            Kind.TEXT,
            null,
            "walroute",
            "What the claim aud of a subscriber's JWT has to hold; needed with walroute.notify.jwt.jwks, where any"
                    + " takes tokens made for other services, too."),
    NOTIFY_JWT_CLOCK_SKEW(
            "walroute.notify.jwt.clock-skew",
            Kind.DURATION_TIME,
            "30s",
            null,
            "How far the clock of who makes the JWTs may be off."),
    NOTIFY_TOKENS(
            "walroute.notify.tokens",
            Kind.FOLDER,
            null,
            "tokens.json",
            "A file of fixed tokens for subscribers, relative to the home folder: a JSON array of objects with token"
                    + " or sha256, subject, claims and expires; it is read again when it changes."),
    NOTIFY_QUERY_TOKEN(
            "walroute.notify.query-token",
            Kind.SWITCH,
            "off",
            null,
            "Whether a subscriber's token may come in the URL (?access_token=), where proxies write it into their"
                    + " logs."),
    NOTIFY_TLS_CERTIFICATE(
            "walroute.notify.tls.certificate",
            Kind.FOLDER,
            null,
            "tls/server.pem",
            "The certificate of wss:// with those that lead to its root, relative to the home folder: PEM, or PKCS12"
                    + " with the key in it."),
    NOTIFY_TLS_KEY(
            "walroute.notify.tls.key",
            Kind.FOLDER,
            null,
            "tls/server.key",
            "The private key of the PEM certificate of wss://, as PEM without password."),
    NOTIFY_TLS_PASSWORD(
            "walroute.notify.tls.password",
            Kind.TEXT,
            null,
            "changeit",
            "The password of the PKCS12 certificate of wss://."),
    NOTIFY_REQUIRE_AUTHORIZATION(
            "walroute.notify.require-authorization",
            Kind.SWITCH,
            "on",
            null,
            "Whether topics without a rule are sent to nobody, once subscribers are authenticated; off sends them to all"
                    + " who are."),
    NOTIFY_TOPIC_AUTHORIZE(
            "walroute.notify.topics.<topic>.authorize",
            Kind.TEXT,
            null,
            "new.seller_address == claims.address",
            "Who may see a topic, or all that begin as listings.*: a rule over new., old., key., context. and claims. with"
                    + " ==, !=, in, and, or, not; true is everybody."),
    NOTIFY_TOPIC_WHEN_SLOW(
            "walroute.notify.topics.<topic>.when-slow",
            Kind.WHEN_SLOW,
            "gap",
            null,
            "What becomes of a subscriber that does not keep up with a topic: it is sent the rest later and in the end told"
                    + " of a gap, or its connection is closed with 1013."),
    NOTIFY_MAX_CONNECTIONS(
            "walroute.notify.max-connections",
            Kind.COUNT,
            "10000",
            null,
            "How many subscribers may be connected; further ones are refused with 503."),
    NOTIFY_MAX_CONNECTIONS_PER_SUBJECT(
            "walroute.notify.max-connections-per-subject",
            Kind.COUNT,
            "100",
            null,
            "How many connections one subject of tokens (claim sub) may have; further ones are refused with 429."),
    NOTIFY_MAX_CONNECTIONS_PER_ADDRESS(
            "walroute.notify.max-connections-per-address",
            Kind.COUNT,
            null,
            "1000",
            "How many connections may come from one address (IPv6: one /64 network); if not set, no limit on loopback"
                    + " and 1000 else. A proxy is one address."),
    NOTIFY_MAX_SUBSCRIPTIONS(
            "walroute.notify.max-subscriptions",
            Kind.COUNT,
            "1000",
            null,
            "How many subscriptions one connection may hold."),
    NOTIFY_MAX_MESSAGE(
            "walroute.notify.max-message",
            Kind.SIZE,
            "64KB",
            null,
            "How large a subscriber's message may be; a larger one ends its connection."),
    NOTIFY_MESSAGE_RATE(
            "walroute.notify.message-rate",
            Kind.COUNT,
            "100",
            null,
            "How many messages per second one connection may send; more of them wait in its socket."),
    NOTIFY_HANDSHAKE_TIMEOUT(
            "walroute.notify.handshake-timeout",
            Kind.DURATION_TIME,
            "10s",
            null,
            "How long a connection may take to become a WebSocket, TLS and token included, before it is cut."),
    MANAGEMENT_HOST(
            "walroute.management.host", Kind.HOST, "127.0.0.1", null, "The address that MANAGEMENT_PORT listens on."),
    MANAGEMENT_TOKEN(
            "walroute.management.token",
            Kind.TOKEN,
            null,
            "a-long-random-text",
            "What calls of /api that change something bring as bearer token; if not set, it is made once, in"
                    + " management.token beside the audit database."),
    MANAGEMENT_ALLOW_ORIGINS(
            "walroute.management.allow-origins",
            Kind.ORIGINS,
            null,
            "http://localhost:8080",
            "Other web pages' origins that may use Jolokia and /api, as that of a Hawtio; without the token they only look."),
    MANAGEMENT_TLS_CERTIFICATE(
            "walroute.management.tls.certificate",
            Kind.FOLDER,
            null,
            "tls/server.pem",
            "The certificate that makes MANAGEMENT_PORT https, relative to the home folder: PEM, or PKCS12 with the"
                    + " key in it."),
    MANAGEMENT_TLS_KEY(
            "walroute.management.tls.key",
            Kind.FOLDER,
            null,
            "tls/server.key",
            "The private key of the management port's PEM certificate, as PEM without password."),
    MANAGEMENT_TLS_PASSWORD(
            "walroute.management.tls.password",
            Kind.TEXT,
            null,
            "changeit",
            "The password of the management port's PKCS12 certificate."),
    REDRIVE_SCHEDULE(
            "walroute.redrive.<sink>.schedule",
            Kind.SCHEDULE,
            null,
            "5s,5m,30m,2h,5h,10h,14h,20h,24h",
            "When changes parked for a sink are sent again, in place of what routes/redrive.camel.yaml says; dead"
                    + " after the last, for ever with ,... behind it."),
    ROUTES(
            "walroute.routes",
            Kind.FOLDER,
            "routes",
            null,
            "The folder of the YAML routes, relative to the home folder."),
    LOG_FORMAT(
            "walroute.log-format",
            Kind.LOG_FORMAT,
            "text",
            null,
            "How log lines are written: for people, or one JSON object a line.");

    private static final String VARIABLE = "<[a-z]+>";

    private final String key;
    private final Kind kind;
    private final String defaultValue;
    private final String example;
    private final String description;
    private final Pattern pattern;
    private final Pattern environmentPattern;

    Setting(String key, Kind kind, String defaultValue, String example, String description) {
        this.key = key;
        this.kind = kind;
        this.defaultValue = defaultValue;
        this.example = example;
        this.description = description;
        pattern = pattern(key, ".");
        environmentPattern = pattern(environmentName(key), "_");
    }

    public String key() {
        return key;
    }

    Kind kind() {
        return kind;
    }

    /** Type and unit, for people. */
    public String type() {
        return kind.description();
    }

    /** As it would be written in the file. */
    public Optional<String> defaultValue() {
        return Optional.ofNullable(defaultValue);
    }

    /** For settings without a default: what a value looks like. */
    public Optional<String> example() {
        return Optional.ofNullable(example);
    }

    /** One sentence. */
    public String description() {
        return description;
    }

    /** Its value may hold a password, a token or a key, and is never shown. */
    public boolean isSecret() {
        return switch (this) {
            case DATABASE_URL,
                    REDIS_URL,
                    WEBHOOK_URL,
                    WEBHOOK_SECRET,
                    AUDIT_URL,
                    HOOK_URL,
                    HOOK_SECRET,
                    HOOK_HEADER,
                    DISTRIBUTE_REDIS_URL,
                    RABBITMQ_URL,
                    MANAGEMENT_TOKEN,
                    NOTIFY_JWT_SECRET,
                    NOTIFY_TLS_PASSWORD,
                    MANAGEMENT_TLS_PASSWORD,
                    REDACT_SALT -> true;
            default -> false;
        };
    }

    boolean isFamily() {
        return key.indexOf('<') >= 0;
    }

    /** {@code walroute.some-key} is {@code WALROUTE_SOME_KEY}; the seed's own names stay. */
    public String environmentVariable() {
        return environmentName(key);
    }

    static String environmentName(String key) {
        String name = key;
        if (key.startsWith("walroute.")) {
            // A variable's own brackets must survive.
            name = key.replace('.', '_').replace('-', '_');
            name = Pattern.compile("(^|>)[^<]*")
                    .matcher(name)
                    .replaceAll(part -> part.group().toUpperCase(Locale.ROOT));
        }
        return name;
    }

    /** The setting that a key of the file belongs to, with the variables' values. */
    static Optional<Match> ofKey(String key) {
        return first(key, setting -> setting.pattern);
    }

    /** The variables' values are as they stand in the environment's name: upper case, underscores. */
    static Optional<Match> ofEnvironment(String name) {
        Matcher header = HOOK_HEADER.environmentPattern.matcher(name);
        if (header.matches()) {
            // First, since the header X-Url would otherwise be the URL of another receiver.
            return Optional.of(new Match(HOOK_HEADER, List.of(header.group(1), header.group(2))));
        }
        return first(name, setting -> setting.environmentPattern);
    }

    private static Optional<Match> first(String name, java.util.function.Function<Setting, Pattern> pattern) {
        for (Setting setting : values()) {
            Matcher matcher = pattern.apply(setting).matcher(name);
            if (matcher.matches()) {
                String[] variables = new String[matcher.groupCount()];
                Arrays.setAll(variables, i -> matcher.group(i + 1));
                return Optional.of(new Match(setting, List.of(variables)));
            }
        }
        return Optional.empty();
    }

    record Match(Setting setting, List<String> variables) {}

    /** A table's name may hold dots; a receiver's name and a header may not hold the separator that ends them. */
    private static Pattern pattern(String key, String separator) {
        var regex = new StringBuilder();
        Matcher variable = Pattern.compile(VARIABLE).matcher(key);
        int from = 0;
        while (variable.find()) {
            regex.append(Pattern.quote(key.substring(from, variable.start())));
            boolean receiver = variable.group().equals("<name>");
            regex.append(receiver && separator.equals(".") ? "([A-Za-z0-9_-]+)" : receiver ? "(.+?)" : "(.+)");
            from = variable.end();
        }
        return Pattern.compile(regex.append(Pattern.quote(key.substring(from))).toString());
    }
}
