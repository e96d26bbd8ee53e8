package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vertx.core.Vertx;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.walroute.demo.Marketplace;
import io.walroute.demo.PostgresServer;
import io.walroute.demo.TemporaryFolder;
import io.walroute.settings.DatabaseUrl;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.testing.Redis;
import io.walroute.testing.TestCa;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A PostgreSQL that takes TLS only (and, for one role, a client certificate only), and a Redis behind TLS. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class TlsTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    static Path folder;

    private static Path serverFolder;
    private static PostgresServer server;
    private static TestCa ca;
    private static TestCa otherCa;
    private static TestCa.Identity client;

    @TempDir
    Path home;

    @BeforeAll
    static void start() throws Exception {
        ca = new TestCa(folder, "right");
        otherCa = new TestCa(folder, "wrong");
        TestCa.Identity identity = ca.issue("localhost", "dns:localhost");
        client = ca.issue("tls_role", null);
        serverFolder = Files.createTempDirectory("walroute-test-tls");
        server = PostgresServer.start(
                serverFolder,
                Map.of("wal_level", "logical", "fsync", "off", "max_wal_senders", "8", "max_replication_slots", "8"));
        server.createDatabase("shop");
        admin("CREATE ROLE tls_role LOGIN REPLICATION PASSWORD 'pw'");
        try (var c = DriverManager.getConnection(server.jdbcUrl("shop"))) {
            Marketplace.create(c);
        }
        admin(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES WITH (publish_via_partition_root = true)",
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO tls_role");
        Path data = serverFolder.resolve("data");
        var owner = Files.getOwner(data);
        for (var file : Map.of(
                        "server.crt", identity.certificate(), "server.key", identity.key(), "ca.crt", ca.certificate())
                .entrySet()) {
            Path copy = Files.copy(file.getValue(), data.resolve(file.getKey()));
            Files.setOwner(copy, owner);
            Files.setPosixFilePermissions(copy, java.nio.file.attribute.PosixFilePermissions.fromString("rw-------"));
        }
        Files.writeString(
                data.resolve("pg_hba.conf"),
                "hostssl all tls_role all cert\nhostssl all postgres all scram-sha-256\n"
                        + "hostnossl all postgres all reject\n");
        admin("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()");
        await().atMost(SOON).until(() -> !connects("sslmode=disable", "localhost"));
    }

    @AfterAll
    static void stop() throws Exception {
        server.close();
        TemporaryFolder.delete(serverFolder);
    }

    private static void admin(String... statements) throws SQLException {
        try (var c = DriverManager.getConnection(server.jdbcUrl("shop"));
                var s = c.createStatement()) {
            for (String sql : statements) {
                s.execute(sql);
            }
        }
    }

    private static String query(String sql) throws SQLException {
        try (var c = DriverManager.getConnection(server.jdbcUrl("shop"));
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            return rows.next() ? rows.getString(1) : null;
        }
    }

    private static String url(String login, String host, String parameters) {
        return "postgresql://" + login + "@" + host + ":" + server.port() + "/shop?" + parameters;
    }

    private static boolean connects(String parameters, String host) {
        try (var c =
                DatabaseUrl.parse(url("postgres:postgres", host, parameters)).connect()) {
            return c.isValid(5);
        } catch (SQLException e) {
            return false;
        }
    }

    @Test
    void each_sslmode_trusts_whom_it_says() {
        String right = "&sslrootcert=" + ca.certificate();
        String wrong = "&sslrootcert=" + otherCa.certificate();
        assertThat(connects("sslmode=disable", "localhost")).as("disable").isFalse();
        assertThat(connects("sslmode=allow", "localhost")).as("allow").isTrue();
        assertThat(connects("sslmode=prefer", "localhost")).as("prefer").isTrue();
        assertThat(connects("sslmode=require", "localhost")).as("require").isTrue();
        assertThat(connects("sslmode=verify-ca" + wrong, "localhost"))
                .as("verify-ca, wrong CA")
                .isFalse();
        assertThat(connects("sslmode=verify-ca" + right, "127.0.0.1"))
                .as("verify-ca, other name")
                .isTrue();
        assertThat(connects("sslmode=verify-full" + right, "127.0.0.1"))
                .as("verify-full, other name")
                .isFalse();
        assertThat(connects("sslmode=verify-full" + right, "localhost"))
                .as("verify-full")
                .isTrue();
    }

    private Settings settings(String databaseUrl, String... more) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("DATABASE_URL", databaseUrl);
        values.put("walroute.routes", Path.of("routes").toAbsolutePath().toString());
        values.put("WEBSOCKET_PORT", "off");
        values.put("MANAGEMENT_PORT", "off");
        values.put("HEARTBEAT_INTERVAL", "2000");
        for (int i = 0; i < more.length; i += 2) {
            values.put(more[i], more[i + 1]);
        }
        return Settings.of(home, values);
    }

    private void awaitReady(Service service) {
        await().atMost(SOON).until(() -> service.health().report().isReady());
    }

    @Test
    void every_connection_of_the_service_shows_its_client_certificate_and_checks_the_servers() throws Exception {
        for (String key : new String[] {
            "sslcert=" + client.certificate() + "&sslkey=" + client.pkcs8(),
            "sslkey=" + client.pkcs12() + "&sslpassword=changeit"
        }) {
            admin("SELECT pg_create_logical_replication_slot('grails_wal_slot', 'pgoutput')");
            try (var service = Service.start(
                    settings(
                            url(
                                    "tls_role",
                                    "localhost",
                                    "sslmode=verify-full&sslrootcert=" + ca.certificate() + "&" + key),
                            "walroute.audit.url",
                            "jdbc:sqlite:" + home.resolve(key.hashCode() + ".db")),
                    false)) {
                awaitReady(service);
                assertThat(
                                query(
                                        "SELECT string_agg(DISTINCT a.backend_type || ' ' || s.ssl || ' ' || s.client_dn, ', ')"
                                                + " FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'tls_role'"))
                        .contains("walsender true /CN=tls_role")
                        .doesNotContain("false");
            }
            await().atMost(SOON).until(() -> "f".equals(query("SELECT active FROM pg_replication_slots")));
            admin("SELECT pg_drop_replication_slot('grails_wal_slot')");
        }
    }

    @Test
    void a_server_that_the_wrong_authority_vouches_for_gets_nothing_and_health_says_why() throws Exception {
        try (var service = Service.start(
                settings(url(
                        "postgres:postgres", "localhost", "sslmode=verify-full&sslrootcert=" + otherCa.certificate())),
                false)) {
            await().atMost(SOON)
                    .until(() ->
                            service.health().report().toString().toLowerCase().contains("certif"));
            assertThat(service.health().report().isReady()).isFalse();
        }
    }

    @Test
    void redis_is_reached_by_tls_as_an_acl_user_and_only_if_the_given_authority_vouches_for_it() throws Exception {
        TestCa.Identity identity = ca.issue("redis", "dns:localhost");
        Vertx vertx = Vertx.vertx();
        admin("SELECT pg_create_logical_replication_slot('tls_redis', 'pgoutput')");
        try (var redis = Redis.start()) {
            var admin = io.lettuce.core.RedisClient.create(redis.url());
            var commands = admin.connect().sync();
            commands.aclSetuser(
                    "walroute",
                    io.lettuce.core.AclSetuserArgs.Builder.on()
                            .addPassword("pw")
                            .keyPattern("*")
                            .allCommands());
            int port = tlsInFrontOf(vertx, redis.port(), identity);
            String url = "rediss://walroute:pw@localhost:" + port;
            String database = url("postgres:postgres", "localhost", "sslmode=require");
            try (var service = Service.start(
                    settings(
                            database,
                            "REPLICATION_SLOT",
                            "tls_redis",
                            "REDIS_URL",
                            url,
                            "walroute.cache.ca-file",
                            ca.certificate().toString()),
                    false)) {
                awaitReady(service);
                admin("INSERT INTO listings(id) VALUES (1)");
                await().atMost(SOON).until(() -> commands.get("listings:1") != null);
            }
            try (var service = Service.start(
                    settings(
                            database,
                            "REPLICATION_SLOT",
                            "tls_redis",
                            "REDIS_URL",
                            url,
                            "walroute.cache.ca-file",
                            otherCa.certificate().toString()),
                    false)) {
                await().atMost(SOON)
                        .until(() -> service.health().report().toString().contains("Redis at localhost:"));
                admin("INSERT INTO listings(id) VALUES (2)");
                await().atMost(SOON).until(() -> service.health().report().isReady());
                assertThat(commands.get("listings:2")).isNull();
            }
            admin.shutdown();
            await().atMost(SOON).until(() -> "f".equals(query("SELECT active FROM pg_replication_slots")));
        } finally {
            vertx.close().toCompletionStage().toCompletableFuture().join();
            admin("SELECT pg_drop_replication_slot('tls_redis')");
        }
    }

    @Test
    void a_file_that_holds_no_certificate_stops_the_start() throws Exception {
        Path empty = Files.writeString(home.resolve("empty.pem"), "nothing");
        assertThatThrownBy(() -> Service.start(
                        settings(
                                url("postgres:postgres", "localhost", "sslmode=require"),
                                "REDIS_URL",
                                "rediss://localhost:1",
                                "walroute.cache.ca-file",
                                empty.toString()),
                        false))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("walroute.cache.ca-file");
    }

    /** @return the port that it listens on */
    static int tlsInFrontOf(Vertx vertx, int port, TestCa.Identity identity) {
        var options = new NetServerOptions()
                .setSsl(true)
                .setKeyCertOptions(new PemKeyCertOptions()
                        .setCertPath(identity.certificate().toString())
                        .setKeyPath(identity.key().toString()));
        var plain = vertx.createNetClient();
        return vertx.createNetServer(options)
                .connectHandler(in -> {
                    in.pause();
                    plain.connect(port, "127.0.0.1")
                            .onFailure(failure -> in.close())
                            .onSuccess(out -> {
                                in.handler(out::write);
                                out.handler(in::write);
                                in.closeHandler(closed -> out.close());
                                out.closeHandler(closed -> in.close());
                                in.resume();
                            });
                })
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join()
                .actualPort();
    }
}
