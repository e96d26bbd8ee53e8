package io.walroute.service;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.walroute.Walroute;
import io.walroute.demo.Marketplace;
import io.walroute.settings.Settings;
import io.walroute.testing.Postgres;
import io.walroute.testing.ReadmeRole;
import io.walroute.testing.Receiver;
import io.walroute.testing.Redis;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;

/**
 * The whole service with the repository's own {@code routes/}, on a marketplace database of its own, its own Redis and webhook
 * receiver, all on free ports. It logs in as the role that README shows; what a test does to the database ({@link #db}) it does as
 * the superuser.
 */
final class ServiceRig implements AutoCloseable {
    static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    static final ObjectMapper JSON = new ObjectMapper();

    final Postgres.Database db = Postgres.newDatabase();
    final String slot = "slot_" + db.name();
    final String role;
    final Receiver receiver = Receiver.start();
    final Map<String, String> environment = new LinkedHashMap<>();
    /** The commands with this rig's settings. */
    final InProcessCli cli = new InProcessCli(environment);

    final Path folder;
    final int managementPort = freePort();
    Redis redis = Redis.start();
    private RedisClient redisClient;
    private final List<Process> processes = new ArrayList<>();
    private Service service;

    ServiceRig(String... ddl) throws Exception {
        folder = Files.createTempDirectory("walroute-test");
        try (var c = db.connect()) {
            Marketplace.create(c);
        }
        db.execute("ALTER TABLE listings REPLICA IDENTITY FULL", "ALTER TABLE ens_names REPLICA IDENTITY FULL");
        db.execute(ddl);
        db.execute(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES WITH (publish_via_partition_root = true)",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
        role = ReadmeRole.create(db);
        environment.put("DATABASE_URL", ReadmeRole.url(db, role));
        environment.put("REPLICATION_SLOT", slot);
        environment.put("REDIS_URL", redis.url());
        environment.put("WEBSOCKET_PORT", "0");
        environment.put("MANAGEMENT_PORT", Integer.toString(managementPort));
        environment.put("WEBHOOK_URL", receiver.url().toString());
        environment.put("WEBHOOK_SECRET", SECRET);
        environment.put("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
        environment.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + folder.resolve("walroute.db"));
        environment.put("HEARTBEAT_INTERVAL", "2000");
    }

    /** From now on commands, and a service that is started, log in as the tables' owner: setup, load and simulate need that. */
    ServiceRig asOwner() {
        environment.put("DATABASE_URL", db.url());
        return this;
    }

    ServiceRig start() {
        service = Service.start(Settings.load(Path.of("").toAbsolutePath(), environment), false);
        return this;
    }

    /** As {@code dev} starts it, on a copy of the routes that a test may edit. */
    ServiceRig startReloading(Path routes) {
        environment.put("WALROUTE_ROUTES", routes.toString());
        service = Service.start(Settings.load(Path.of("").toAbsolutePath(), environment), true);
        awaitReady();
        return this;
    }

    private void awaitReady() {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> service.health().report().isReady());
    }

    /** Starts and waits until a change would get through. */
    ServiceRig startReady() {
        start();
        awaitReady();
        return this;
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

    /** A command as a process of its own, with {@code -Xmx256m} and this rig's settings; killed by {@link #close} if it still runs. */
    Process process(Path output, String... command) throws IOException {
        List<String> java = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                Walroute.class.getName()));
        java.addAll(List.of(command));
        var builder = new ProcessBuilder(java).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    /** A dead service's walsender may outlive it for a moment. */
    private void endProcesses() {
        if (processes.isEmpty()) {
            return;
        }
        processes.forEach(process -> process.destroyForcibly().onExit().join());
        await().until(() -> "f"
                .equals(db.query("SELECT coalesce(bool_or(active), false) FROM pg_replication_slots WHERE slot_name = '"
                        + slot + "'")));
    }

    /** How many changes a sink has taken, as its meter says. */
    double delivered(String sink) {
        var counter =
                service.meters().find("walroute.delivered").tag("sink", sink).counter();
        return counter == null ? 0 : counter.count();
    }

    // ---------------------------------------------------------------- what arrived

    StatefulRedisConnection<String, String> redis() {
        if (redisClient == null) {
            redisClient = RedisClient.create(redis.url());
        }
        return redisClient.connect();
    }

    /** Rows of the audit log as JSON events, in seq order. */
    List<JsonNode> audit() {
        return store("SELECT event FROM audit_log ORDER BY seq");
    }

    List<JsonNode> deadLetters(String sink) {
        return store("SELECT event FROM dead_letters WHERE sink = '" + sink + "' ORDER BY seq, id");
    }

    long count(String table) {
        try (var c = DriverManager.getConnection(environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement();
                var rows = s.executeQuery("SELECT count(*) FROM " + table)) {
            return rows.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private List<JsonNode> store(String sql) {
        try (var c = DriverManager.getConnection(environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            List<JsonNode> events = new ArrayList<>();
            while (rows.next()) {
                events.add(JSON.readTree(rows.getString(1)));
            }
            return events;
        } catch (SQLException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    boolean slotHasConfirmed(String lsn) {
        return "t"
                .equals(db.query("SELECT confirmed_flush_lsn >= '" + lsn + "'::pg_lsn FROM pg_replication_slots WHERE"
                        + " slot_name = '" + slot + "'"));
    }

    String walPosition() {
        return db.query("SELECT pg_current_wal_lsn()");
    }

    HttpResponse<String> management(String path) throws Exception {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + path))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
    }

    /** A WebSocket client with the subscription given, once it is live. */
    Client subscribe(String topic, String filter) throws Exception {
        return Client.connect(
                service,
                "{\"type\":\"subscribe\",\"id\":\"s1\",\"topic\":\"" + topic + "\",\"filter\":" + filter + "}");
    }

    static final class Client implements WebSocket.Listener {
        final List<JsonNode> frames = new CopyOnWriteArrayList<>();
        private final StringBuilder text = new StringBuilder();
        private WebSocket socket;

        /** Sends the subscription, and waits until it is live. */
        static Client connect(Service service, String subscription) throws Exception {
            var client = new Client();
            client.socket = HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .buildAsync(
                            URI.create(
                                    "ws://127.0.0.1:" + service.websocketPort().getAsInt() + "/ws"),
                            client)
                    .get();
            client.socket.sendText(subscription, true).get();
            await().until(() -> client.ofType("subscribed").size() == 1);
            return client;
        }

        @Override
        public CompletionStage<?> onText(WebSocket webSocket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                try {
                    frames.add(JSON.readTree(text.toString()));
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
                text.setLength(0);
            }
            webSocket.request(1);
            return CompletableFuture.completedStage(null);
        }

        List<JsonNode> ofType(String type) {
            return frames.stream()
                    .filter(f -> f.path("type").asText().equals(type))
                    .toList();
        }

        void close() {
            socket.abort();
        }
    }

    static int freePort() {
        try (var socket = new java.net.ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() throws IOException {
        stop();
        endProcesses();
        if (redisClient != null) {
            redisClient.shutdown();
        }
        receiver.close();
        redis.close();
        db.query("SELECT pg_drop_replication_slot('" + slot + "') FROM pg_replication_slots WHERE slot_name = '" + slot
                + "' AND NOT active");
        ReadmeRole.drop(db, role);
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
