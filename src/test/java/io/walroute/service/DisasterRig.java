package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.admin.Health;
import io.walroute.cli.EntryPoints.ResetOptions;
import io.walroute.cli.EntryPoints.ResetResult;
import io.walroute.demo.Marketplace;
import io.walroute.demo.PostgresServer;
import io.walroute.demo.TemporaryFolder;
import io.walroute.settings.Settings;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.PostgresVersion;
import io.walroute.testing.ReadmeRole;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A service with the repository's routes before servers of its own, which may be stopped, copied, put back and exchanged. It
 * reaches them through one address, as by a virtual IP, as the role that README shows. Without Redis and receivers: the audit log tells what arrived.
 */
final class DisasterRig implements AutoCloseable {
    static final String SLOT = "grails_wal_slot";
    private static final Map<String, String> SETTINGS = Map.of(
            "wal_level", "logical",
            "fsync", "off",
            "shared_buffers", "16MB",
            "max_wal_senders", "8",
            "max_replication_slots", "4",
            "wal_sender_timeout", "10s");

    final Path folder = Files.createTempDirectory("walroute-disaster-");
    final Map<String, String> environment = new LinkedHashMap<>();
    final FaultProxy address;
    final Server primary;
    private final List<Server> servers = new ArrayList<>();
    private final PostgresVersion version;
    private Service service;

    DisasterRig(Map<String, String> more) throws Exception {
        this(null, more);
    }

    /** @param version null for the newest */
    DisasterRig(PostgresVersion version, Map<String, String> more) throws Exception {
        this.version = version;
        primary = server(more);
        address = new FaultProxy(primary.port());
        try (Connection c = primary.connect()) {
            Marketplace.create(c);
        }
        primary.execute(ReadmeRole.sql("walroute").toArray(String[]::new));
        primary.execute(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES WITH (publish_via_partition_root = true)");
        environment.put("DATABASE_URL", "postgresql://walroute:secret@127.0.0.1:" + address.port() + "/postgres");
        environment.put("WEBSOCKET_PORT", "off");
        environment.put("MANAGEMENT_PORT", "off");
        environment.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + folder.resolve("walroute.db"));
        environment.put("HEARTBEAT_INTERVAL", "1000");
    }

    Server server(Map<String, String> more) throws IOException {
        var settings = new LinkedHashMap<>(SETTINGS);
        settings.putAll(more);
        Path home = folder.resolve("server" + servers.size());
        var server = new Server(
                version == null ? PostgresServer.start(home, settings) : version.start(home, settings),
                home.resolve("data"));
        servers.add(server);
        return server;
    }

    String storeInDatabase() {
        return "jdbc:postgresql://127.0.0.1:" + address.port() + "/postgres?user=walroute&password=secret";
    }

    Settings settings() {
        return Settings.load(Path.of("").toAbsolutePath(), environment);
    }

    void createSlot() throws SQLException {
        primary.execute("SELECT pg_create_logical_replication_slot('" + SLOT + "', 'pgoutput')");
    }

    DisasterRig start() {
        service = Service.start(settings(), false);
        return this;
    }

    DisasterRig startReady() {
        start();
        awaitReady();
        return this;
    }

    void awaitReady() {
        await().atMost(Duration.ofSeconds(40))
                .untilAsserted(() -> assertThat(service.health().report())
                        .satisfies(report -> assertThat(report.isReady())
                                .as(report.toString())
                                .isTrue()));
    }

    void stop() {
        if (service != null) {
            service.close();
            service = null;
        }
    }

    Service service() {
        return service;
    }

    /** A WebSocket client that goes on since a position. */
    ServiceRig.Client subscribe(String topic, String since) throws Exception {
        return ServiceRig.Client.connect(
                service,
                "{\"type\":\"subscribe\",\"id\":\"s1\",\"topic\":\"" + topic + "\",\"since\":\"" + since + "\"}");
    }

    /** The part of the health report that speaks of the slot. */
    Health.Check wal() {
        return service.health().report().checks().stream()
                .filter(check -> check.name().equals("wal"))
                .findFirst()
                .orElseThrow();
    }

