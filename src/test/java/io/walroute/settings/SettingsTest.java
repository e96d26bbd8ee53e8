package io.walroute.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.walroute.change.ColumnList;
import io.walroute.change.ColumnRules;
import io.walroute.slot.ReplicaIdentity;
import io.walroute.slot.TableName;
import io.walroute.tls.TlsFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SettingsTest {
    private static final Map<String, String> NOTHING = Map.of();

    @TempDir
    Path home;

    @Test
    void without_file_and_environment_all_is_as_by_default() {
        Settings settings = Settings.load(home, NOTHING);

        assertThat(settings.findDatabaseUrl()).isEmpty();
        assertThat(settings.replicationSlot()).isEqualTo("grails_wal_slot");
        assertThat(settings.publicationName()).isEqualTo("grails_publication");
        assertThat(settings.walSenderTimeout()).isEqualTo(Duration.ofSeconds(60));
        assertThat(settings.heartbeatInterval()).isEqualTo(Duration.ofSeconds(30));
        assertThat(settings.redisUrl()).isEmpty();
        assertThat(settings.websocketPort()).isEqualTo(OptionalInt.of(3003));
        assertThat(settings.managementPort()).isEqualTo(OptionalInt.of(9876));
        assertThat(settings.hooks()).isEmpty();
        assertThat(settings.tables()).isEqualTo(TableSelection.parse("listings,offers,ens_names,opensea_events"));
        assertThat(settings.tableSettings())
                .isEqualTo(Map.of(
                        TableName.parse("listings"), fullIdentity(), TableName.parse("ens_names"), fullIdentity()));
        assertThat(settings.redactions()).isEmpty();
        assertThat(settings.maxEventBytes()).isEqualTo(16 << 20);
        assertThat(settings.cachePrefix()).isEmpty();
        assertThat(settings.auditUrl()).isEqualTo("jdbc:sqlite:" + home.resolve("data/walroute.db"));
        assertThat(settings.auditKeep()).isEqualTo(Duration.ofDays(7));
        assertThat(settings.maxInFlight()).isEqualTo(10_000);
        assertThat(settings.maxInFlightBytes()).isEqualTo(32L << 20);
        assertThat(settings.pollInterval()).isEqualTo(Duration.ofMillis(10));
        assertThat(settings.drainTimeout()).isEqualTo(Duration.ofSeconds(8));
        assertThat(settings.notifyHost()).isEqualTo("127.0.0.1");
        assertThat(settings.notifyKeep()).isEqualTo(Duration.ofHours(1));
        assertThat(settings.notifyAllowOrigins()).isEmpty();
        assertThat(settings.managementHost()).isEqualTo("127.0.0.1");
        assertThat(settings.managementAllowOrigins()).isEmpty();
        assertThat(settings.routes()).isEqualTo(home.resolve("routes"));
        assertThat(settings.logFormat()).isEqualTo(LogFormat.TEXT);
        assertThat(settings.snapshot()).isEqualTo(SnapshotMode.NONE);
        assertThat(settings.distribution())
                .isEqualTo(new DistributionSettings(
                        Optional.empty(),
                        "walroute_changes",
                        Optional.empty(),
                        "walroute:changes",
                        100_000,
                        Optional.empty(),
                        "walroute",
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        "walroute"));
        assertThat(settings.camel()).isEmpty();
    }

    private static TableSettings fullIdentity() {
        return new TableSettings(Optional.of(ReplicaIdentity.FULL), Optional.empty(), Optional.empty());
    }

    /** Key, other value than the default, what the environment calls it. One for each {@link Setting}. */
    private static Map<Setting, List<String>> everySettingChanged() {
        Map<Setting, List<String>> all = new LinkedHashMap<>();
        change(all, Setting.DATABASE_URL, "DATABASE_URL", "postgresql://u:p@h/d", "DATABASE_URL");
        change(all, Setting.REPLICATION_SLOT, "REPLICATION_SLOT", "other_slot", "REPLICATION_SLOT");
        change(all, Setting.PUBLICATION_NAME, "PUBLICATION_NAME", "Other pub", "PUBLICATION_NAME");
        change(all, Setting.WAL_SENDER_TIMEOUT, "WAL_SENDER_TIMEOUT", "1000", "WAL_SENDER_TIMEOUT");
        change(all, Setting.HEARTBEAT_INTERVAL, "HEARTBEAT_INTERVAL", "2000", "HEARTBEAT_INTERVAL");
        change(all, Setting.REDIS_URL, "REDIS_URL", "rediss://:pw@r:1/2", "REDIS_URL");
        change(all, Setting.CACHE_CA_FILE, "walroute.cache.ca-file", "ca.pem", "WALROUTE_CACHE_CA_FILE");
        change(all, Setting.WEBSOCKET_PORT, "WEBSOCKET_PORT", "off", "WEBSOCKET_PORT");
        change(all, Setting.MANAGEMENT_PORT, "MANAGEMENT_PORT", "0", "MANAGEMENT_PORT");
        change(all, Setting.SLOT_FAILOVER, "walroute.slot.failover", "off", "WALROUTE_SLOT_FAILOVER");
        change(all, Setting.SLOT_WARN_BEFORE, "walroute.slot.warn-before", "5m", "WALROUTE_SLOT_WARN_BEFORE");
        change(all, Setting.WEBHOOK_URL, "WEBHOOK_URL", "https://a/", "WEBHOOK_URL");
        change(all, Setting.WEBHOOK_SECRET, "WEBHOOK_SECRET", "whsec_1", "WEBHOOK_SECRET");
        change(all, Setting.TABLES, "walroute.tables", "billing.invoices,t", "WALROUTE_TABLES");
        change(
                all,
                Setting.TABLE_REPLICA_IDENTITY,
                "walroute.tables.ens_names.replica-identity",
                "index:i",
                "WALROUTE_TABLES_ENS_NAMES_REPLICA_IDENTITY");
        change(
                all,
                Setting.TABLE_CACHE_TTL,
                "walroute.tables.ens_names.cache-ttl",
                "5m",
                "WALROUTE_TABLES_ENS_NAMES_CACHE_TTL");
        change(
                all,
                Setting.TABLE_CACHE_PREFIX,
                "walroute.tables.ens_names.cache-prefix",
                "e:",
                "WALROUTE_TABLES_ENS_NAMES_CACHE_PREFIX");
        change(
                all,
                Setting.TABLE_REDACT,
                "walroute.tables.customers.redact.email",
                "hash, hook:drop, audit:truncate(3)",
                "WALROUTE_TABLES_CUSTOMERS_REDACT_EMAIL");
        change(
                all,
                Setting.TABLE_COLUMNS,
                "walroute.tables.customers.columns",
                "id, email; hook: id",
                "WALROUTE_TABLES_CUSTOMERS_COLUMNS");
        change(all, Setting.REDACT_UNNAMED, "walroute.redact.unnamed", "drop", "WALROUTE_REDACT_UNNAMED");
        change(all, Setting.REDACT_SALT, "walroute.redact.salt", "fedcba9876543210", "WALROUTE_REDACT_SALT");
        change(all, Setting.MAX_EVENT_BYTES, "walroute.max-event-bytes", "1KB", "WALROUTE_MAX_EVENT_BYTES");
        change(all, Setting.CACHE_PREFIX, "walroute.cache.prefix", "all:", "WALROUTE_CACHE_PREFIX");
        change(all, Setting.AUDIT_URL, "walroute.audit.url", "jdbc:postgresql://h/a", "WALROUTE_AUDIT_URL");
        change(all, Setting.AUDIT_KEEP, "walroute.audit.keep", "12h", "WALROUTE_AUDIT_KEEP");
        for (Setting hook : Setting.values()) {
            if (hook.key().contains("<name>")) {
                String key = hook.key().replace("<name>", "big-one").replace("<header>", "x-y");
                change(
                        all,
                        hook,
                        key,
                        "value of " + hook,
                        hook.environmentVariable().replace("<name>", "BIG_ONE").replace("<header>", "X_Y"));
            }
        }
        change(
                all,
                Setting.PG_NOTIFY_TABLES,
                "walroute.distribute.pg-notify.tables",
                "all",
                "WALROUTE_DISTRIBUTE_PG_NOTIFY_TABLES");
        change(
                all,
                Setting.PG_NOTIFY_CHANNEL,
                "walroute.distribute.pg-notify.channel",
                "Other",
                "WALROUTE_DISTRIBUTE_PG_NOTIFY_CHANNEL");
        change(
                all,
                Setting.REDIS_STREAM_TABLES,
                "walroute.distribute.redis-stream.tables",
                "offers",
                "WALROUTE_DISTRIBUTE_REDIS_STREAM_TABLES");
        change(
                all,
                Setting.REDIS_STREAM_KEY,
                "walroute.distribute.redis-stream.key",
                "s",
                "WALROUTE_DISTRIBUTE_REDIS_STREAM_KEY");
        change(
                all,
                Setting.REDIS_STREAM_MAX_LENGTH,
                "walroute.distribute.redis-stream.max-length",
                "9",
                "WALROUTE_DISTRIBUTE_REDIS_STREAM_MAX_LENGTH");
        change(
                all,
                Setting.REDIS_PUBSUB_TABLES,
                "walroute.distribute.redis-pubsub.tables",
                "a.b",
                "WALROUTE_DISTRIBUTE_REDIS_PUBSUB_TABLES");
        change(
                all,
                Setting.REDIS_PUBSUB_CHANNEL,
                "walroute.distribute.redis-pubsub.channel",
                "c",
                "WALROUTE_DISTRIBUTE_REDIS_PUBSUB_CHANNEL");
        change(
                all,
                Setting.DISTRIBUTE_REDIS_URL,
                "walroute.distribute.redis-url",
                "redis://other",
                "WALROUTE_DISTRIBUTE_REDIS_URL");
        change(
                all,
                Setting.RABBITMQ_TABLES,
                "walroute.distribute.rabbitmq.tables",
                "offers,t",
                "WALROUTE_DISTRIBUTE_RABBITMQ_TABLES");
        change(
                all,
                Setting.RABBITMQ_URL,
                "walroute.distribute.rabbitmq.url",
                "amqps://u:p@r/v",
                "WALROUTE_DISTRIBUTE_RABBITMQ_URL");
        change(
                all,
                Setting.RABBITMQ_EXCHANGE,
                "walroute.distribute.rabbitmq.exchange",
                "x.y",
                "WALROUTE_DISTRIBUTE_RABBITMQ_EXCHANGE");
        change(all, Setting.MAX_IN_FLIGHT, "walroute.max-in-flight", "7", "WALROUTE_MAX_IN_FLIGHT");
        change(all, Setting.MAX_IN_FLIGHT_BYTES, "walroute.max-in-flight-bytes", "1GB", "WALROUTE_MAX_IN_FLIGHT_BYTES");
        change(all, Setting.POLL_INTERVAL, "walroute.poll-interval", "1s", "WALROUTE_POLL_INTERVAL");
        change(all, Setting.DRAIN_TIMEOUT, "walroute.drain-timeout", "2m", "WALROUTE_DRAIN_TIMEOUT");
        change(all, Setting.NOTIFY_HOST, "walroute.notify.host", "::1", "WALROUTE_NOTIFY_HOST");
        change(all, Setting.NOTIFY_KEEP, "walroute.notify.keep", "2d", "WALROUTE_NOTIFY_KEEP");
        change(
                all,
                Setting.NOTIFY_ALLOW_ORIGINS,
                "walroute.notify.allow-origins",
                "https://a, http://b:1",
                "WALROUTE_NOTIFY_ALLOW_ORIGINS");
        change(
                all,
                Setting.MANAGEMENT_ALLOW_ORIGINS,
                "walroute.management.allow-origins",
                "http://localhost:8080",
                "WALROUTE_MANAGEMENT_ALLOW_ORIGINS");
        change(all, Setting.NOTIFY_JWT_JWKS, "walroute.notify.jwt.jwks", "https://a/keys", "WALROUTE_NOTIFY_JWT_JWKS");
        change(
                all,
                Setting.NOTIFY_JWT_SECRET,
                "walroute.notify.jwt.secret",
                "0123456789abcdef0123456789abcdef",
                "WALROUTE_NOTIFY_JWT_SECRET");
        change(
                all,
                Setting.NOTIFY_JWT_ISSUER,
                "walroute.notify.jwt.issuer",
                "https://a/",
                "WALROUTE_NOTIFY_JWT_ISSUER");
        change(all, Setting.NOTIFY_JWT_AUDIENCE, "walroute.notify.jwt.audience", "us", "WALROUTE_NOTIFY_JWT_AUDIENCE");
        change(
                all,
                Setting.NOTIFY_JWT_CLOCK_SKEW,
                "walroute.notify.jwt.clock-skew",
                "5s",
                "WALROUTE_NOTIFY_JWT_CLOCK_SKEW");
        change(all, Setting.NOTIFY_TOKENS, "walroute.notify.tokens", "my/tokens.json", "WALROUTE_NOTIFY_TOKENS");
        change(all, Setting.NOTIFY_QUERY_TOKEN, "walroute.notify.query-token", "on", "WALROUTE_NOTIFY_QUERY_TOKEN");
        change(
                all,
                Setting.NOTIFY_TLS_CERTIFICATE,
                "walroute.notify.tls.certificate",
                "a.pem",
                "WALROUTE_NOTIFY_TLS_CERTIFICATE");
        change(all, Setting.NOTIFY_TLS_KEY, "walroute.notify.tls.key", "a.key", "WALROUTE_NOTIFY_TLS_KEY");
        change(all, Setting.NOTIFY_TLS_PASSWORD, "walroute.notify.tls.password", "pw1", "WALROUTE_NOTIFY_TLS_PASSWORD");
        change(
                all,
                Setting.NOTIFY_REQUIRE_AUTHORIZATION,
                "walroute.notify.require-authorization",
                "off",
                "WALROUTE_NOTIFY_REQUIRE_AUTHORIZATION");
        change(
                all,
                Setting.NOTIFY_TOPIC_AUTHORIZE,
                "walroute.notify.topics.listings.authorize",
                "new.a == claims.a",
                "WALROUTE_NOTIFY_TOPICS_LISTINGS_AUTHORIZE");
        change(
                all,
                Setting.NOTIFY_TOPIC_WHEN_SLOW,
                "walroute.notify.topics.listings.when-slow",
                "close",
                "WALROUTE_NOTIFY_TOPICS_LISTINGS_WHEN_SLOW");
        change(
                all,
                Setting.NOTIFY_MAX_CONNECTIONS,
                "walroute.notify.max-connections",
                "11",
                "WALROUTE_NOTIFY_MAX_CONNECTIONS");
        change(
                all,
                Setting.NOTIFY_MAX_CONNECTIONS_PER_SUBJECT,
                "walroute.notify.max-connections-per-subject",
                "12",
                "WALROUTE_NOTIFY_MAX_CONNECTIONS_PER_SUBJECT");
        change(
                all,
                Setting.NOTIFY_MAX_CONNECTIONS_PER_ADDRESS,
                "walroute.notify.max-connections-per-address",
                "13",
                "WALROUTE_NOTIFY_MAX_CONNECTIONS_PER_ADDRESS");
        change(
                all,
                Setting.NOTIFY_MAX_SUBSCRIPTIONS,
                "walroute.notify.max-subscriptions",
                "14",
                "WALROUTE_NOTIFY_MAX_SUBSCRIPTIONS");
        change(all, Setting.NOTIFY_MAX_MESSAGE, "walroute.notify.max-message", "15KB", "WALROUTE_NOTIFY_MAX_MESSAGE");
        change(all, Setting.NOTIFY_MESSAGE_RATE, "walroute.notify.message-rate", "16", "WALROUTE_NOTIFY_MESSAGE_RATE");
        change(
                all,
                Setting.NOTIFY_HANDSHAKE_TIMEOUT,
                "walroute.notify.handshake-timeout",
                "17s",
                "WALROUTE_NOTIFY_HANDSHAKE_TIMEOUT");
        change(
                all,
                Setting.MANAGEMENT_TLS_CERTIFICATE,
                "walroute.management.tls.certificate",
                "b.pem",
                "WALROUTE_MANAGEMENT_TLS_CERTIFICATE");
        change(all, Setting.MANAGEMENT_TLS_KEY, "walroute.management.tls.key", "b.key", "WALROUTE_MANAGEMENT_TLS_KEY");
        change(
                all,
                Setting.MANAGEMENT_TLS_PASSWORD,
                "walroute.management.tls.password",
                "pw2",
                "WALROUTE_MANAGEMENT_TLS_PASSWORD");
        change(all, Setting.MANAGEMENT_HOST, "walroute.management.host", "0.0.0.0", "WALROUTE_MANAGEMENT_HOST");
        change(
                all,
                Setting.MANAGEMENT_TOKEN,
                "walroute.management.token",
                "0123456789abcdef",
                "WALROUTE_MANAGEMENT_TOKEN");
        change(
                all,
                Setting.REDRIVE_SCHEDULE,
                "walroute.redrive.write-backs.schedule",
                "1s, 2m,...",
                "WALROUTE_REDRIVE_WRITE_BACKS_SCHEDULE");
        change(all, Setting.ROUTES, "walroute.routes", "my/routes", "WALROUTE_ROUTES");
        change(all, Setting.SNAPSHOT, "walroute.snapshot", "cache", "WALROUTE_SNAPSHOT");
        change(all, Setting.LOG_FORMAT, "walroute.log-format", "json", "WALROUTE_LOG_FORMAT");
        return all;
    }

    private static void change(
            Map<Setting, List<String>> all, Setting setting, String key, String value, String variable) {
        all.put(setting, List.of(key, value, variable));
    }

    @Test
    void every_setting_can_be_changed_in_the_file() {
        everySettingChanged().values().forEach(each -> append(each.get(0) + "=" + each.get(1)));

        assertThatEveryValueDiffersFromItsDefault(Settings.load(home, NOTHING), "application.properties:");
    }

    @Test
    void every_setting_can_be_changed_in_the_environment() {
        Map<String, String> environment = new LinkedHashMap<>();
        everySettingChanged().values().forEach(each -> environment.put(each.get(2), each.get(1)));
        // The environment wins.
        append("REPLICATION_SLOT=from_file");
        append("WEBHOOK_URL=https://from-file/");
        append("walroute.routes=from-file");

        assertThatEveryValueDiffersFromItsDefault(Settings.load(home, environment), "environment");
    }

    private static void assertThatEveryValueDiffersFromItsDefault(Settings settings, String place) {
        Map<Setting, List<String>> all = everySettingChanged();
        // WALROUTE_HOME has tests of its own: it isn't read here.
        assertThat(all.keySet())
                .as("settings that this test covers")
                .isEqualTo(EnumSet.complementOf(EnumSet.of(Setting.WALROUTE_HOME)));
        assertThat(settings.databaseUrl()).isEqualTo(DatabaseUrl.parse("postgresql://u:p@h/d"));
        assertThat(settings.replicationSlot()).isEqualTo("other_slot");
        assertThat(settings.publicationName()).isEqualTo("Other pub");
        assertThat(settings.walSenderTimeout()).isEqualTo(Duration.ofSeconds(1));
        assertThat(settings.heartbeatInterval()).isEqualTo(Duration.ofSeconds(2));
        assertThat(settings.redisUrl()).contains("rediss://:pw@r:1/2");
        assertThat(settings.cacheCaFile()).contains(settings.home().resolve("ca.pem"));
        assertThat(settings.websocketPort()).isEmpty();
        assertThat(settings.managementPort()).isEqualTo(OptionalInt.of(0));
        assertThat(settings.hooks().get("marketplace")).isEqualTo(Map.of("url", "https://a/", "secret", "whsec_1"));
        assertThat(settings.tables().names())
                .containsExactly(new TableName("billing", "invoices"), new TableName("public", "t"));
        assertThat(settings.tableSettings().get(TableName.parse("ens_names")))
                .isEqualTo(new TableSettings(
                        Optional.of(new ReplicaIdentity(ReplicaIdentity.Kind.INDEX, "i")),
                        Optional.of(Duration.ofMinutes(5)),
                        Optional.of("e:")));
        var customers =
                settings.tableSettings().get(TableName.parse("customers")).redaction();
        assertThat(customers.rules())
                .containsOnlyKeys("email")
                .containsValue(ColumnRules.parse("hash, hook:drop, audit:truncate(3)"));
        assertThat(customers.columns()).isEqualTo(ColumnList.parse("id, email; hook: id"));
        assertThat(settings.redactions()).get().satisfies(rules -> {
            assertThat(rules.of("hook", "public", "other"))
                    .as("unnamed columns")
                    .isNotNull();
            assertThat(rules.of("cache", "public", "customers").value("email", "a"))
                    .isEqualTo("f89022b46377bc7b43d57c010fa5c94fae70d85f62fc50d78d55e502009ca660");
        });
        assertThat(settings.maxEventBytes()).isEqualTo(1024);
        assertThat(settings.cachePrefix()).isEqualTo("all:");
        assertThat(settings.auditUrl()).isEqualTo("jdbc:postgresql://h/a");
        assertThat(settings.auditKeep()).isEqualTo(Duration.ofHours(12));
        assertThat(settings.hooks().get("big-one"))
                .containsEntry("url", "value of HOOK_URL")
                .containsEntry("header.x-y", "value of HOOK_HEADER")
                .hasSize(10);
        assertThat(settings.distribution())
                .isEqualTo(new DistributionSettings(
                        Optional.of(TableSelection.parse("all")),
                        "Other",
                        Optional.of(TableSelection.parse("offers")),
                        "s",
                        9,
                        Optional.of(TableSelection.parse("a.b")),
                        "c",
                        Optional.of("redis://other"),
                        Optional.of(TableSelection.parse("offers,t")),
                        Optional.of("amqps://u:p@r/v"),
                        "x.y"));
        assertThat(settings.distribution().toString()).doesNotContain("u:p");
        assertThat(settings.maxInFlight()).isEqualTo(7);
        assertThat(settings.maxInFlightBytes()).isEqualTo(1L << 30);
        assertThat(settings.pollInterval()).isEqualTo(Duration.ofSeconds(1));
        assertThat(settings.drainTimeout()).isEqualTo(Duration.ofMinutes(2));
        assertThat(settings.notifyHost()).isEqualTo("::1");
        assertThat(settings.notifyKeep()).isEqualTo(Duration.ofDays(2));
        assertThat(settings.notifyAllowOrigins()).containsExactly("https://a", "http://b:1");
        assertThat(settings.notifyJwtJwks()).contains("https://a/keys");
        assertThat(settings.notifyJwtSecret()).contains("0123456789abcdef0123456789abcdef");
        assertThat(settings.notifyJwtIssuer()).contains("https://a/");
        assertThat(settings.notifyJwtAudience()).contains("us");
        assertThat(settings.notifyJwtClockSkew()).isEqualTo(Duration.ofSeconds(5));
        assertThat(settings.notifyTokens()).contains(settings.home().resolve("my/tokens.json"));
        assertThat(settings.notifyQueryToken()).isTrue();
        assertThat(settings.notifyTls())
                .contains(new TlsFiles(
                        "walroute.notify.tls",
                        settings.home().resolve("a.pem"),
                        settings.home().resolve("a.key"),
                        "pw1"));
        assertThat(settings.notifyRequireAuthorization()).isFalse();
        assertThat(settings.notifyRules()).isEqualTo(Map.of("listings", "new.a == claims.a"));
        assertThat(settings.notifyCloseSlow()).isEqualTo(Map.of("listings", true));
        assertThat(settings.notifyMaxConnections()).isEqualTo(11);
        assertThat(settings.notifyMaxConnectionsPerSubject()).isEqualTo(12);
        assertThat(settings.notifyMaxConnectionsPerAddress()).contains(13);
        assertThat(settings.notifyMaxSubscriptions()).isEqualTo(14);
        assertThat(settings.notifyMaxMessage()).isEqualTo(15 << 10);
        assertThat(settings.notifyMessageRate()).isEqualTo(16);
        assertThat(settings.notifyHandshakeTimeout()).isEqualTo(Duration.ofSeconds(17));
        assertThat(settings.managementTls())
                .contains(new TlsFiles(
                        "walroute.management.tls",
                        settings.home().resolve("b.pem"),
                        settings.home().resolve("b.key"),
                        "pw2"));
        assertThat(settings.managementHost()).isEqualTo("0.0.0.0");
        assertThat(settings.managementAllowOrigins()).containsExactly("http://localhost:8080");
        assertThat(settings.managementToken()).contains("0123456789abcdef");
        assertThat(settings.managementTokenFile()).isEqualTo(settings.home().resolve("data/management.token"));
        assertThat(settings.redriveSchedules()).isEqualTo(Map.of("write-backs", "1s, 2m,..."));
        assertThat(settings.routes()).isEqualTo(settings.home().resolve("my/routes"));
        assertThat(settings.logFormat()).isEqualTo(LogFormat.JSON);
        assertThat(settings.snapshot()).isEqualTo(SnapshotMode.CACHE);
        assertThat(settings.place("walroute.hook.big-one.url").orElseThrow()).startsWith(place);
        assertThat(settings.place("walroute.hook.marketplace.url").orElseThrow())
                .startsWith(place);
    }

    @Test
    void every_wrong_setting_is_named_in_one_run_with_its_place_and_the_cure() {
        append("# a comment", "", "WAL_SENDER_TIMEOUT=60s", "walroute.max-in-flight-bytes = 32 megs");
        append("walroute.audit.keep=\\", "   forever", "REPLICATION_SLOT=My-Slot");
        append("walroute.tables=listings,bad name", "walroute.tables.1x.cache-ttl=1h");
        append("walroute.tables.listings.replica-identity=half", "walroute.notify.host=http://here");
        append("REDIS_URL=redis://localhost:6379 # Optional", "walroute.redrive.hook.schedule=soon");

        assertThat(problems(Map.of("WEBSOCKET_PORT", "70000", "WALROUTE_POLL_INTERVAL", "0ms")))
                .containsExactlyInAnyOrder(
                        "WAL_SENDER_TIMEOUT=60s is not a number of milliseconds above 0 (application.properties:3)."
                                + " Write 60000",
                        "walroute.max-in-flight-bytes=32 megs is not a size above 0 (application.properties:4). Write"
                                + " it as 512KB, 32MB or 1GB",
                        "walroute.audit.keep=forever is not a time above 0 (application.properties:5). Write it as"
                                + " 10ms, 8s, 5m, 2h or 7d",
                        "REPLICATION_SLOT=My-Slot is not a slot's name: 1 to 63 lower-case letters, digits and"
                                + " underscores (application.properties:7)",
                        "walroute.tables=listings,bad name can't be read: the table name bad name holds ' ' outside of"
                                + " quotes (application.properties:8). Write it as in SQL: listings, billing.invoices,"
                                + " \"Mixed Case\"",
                        "walroute.tables.1x.cache-ttl: the table name 1x holds '1' outside of quotes. Write it as in"
                                + " SQL: listings, billing.invoices, \"Mixed Case\" (application.properties:9)",
                        "walroute.tables.listings.replica-identity=half is not a replica identity"
                                + " (application.properties:10). Write full, default, nothing or index:NAME",
                        "walroute.notify.host=http://here is not a host name or address (application.properties:11)."
                                + " Write 127.0.0.1",
                        "REDIS_URL is not a Redis URL (application.properties:12). Write"
                                + " redis://user:password@host:6379/0, special characters percent-encoded. A comment needs"
                                + " a line of its own",
                        "walroute.redrive.hook.schedule=soon is no list of waits (application.properties:13). Write it"
                                + " as 5s,5m,2h, with ,... at the end to repeat the last for ever",
                        "WEBSOCKET_PORT=70000 is not a port (environment). Write a number from 1 to 65535 (0 takes any"
                                + " free one), or off",
                        "walroute.poll-interval=0ms is not a time above 0 (environment). Write it as 10ms, 8s, 5m, 2h"
                                + " or 7d");
    }

    @Test
    void unknown_names_suggest_the_nearest_known() {
        append("walroute.adit.keep=1d", "walroute.hook.partner.secrt=whsec_x", "walroute.tables.offers.cache-tll=1h");
        append("DATABASE_ULR=postgresql://x", "walroute.something.else=1");

        assertThat(problems(Map.of("WALROUTE_MAX_INFLIGHT", "1", "WALROUTE_HOOK_PARTNER_TIMEOT", "1s")))
                .containsExactlyInAnyOrder(
                        "walroute.adit.keep is not a setting (application.properties:1). Did you mean"
                                + " walroute.audit.keep?",
                        "walroute.hook.partner.secrt is not a setting (application.properties:2). Did you mean"
                                + " walroute.hook.partner.secret?",
                        "walroute.tables.offers.cache-tll is not a setting (application.properties:3). Did you mean"
                                + " walroute.tables.offers.cache-ttl?",
                        "DATABASE_ULR is not a setting (application.properties:4). Did you mean DATABASE_URL?",
                        "walroute.something.else is not a setting (application.properties:5). All settings are in the"
                                + " README and in application.properties",
                        "WALROUTE_MAX_INFLIGHT is not a setting (environment). Did you mean WALROUTE_MAX_IN_FLIGHT?",
                        "WALROUTE_HOOK_PARTNER_TIMEOT is not a setting (environment). Did you mean"
                                + " WALROUTE_HOOK_PARTNER_TIMEOUT?");
    }

    @Test
    void secrets_are_not_shown_even_when_they_are_wrong() {
        append(
                "DATABASE_URL=postgresql://u:s3cret@h",
                "REDIS_URL=http://u:s3cret@h",
                "walroute.audit.url=mysql://s3cret");
        append("WEBHOOK_SECRET=s3cret", "walroute.hook.marketplace.secret=s3cret2");
        append("walroute.management.token=s3cret");

        assertThat(problems(NOTHING)).hasSize(5).noneMatch(line -> line.contains("s3cret"));
    }

    @Test
    void a_key_that_is_set_twice_is_told_with_both_places() {
        append(
                "REPLICATION_SLOT=a",
                "REPLICATION_SLOT=b",
                "WEBHOOK_URL=https://a",
                "walroute.hook.marketplace.url=https://b");

        assertThat(problems(NOTHING))
                .containsExactlyInAnyOrder(
                        "REPLICATION_SLOT is set twice (application.properties:1 and application.properties:2). Remove"
                                + " one of them",
                        "WEBHOOK_URL (application.properties:3) and walroute.hook.marketplace.url"
                                + " (application.properties:4) are the same setting with different values. Remove one of"
                                + " them");
    }

    @Test
    void an_empty_value_means_not_set() {
        append("REDIS_URL=", "WAL_SENDER_TIMEOUT=");

        Settings settings = Settings.load(home, Map.of("WEBSOCKET_PORT", "", "WEBHOOK_URL", " "));

        assertThat(settings.redisUrl()).isEmpty();
        assertThat(settings.walSenderTimeout()).isEqualTo(Duration.ofMinutes(1));
        assertThat(settings.websocketPort()).hasValue(3003);
        assertThat(settings.hooks()).isEmpty();
    }

    @Test
    void what_is_not_walroutes_goes_to_camel_untouched() {
        append("camel.main.name = shop", "shop.limit=5", "camel.component.sql.x=ü");

        assertThat(Settings.load(home, Map.of("PATH", "/bin", "CAMEL_MAIN_NAME", "x"))
                        .camel())
                .isEqualTo(Map.of("camel.main.name", "shop", "shop.limit", "5", "camel.component.sql.x", "ü"));
    }

    @Test
    void tables_of_any_name_have_settings() {
        append("walroute.tables=\"Ünï Tabelle\",billing.invoices");
        append("walroute.tables.\"Ünï\\ Tabelle\".cache-ttl=1m", "walroute.tables.billing.invoices.cache-ttl=2m");

        Settings settings = Settings.load(home, Map.of("WALROUTE_TABLES_BILLING_INVOICES_CACHE_TTL", "3m"));

        assertThat(settings.tableSettings()
                        .get(new TableName("public", "Ünï Tabelle"))
                        .cacheTtl())
                .contains(Duration.ofMinutes(1));
        assertThat(settings.tableSettings()
                        .get(new TableName("billing", "invoices"))
                        .cacheTtl())
                .contains(Duration.ofMinutes(3));
    }

    @Test
    void a_receiver_of_the_file_is_found_by_its_name_in_the_environment() {
        append("walroute.hook.My_Partner.url=https://a", "walroute.hook.other.url=https://b");

        Settings settings = Settings.load(
                home, Map.of("WALROUTE_HOOK_MY_PARTNER_SECRET", "x", "WALROUTE_HOOK_OTHER_HEADER_X_URL", "y"));

        assertThat(settings.hooks())
                .isEqualTo(Map.of(
                        "My_Partner", Map.of("url", "https://a", "secret", "x"),
                        "other", Map.of("url", "https://b", "header.x-url", "y")));
    }

    @Test
    void full_identity_by_default_goes_only_with_published_tables() {
        append("walroute.tables=listings,t", "walroute.tables.other.replica-identity=nothing");

        var wanted = Settings.load(home, NOTHING).wantedSetup();

        assertThat(wanted.identities())
                .isEqualTo(Map.of(
                        TableName.parse("listings"),
                        ReplicaIdentity.FULL,
                        TableName.parse("other"),
                        new ReplicaIdentity(ReplicaIdentity.Kind.NOTHING, null)));
        assertThat(wanted.identitiesIfPresent()).isEqualTo(Set.of(TableName.parse("listings")));
    }

    @Test
    void a_missing_database_url_is_told_only_to_who_needs_it() {
        Settings settings = Settings.load(home, NOTHING);

        assertThat(catchThrowableOfType(SettingsException.class, settings::databaseUrl)
                        .problems())
                .containsExactly("DATABASE_URL is not set. Set it in " + home.resolve("application.properties")
                        + " or in the environment: postgresql://user:password@host:5432/database");
    }

    @Test
    void the_home_folder_is_the_option_or_the_variable_or_the_current_folder() {
        Map<String, String> environment = Map.of("WALROUTE_HOME", home.toString());

        assertThat(Settings.home(Path.of("target"), environment))
                .isEqualTo(Path.of("target").toAbsolutePath());
        assertThat(Settings.home(null, environment)).isEqualTo(home);
        assertThat(Settings.home(null, NOTHING)).isEqualTo(Path.of("").toAbsolutePath());
        assertThat(catchThrowableOfType(
                                SettingsException.class, () -> Settings.home(null, Map.of("WALROUTE_HOME", "/no/such")))
                        .problems())
                .containsExactly(
                        "WALROUTE_HOME=/no/such is not a folder. Name the folder that holds application.properties"
                                + " and routes/");
    }

    @Test
    void a_home_folder_in_its_own_file_and_a_broken_file_are_told() throws IOException {
        append("WALROUTE_HOME=/srv");
        assertThat(problems(NOTHING)).singleElement().asString().contains("Set it in the environment");

        Files.write(home.resolve("application.properties"), "REDIS_URL=ü".getBytes(StandardCharsets.ISO_8859_1));
        assertThat(problems(NOTHING)).singleElement().asString().contains("is not UTF-8 text");

        Files.writeString(home.resolve("application.properties"), "walroute.routes=a\\u12");
        assertThat(problems(NOTHING)).singleElement().asString().contains("(application.properties:1)");
    }

    @Test
    void a_program_can_give_settings_beside_file_and_environment() {
        append("REPLICATION_SLOT=from_file");

        Settings settings = Settings.of(home, Map.of("walroute.audit.keep", "1h", "WEBHOOK_URL", "https://a"));

        assertThat(settings.replicationSlot()).isEqualTo("grails_wal_slot");
        assertThat(settings.auditKeep()).isEqualTo(Duration.ofHours(1));
        assertThat(settings.hooks()).isEqualTo(Map.of("marketplace", Map.of("url", "https://a")));
    }

    private List<String> problems(Map<String, String> environment) {
        return catchThrowableOfType(SettingsException.class, () -> Settings.load(home, environment))
                .problems();
    }

    private void append(String... lines) {
        try {
            Files.write(
                    home.resolve("application.properties"),
                    List.of(lines),
                    StandardCharsets.UTF_8,
                    java.nio.file.StandardOpenOption.CREATE,
                    java.nio.file.StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void what_is_said_of_topics_is_kept_by_topic_and_the_environment_changes_only_what_the_file_names() {
        append("walroute.notify.topics.listings.*.authorize=new.a == 'x'", "walroute.notify.topics.a.b.authorize=true");
        append("walroute.notify.topics.a.b.when-slow=close");
        Settings settings = Settings.load(home, Map.of("WALROUTE_NOTIFY_TOPICS_A_B_AUTHORIZE", "false"));
        assertThat(settings.notifyRules()).isEqualTo(Map.of("listings.*", "new.a == 'x'", "a.b", "false"));
        assertThat(settings.notifyCloseSlow()).isEqualTo(Map.of("a.b", true));

        append("walroute.notify.topics.a.b.authorise=true", "walroute.notify.topics.c.when-slow=wait");
        assertThat(problems(Map.of("WALROUTE_NOTIFY_TOPICS_C_D_AUTHORIZE", "true")))
                .anySatisfy(problem -> assertThat(problem)
                        .contains("walroute.notify.topics.a.b.authorise is not a setting")
                        .contains("Did you mean walroute.notify.topics.a.b.authorize?"))
                .anySatisfy(problem -> assertThat(problem)
                        .startsWith("walroute.notify.topics.c.when-slow=wait is neither gap nor close"))
                .anySatisfy(problem -> assertThat(problem)
                        .startsWith("WALROUTE_NOTIFY_TOPICS_C_D_AUTHORIZE names no topic that application.properties"));
    }

    @Test
    void every_secret_can_come_from_a_file_that_the_environment_names() throws IOException {
        Map<String, String> environment = new LinkedHashMap<>();
        Map<Setting, List<String>> all = everySettingChanged();
        for (Setting setting : Setting.values()) {
            if (setting.isSecret()) {
                Path file = home.resolve(setting.name());
                Files.writeString(file, all.get(setting).get(1) + "\n");
                environment.put(all.get(setting).get(2) + "_FILE", file.toString());
            }
        }
        Settings settings = Settings.load(home, environment);
        assertThat(settings.databaseUrl()).isEqualTo(DatabaseUrl.parse("postgresql://u:p@h/d"));
        assertThat(settings.redisUrl()).contains("rediss://:pw@r:1/2");
        assertThat(settings.hooks().get("marketplace")).isEqualTo(Map.of("url", "https://a/", "secret", "whsec_1"));
        assertThat(settings.hooks().get("big-one"))
                .containsOnlyKeys("url", "secret", "header.x-y")
                .containsEntry("secret", "value of HOOK_SECRET");
        assertThat(settings.managementToken()).contains("0123456789abcdef");
        assertThat(settings.auditUrl()).isEqualTo("jdbc:postgresql://h/a");
        assertThat(settings.place("DATABASE_URL")).contains("DATABASE_URL_FILE");
    }

    @Test
    void what_is_wrong_with_a_secrets_file_is_said_without_what_it_holds() throws IOException {
        Files.writeString(home.resolve("url"), "postgresql://u:s3cr3t@h:port/d");
        Files.write(home.resolve("bytes"), new byte[] {(byte) 0xff, (byte) 0xfe});
        var wrong = catchThrowableOfType(
                SettingsException.class,
                () -> Settings.load(
                        home,
                        Map.of(
                                "DATABASE_URL_FILE", home.resolve("url").toString(),
                                "REDIS_URL_FILE", home.resolve("missing").toString(),
                                "WALROUTE_MANAGEMENT_TOKEN_FILE",
                                        home.resolve("bytes").toString(),
                                "WEBHOOK_SECRET", "whsec_1",
                                "WEBHOOK_SECRET_FILE", home.resolve("url").toString())));
        assertThat(wrong.getMessage())
                .contains(
                        "DATABASE_URL has a port",
                        "(DATABASE_URL_FILE)",
                        "REDIS_URL_FILE=" + home.resolve("missing") + " does not exist",
                        "bytes is not UTF-8 text",
                        "WEBHOOK_SECRET_FILE and WEBHOOK_SECRET are both set")
                .doesNotContain("s3cr3t");
    }

    @Test
    void a_hash_without_a_salt_and_a_rule_that_there_is_not_are_said_together() {
        append("walroute.tables.customers.redact.email=hash");
        append("walroute.tables.customers.redact.phone=hide");
        append("walroute.tables.customers.redct.phone=mask");
        var wrong = catchThrowableOfType(SettingsException.class, () -> Settings.load(home, NOTHING));
        assertThat(wrong.getMessage())
                .contains(
                        "walroute.redact.salt is not set", "the rule 'hide'", "walroute.tables.customers.redct.phone");
    }
}
