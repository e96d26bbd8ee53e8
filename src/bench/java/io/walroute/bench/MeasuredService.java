package io.walroute.bench;

import io.walroute.Walroute;
import io.walroute.demo.EmbeddedServers;
import io.walroute.demo.FreePort;
import io.walroute.demo.Marketplace;
import io.walroute.testing.FaultProxy;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The service as a process of its own with {@code -Xmx256m}, on embedded servers that it reaches by proxies, and its figures. */
final class MeasuredService implements AutoCloseable {
    private static final Pattern HEAP = Pattern.compile("jvm_memory_used_bytes\\{area=\"heap\"[^}]*\\} ([0-9.E]+)");
    private static final Pattern COLLECTED = Pattern.compile("(\\d+)M->(\\d+)M\\(");

    final EmbeddedServers servers = new EmbeddedServers().start();
    final Connection database = DriverManager.getConnection(servers.jdbcUrl());
    final FaultProxy redis = new FaultProxy(servers.redis().port());
    private final int management = FreePort.any();
    private final HttpClient http = HttpClient.newHttpClient();
    private final Path collections = servers.folder().resolve("gc.log");
    private Process process;
    private double peakHeap;

    /** @param ddl run before the slot is made */
    MeasuredService(String... ddl) throws Exception {
        Marketplace.create(database);
        execute(ddl);
        execute("ALTER TABLE listings REPLICA IDENTITY FULL", "ALTER TABLE ens_names REPLICA IDENTITY FULL");
        execute("CREATE PUBLICATION grails_publication FOR ALL TABLES WITH (publish_via_partition_root = true)");
        execute("SELECT pg_create_logical_replication_slot('grails_wal_slot', 'pgoutput')");
    }

    /** Starts it and waits until a change would get through. */
    void start(int receiverPort) throws Exception {
        var builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+ExitOnOutOfMemoryError",
                        "-Xlog:gc:file=" + collections,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Walroute.class.getName(),
                        "run")
                .redirectErrorStream(true)
                .redirectOutput(servers.folder().resolve("service.log").toFile());
        builder.environment()
                .putAll(Map.of(
                        "DATABASE_URL",
                        servers.databaseUrl(),
                        "REDIS_URL",
                        "redis://127.0.0.1:" + redis.port(),
                        "WEBSOCKET_PORT",
                        "0",
                        "MANAGEMENT_PORT",
                        Integer.toString(management),
                        "WEBHOOK_URL",
                        "http://127.0.0.1:" + receiverPort + "/",
                        "WEBHOOK_SECRET",
                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                        "WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS",
                        "127.0.0.0/8",
                        "WALROUTE_AUDIT_URL",
                        "jdbc:sqlite:" + store()));
        process = builder.start();
        while (!isReady()) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
        }
    }

    private boolean isReady() throws Exception {
        return get("/observe/health/ready").map(r -> r.statusCode() == 200).orElse(false);
    }

    private Path store() {
        return servers.folder().resolve("walroute.db");
    }

    /** One line of figures; also keeps the largest heap seen. */
    String sample() throws Exception {
        double heap = HEAP.matcher(
                        get("/observe/metrics").map(HttpResponse::body).orElse(""))
                .results()
                .mapToDouble(found -> Double.parseDouble(found.group(1)))
                .sum();
        peakHeap = Math.max(peakHeap, heap);
        return String.format(
                Locale.ROOT,
                "heap %.0f MB, slot lag %,d bytes, audited %,d, dead letters %s",
                heap / 1e6,
                lagBytes(),
                count("SELECT coalesce(max(seq), 0) FROM audit_log"),
                deadLetters());
    }

    /** As {@code -Xlog:gc} tells: the most in use at all, and the most that a collection left. */
    String heap() throws IOException {
        List<MatchResult> found =
                COLLECTED.matcher(Files.readString(collections)).results().toList();
        int before =
                found.stream().mapToInt(r -> Integer.parseInt(r.group(1))).max().orElse(0);
        int after =
                found.stream().mapToInt(r -> Integer.parseInt(r.group(2))).max().orElse(0);
        return String.format(
                Locale.ROOT,
                "peak heap %d MB (sampled %.0f MB), at most %d MB after a collection, %d collections, of 256 MB",
                before,
                peakHeap / 1e6,
                after,
                found.size());
    }

    /** What is really held: collects first. In MB. */
    String liveHeap() throws IOException, InterruptedException {
        Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        new ProcessBuilder(jcmd.toString(), Long.toString(process.pid()), "GC.run")
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
        List<MatchResult> found =
                COLLECTED.matcher(Files.readString(collections)).results().toList();
        return found.get(found.size() - 1).group(2) + " MB live";
    }

    long lagBytes() throws SQLException {
        return Long.parseLong(query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint"
                + " FROM pg_replication_slots WHERE slot_name = 'grails_wal_slot'"));
    }

    long count(String sql) throws SQLException {
        try (var c = DriverManager.getConnection("jdbc:sqlite:" + store());
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            return rows.getLong(1);
        }
    }

    String deadLetters() throws SQLException {
        var text = new StringBuilder();
        try (var c = DriverManager.getConnection("jdbc:sqlite:" + store());
                var s = c.createStatement();
                var rows = s.executeQuery("SELECT sink, count(*) FROM dead_letters GROUP BY sink ORDER BY sink")) {
            while (rows.next()) {
                text.append(String.format(Locale.ROOT, "%s %,d ", rows.getString(1), rows.getLong(2)));
            }
        }
        return text.isEmpty() ? "none" : text.toString().strip();
    }

    void execute(String... statements) throws SQLException {
        Ground.execute(database, statements);
    }

    String query(String sql) throws SQLException {
        return Ground.query(database, sql);
    }

    private java.util.Optional<HttpResponse<String>> get(String path) throws Exception {
        if (!process.isAlive()) {
            throw new IllegalStateException("the service ended with " + process.exitValue() + ": "
                    + Files.readString(servers.folder().resolve("service.log")));
        }
        try {
            return java.util.Optional.of(http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management + path))
                            .build(),
                    HttpResponse.BodyHandlers.ofString()));
        } catch (IOException notYet) {
            return java.util.Optional.empty();
        }
    }

    @Override
    public void close() throws Exception {
        if (process != null) {
            process.destroy();
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        }
        database.close();
        redis.close();
        servers.close();
    }
}