    String awaitGap() {
        await().atMost(Duration.ofSeconds(40)).untilAsserted(() -> {
            assertThat(wal().message()).startsWith("Gap: ");
            assertThat(wal().status()).isEqualTo(Health.Status.DOWN);
        });
        return wal().message();
    }

    ResetResult acceptGap() throws Exception {
        return Commands.slots().reset(settings(), new ResetOptions(true, false, false), plan -> {});
    }

    /** Waits until the listing is in the audit log. */
    JsonNode awaitAudited(int id) {
        await("listing " + id)
                .atMost(Duration.ofSeconds(40))
                .until(() -> audit().stream().anyMatch(event -> idOf(event) == id));
        return audit().stream().filter(event -> idOf(event) == id).findFirst().orElseThrow();
    }

    static int idOf(JsonNode event) {
        return event.path("key").path("id").asInt();
    }

    List<JsonNode> audit() {
        List<JsonNode> events = new ArrayList<>();
        for (String json : store("SELECT event FROM audit_log ORDER BY seq")) {
            try {
                events.add(ServiceRig.JSON.readTree(json));
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }
        return events;
    }

    List<String> store(String sql) {
        try (var c = DriverManager.getConnection(environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return values;
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The slot moves only to where the store says that it may, whenever one looks. */
    boolean slotIsCovered(Server server) throws SQLException {
        String confirmed =
                server.query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + SLOT + "'");
        String noted = store("SELECT lsn FROM walroute_slot").get(0);
        return server.query("SELECT '" + confirmed + "'::pg_lsn <= '" + noted + "'::pg_lsn")
                .equals("t");
    }

    static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + output);
        }
    }

    /** One PostgreSQL server. */
    static final class Server {
        final PostgresServer postgres;
        final Path data;

        Server(PostgresServer postgres, Path data) {
            this.postgres = postgres;
            this.data = data;
        }

        int port() {
            return postgres.port();
        }

        Connection connect() throws SQLException {
            return DriverManager.getConnection(postgres.jdbcUrl("postgres"));
        }

        void execute(String... statements) throws SQLException {
            try (Connection connection = connect();
                    var statement = connection.createStatement()) {
                for (String sql : statements) {
                    statement.execute(sql);
                }
            }
        }

        String query(String sql) throws SQLException {
            try (Connection connection = connect();
                    var statement = connection.createStatement();
                    var row = statement.executeQuery(sql)) {
                return row.next() ? row.getString(1) : null;
            }
        }

        void insert(int... ids) throws SQLException {
            for (int id : ids) {
                execute("INSERT INTO listings(id, price_wei) VALUES (" + id + ", " + id + ")");
            }
        }

        /** Stops, copies the whole data folder, and starts again. */
        void copyTo(Path copy) throws Exception {
            postgres.stop("fast");
            run("rm", "-rf", copy.toString());
            run("cp", "-a", data.toString(), copy.toString());
            postgres.start();
        }

        /** Puts a copy in place of what is there. */
        void restoreFrom(Path copy) throws Exception {
            postgres.stop("immediate");
            run("rm", "-rf", data.toString());
            run("cp", "-a", copy.toString(), data.toString());
            postgres.start();
        }

        /** Becomes a standby of the server that the copy was made of, which its settings name. */
        void followFrom(Path copy) throws Exception {
            postgres.stop("fast");
            run("rm", "-rf", data.toString());
            run("cp", "-a", copy.toString(), data.toString());
            run("sh", "-c", "rm -rf " + data + "/pg_replslot/*");
            run(
                    "cp",
                    "-p",
                    data.resolve("PG_VERSION").toString(),
                    data.resolve("standby.signal").toString());
            postgres.start();
        }
    }

    @Override
    public void close() throws Exception {
        try {
            stop();
            address.close();
        } finally {
            for (Server server : servers) {
                server.postgres.close();
            }
            TemporaryFolder.delete(folder);
        }
    }
}
