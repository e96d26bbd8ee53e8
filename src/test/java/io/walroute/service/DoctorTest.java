package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** {@code doctor} as a user types it: each thing that can be wrong is made wrong, and told with its fix. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DoctorTest {
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out() + rig.cli.err();
    }

    private Map<String, JsonNode> doctor(int exitCode) throws Exception {
        assertThat(walroute("doctor", "--json")).as(out()).isEqualTo(exitCode);
        Map<String, JsonNode> checks = new LinkedHashMap<>();
        for (JsonNode check : ServiceRig.JSON.readTree(out()).path("checks")) {
            List<String> members = new ArrayList<>();
            check.fieldNames().forEachRemaining(members::add);
            assertThat(members).containsExactly("check", "level", "message", "fix");
            assertThat(check.path("fix").isNull())
                    .as(check.toString())
                    .isEqualTo(check.path("level").asText().equals("ok"));
            checks.putIfAbsent(check.path("check").asText(), check);
        }
        return checks;
    }

    private static void assertIs(Map<String, JsonNode> checks, String check, String level, String message, String fix) {
        assertThat(checks).containsKey(check);
        assertThat(checks.get(check).path("level").asText())
                .as(checks.get(check).toString())
                .isEqualTo(level);
        assertThat(checks.get(check).path("message").asText()).contains(message);
        assertThat(checks.get(check).path("fix").asText("")).contains(fix);
    }

    @Test
    void what_is_well_is_told_with_the_service_stopped_and_running() throws Exception {
        Map<String, JsonNode> stopped = doctor(0);

        assertThat(stopped)
                .containsKeys(
                        "database",
                        "server-version",
                        "primary",
                        "wal-level",
                        "replication-privilege",
                        "slots-free",
                        "senders-free",
                        "slot",
                        "publication",
                        "replica-identity",
                        "tables",
                        "redaction",
                        "privileges",
                        "wal-limit",
                        "wal-kept",
                        "transactions",
                        "failover",
                        "clock",
                        "gap",
                        "redis",
                        "redis-policy",
                        "redis-memory",
                        "redis-persistence",
                        "cache",
                        "hook-marketplace",
                        "audit-log",
                        "audit-disk",
                        "port-websocket",
                        "port-management",
                        "routes");
        assertIs(stopped, "wal-limit", "warn", "max_slot_wal_keep_size is not set", "ALTER SYSTEM");
        assertIs(stopped, "cache", "warn", "never filled", "walroute backfill");
        assertIs(stopped, "hook-marketplace", "ok", "no TLS", "");
        assertIs(stopped, "privileges", "ok", "may read", "");
        assertThat(rig.folder.resolve("walroute.db"))
                .as("looking makes nothing")
                .doesNotExist();

        rig.startReady();
        Map<String, JsonNode> running = doctor(0);
        assertIs(running, "port-management", "ok", "while the service runs", "");
        assertIs(running, "audit-log", "ok", "takes writes", "");
        assertIs(running, "slot", "ok", "is read by process", "");

        assertThat(walroute("doctor")).isZero();
        assertThat(out())
                .containsPattern("(?m)^ok    database +postgresql://" + rig.role + "@")
                .containsPattern("(?m)^warn  wal-limit .* Fix: ALTER SYSTEM SET max_slot_wal_keep_size")
                .containsPattern("(?m)^\\d+ ok, \\d+ warn, 0 fail$")
                .doesNotContain("\u001b");
    }

    @Test
    void what_is_wrong_in_the_database_is_told_with_its_fix() throws Exception {
        rig.db.execute(
                "SELECT pg_drop_replication_slot('" + rig.slot + "')",
                "DROP PUBLICATION grails_publication",
                "CREATE TABLE keyless (a int)",
                "CREATE PUBLICATION grails_publication FOR TABLE listings, offers, ens_names, keyless WITH"
                        + " (publish_via_partition_root = true)",
                "ALTER TABLE listings REPLICA IDENTITY DEFAULT",
                "CREATE ROLE weak_" + rig.slot + " LOGIN PASSWORD 'x'",
                "GRANT SELECT ON listings, offers, ens_names, opensea_events TO weak_" + rig.slot);
        rig.environment.put("DATABASE_URL", rig.db.url().replace("postgres:postgres@", "weak_" + rig.slot + ":x@"));
        try {
            Map<String, JsonNode> checks = doctor(1);

            assertIs(checks, "replication-privilege", "fail", "may not replicate", "ALTER ROLE \"weak_");
            assertIs(checks, "slot", "fail", "does not exist", "walroute setup");
            assertIs(checks, "publication", "fail", "does not publish opensea_events", "walroute setup");
            assertIs(checks, "replica-identity", "fail", "listings has replica identity default", "walroute setup");
            assertIs(checks, "tables", "warn", "keyless", "ADD PRIMARY KEY");
            assertIs(checks, "privileges", "fail", "UPDATE", "GRANT ");
            assertIs(checks, "transactions", "warn", "can't see those of others", "GRANT pg_read_all_stats TO");
        } finally {
            rig.db.execute("DROP OWNED BY weak_" + rig.slot, "DROP ROLE weak_" + rig.slot);
        }
    }

    @Test
    void tables_that_are_sent_on_must_be_published() throws Exception {
        rig.db.execute(
                "DROP PUBLICATION grails_publication",
                "CREATE SCHEMA billing",
                "CREATE TABLE billing.invoices (id int PRIMARY KEY)",
                "CREATE TABLE \"Odd\" (id int PRIMARY KEY)",
                "CREATE PUBLICATION grails_publication FOR TABLE listings, offers, ens_names, opensea_events WITH"
                        + " (publish_via_partition_root = true)");
        assertThat(doctor(0)).doesNotContainKey("distribution");

        rig.environment.put("WALROUTE_DISTRIBUTE_PG_NOTIFY_TABLES", "listings,billing.invoices");
        rig.environment.put("WALROUTE_DISTRIBUTE_REDIS_STREAM_TABLES", "\"Odd\"");
        rig.environment.put("WALROUTE_DISTRIBUTE_REDIS_PUBSUB_TABLES", "all");
        String named = "listings,offers,ens_names,opensea_events,billing.invoices,\"public\".\"Odd\"";
        assertIs(
                doctor(0),
                "distribution",
                "warn",
                "walroute.distribute.pg-notify.tables names billing.invoices;"
                        + " walroute.distribute.redis-stream.tables names Odd: not published",
                "set walroute.tables=" + named + ", then: walroute setup");

        rig.environment.put("WALROUTE_TABLES", named);
        Map<String, JsonNode> checks = doctor(1);
        assertThat(checks.get("distribution").path("fix").asText()).isEqualTo("walroute setup");
        rig.asOwner();
        assertThat(walroute("setup")).as(out()).isZero();
        assertIs(doctor(0), "distribution", "ok", "are published", "");
    }

    @Test
    void what_is_wrong_with_the_sinks_is_told_with_its_fix() throws Exception {
        try (var redis = rig.redis()) {
            redis.sync().configSet("maxmemory-policy", "allkeys-lru");
            redis.sync().configSet("save", "");
            redis.sync().hset("_walroute:marker", Map.of("identity", "another's", "backfill", "done"));
        }
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "10.0.0.0/8");
        rig.environment.put("WALROUTE_HOOK_INNER_URL", "https://localhost/h");
        rig.environment.put("WALROUTE_HOOK_INNER_SECRET", ServiceRig.SECRET);
        rig.environment.put("WALROUTE_HOOK_LOST_URL", "https://no-such-host.invalid/h");
        rig.environment.put("WALROUTE_HOOK_LOST_SECRET", ServiceRig.SECRET);

        Map<String, JsonNode> checks = doctor(1);

        assertIs(checks, "redis-policy", "fail", "allkeys-lru", "noeviction");
        assertIs(checks, "redis-persistence", "warn", "none", "appendonly");
        assertIs(checks, "cache", "fail", "another service", "REDIS_URL");
        assertIs(checks, "hook-marketplace", "fail", "none of the allowed networks", "allow-networks");
        assertIs(checks, "hook-inner", "fail", "is not allowed: 127.0.0.1", "walroute.hook.inner.allow-networks");
        assertIs(checks, "hook-lost", "fail", "not known", "walroute.hook.lost.url");

        rig.environment.put("REDIS_URL", "redis://:secret@127.0.0.1:" + ServiceRig.freePort());
        assertIs(doctor(1), "redis", "fail", "does not answer", "REDIS_URL");
        assertThat(out()).doesNotContain("secret@");
    }

    @Test
    void what_is_wrong_on_this_machine_is_told_with_its_fix() throws Exception {
        Path routes = Files.createDirectory(rig.folder.resolve("routes"));
        try (Stream<Path> files = Files.list(Path.of("routes"))) {
            for (Path file : files.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
        Files.writeString(
                routes.resolve("mine.camel.yaml"),
                "- route:\n    id: mine\n    from:\n      uri: direct:mine\n      steps:\n        - to: direct:nowhere\n");
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
        Path file = Files.writeString(rig.folder.resolve("file"), "");
        rig.environment.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + file + "/walroute.db");
        try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            rig.environment.put("WEBSOCKET_PORT", Integer.toString(taken.getLocalPort()));

            Map<String, JsonNode> checks = doctor(1);

            assertIs(checks, "port-websocket", "fail", "can't be taken", "WEBSOCKET_PORT");
            assertIs(checks, "audit-log", "fail", "can't be made", "walroute.audit.url");
            assertIs(checks, "routes", "fail", "mine sends to direct:nowhere", "route");
        }
        Files.writeString(routes.resolve("mine.camel.yaml"), "- route:\n    id: mine\n    form: x\n");
        assertIs(doctor(1), "routes", "fail", "mine.camel.yaml", "mine.camel.yaml");
    }

    @Test
    void a_server_that_takes_connections_and_says_nothing_does_not_hold_it_up() throws Exception {
        try (var silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            rig.environment.put("DATABASE_URL", "postgresql://a:b@127.0.0.1:" + silent.getLocalPort() + "/x");
            rig.environment.put("REDIS_URL", "redis://127.0.0.1:" + silent.getLocalPort());
            rig.environment.put("MANAGEMENT_PORT", Integer.toString(silent.getLocalPort()));

            Map<String, JsonNode> checks = doctor(1);

            assertThat(checks.get("database").path("level").asText()).isEqualTo("fail");
            assertThat(checks.get("redis").path("level").asText()).isEqualTo("fail");
            assertThat(checks).containsKeys("routes", "audit-disk").doesNotContainKey("slot");
        }
    }
}
