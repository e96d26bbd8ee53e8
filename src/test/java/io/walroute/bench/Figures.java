package io.walroute.bench;

import io.lettuce.core.RedisClient;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.walroute.demo.EmbeddedServers;
import io.walroute.demo.Marketplace;
import io.walroute.demo.Simulator;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/**
 * The figures that the README states, measured on the packed jar as a process of its own with {@code -Xmx256m}:
 *
 * <pre>
 * mvn -q -DskipTests package
 * java -Xmx256m -cp target/test-classes:target/walroute.jar io.walroute.bench.Figures backlog [CHANGES] [ROUNDS]
 * java -Xmx256m -cp target/test-classes:target/walroute.jar io.walroute.bench.Figures latency [RATE] [SECONDS]
 * </pre>
 *
 * <p>PostgreSQL, Redis and the webhook receiver run beside it on the same machine.
 */
public final class Figures {
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final Pattern DELIVERED =
            Pattern.compile("walroute_(delivered|parked|filtered)_total\\{sink=\"([^\"]+)\"\\} ([0-9.E]+)");
    private static final Pattern HEAP = Pattern.compile("jvm_memory_used_bytes\\{area=\"heap\"[^}]*\\} ([0-9.E]+)");

    private final EmbeddedServers servers;
    private final int management = freePort();
    private final HttpClient http = HttpClient.newHttpClient();

    private Figures(EmbeddedServers servers) {
        this.servers = servers;
    }

    public static void main(String[] args) throws Exception {
        switch (args.length == 0 ? "" : args[0]) {
            case "backlog" -> backlog(number(args, 1, 400_000), number(args, 2, 3));
            case "latency" -> latency(number(args, 1, 500), number(args, 2, 60));
            case "receiver" -> receiver();
            default -> {
                System.err.println("Which figure? backlog [CHANGES] [ROUNDS], or latency [RATE] [SECONDS]");
                System.exit(2);
            }
        }
        System.exit(0);
    }

    private static int number(String[] args, int index, int otherwise) {
        return args.length > index ? Integer.parseInt(args[index]) : otherwise;
    }

    // ---------------------------------------------------------------- backlog

    private static void backlog(int changes, int rounds) throws Exception {
        List<Double> rates = new ArrayList<>();
        for (int round = 1; round <= rounds; round++) {
            try (var servers = new EmbeddedServers().start()) {
                rates.add(new Figures(servers).drain(round, changes));
            }
        }
        rates.sort(null);
        System.out.printf(Locale.ROOT, "median %,.0f changes/s of %d rounds%n", rates.get(rates.size() / 2), rounds);
    }

    private double drain(int round, int changes) throws Exception {
        Process receiver = java("io.walroute.bench.Figures", "receiver");
        int receiverPort = Integer.parseInt(receiver.inputReader().readLine());
        try (Connection c = DriverManager.getConnection(servers.jdbcUrl())) {
            prepare(c);
            Simulator.backlog(c, changes, 42);
            String end = query(c, "SELECT pg_current_wal_lsn()");
            Process service = service(receiverPort);
            try {
                long begin = 0;
                double warmed = 0;
                double heap = 0;
                while (query(c, "SELECT confirmed_flush_lsn >= '" + end + "' FROM pg_replication_slots")
                        .equals("f")) {
                    // Seldom: the page costs the service time that it is measured by.
                    String metrics = metrics();
                    heap = Math.max(heap, heap(metrics));
                    double au = counts(metrics)
                            .getOrDefault("delivered audit", counts(metrics).getOrDefault("delivered cache", 0.0));
                    if (begin == 0 && au >= Integer.getInteger("warm", 1)) {
                        begin = System.nanoTime();
                        warmed = au;
                        new ProcessBuilder("python3", "/tmp/wr/threads.py", "" + service.pid(), "snap")
                                .inheritIO()
                                .start()
                                .waitFor();
                    }
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(begin == 0 ? 50 : 500));
                    if (!service.isAlive()) {
                        throw new IllegalStateException("the service ended with " + service.exitValue());
                    }
                }
                double seconds = (System.nanoTime() - begin) / 1e9;
                new ProcessBuilder("python3", "/tmp/wr/threads.py", "" + service.pid(), "diff")
                        .inheritIO()
                        .start()
                        .waitFor();
                Map<String, Double> counts = counts(metrics());
                double audited =
                        counts.getOrDefault("delivered audit", counts.getOrDefault("delivered cache", 0.0)) - warmed;
                System.out.printf(
                        Locale.ROOT,
                        "round %d: %,.0f changes in %.1f s, %,.0f/s; peak heap %.0f MB; %s%n",
                        round,
                        audited,
                        seconds,
                        audited / seconds,
                        heap / 1e6,
                        counts);
                return audited / seconds;
            } finally {
                stop(service);
            }
        } finally {
            receiver.destroy();
        }
    }

    // ---------------------------------------------------------------- latency

    private static void latency(int rate, int seconds) throws Exception {
        try (var servers = new EmbeddedServers().start()) {
            new Figures(servers).measure(rate, seconds);
        }
    }

    private void measure(int rate, int seconds) throws Exception {
        Process receiver = java("io.walroute.bench.Figures", "receiver");
        int receiverPort = Integer.parseInt(receiver.inputReader().readLine());
        Map<Long, Long> committed = new ConcurrentHashMap<>();
        Map<Long, Long> seen = new ConcurrentHashMap<>();
        try (Connection c = DriverManager.getConnection(servers.jdbcUrl())) {
            prepare(c);
            Process service = service(receiverPort);
            try (var redis = RedisClient.create(servers.redis().url())) {
                redis.connect().sync().configSet("notify-keyspace-events", "KA");
                var events = redis.connectPubSub();
                events.addListener(new RedisPubSubAdapter<>() {
                    @Override
                    public void message(String pattern, String channel, String message) {
                        seen.putIfAbsent(
                                Long.parseLong(channel.substring(channel.lastIndexOf(':') + 1)), System.nanoTime());
                    }
                });
                events.sync().psubscribe("__keyspace@0__:listings:*");
                awaitReady(service);
                int warmUp = rate * 10;
                int total = warmUp + rate * seconds;
                write(c, committed, total, rate);
                for (int i = 0; i < 100 && seen.size() < total; i++) {
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
                }
                // In microseconds; from the commit's due time, so that a stall counts for all who wait behind it.
                Histogram histogram = new ConcurrentHistogram(60_000_000L, 3);
                for (long id = warmUp + 1L; id <= total; id++) {
                    histogram.recordValue(Math.max(0, (seen.get(id) - committed.get(id)) / 1_000));
                }
                System.out.printf(
                        Locale.ROOT,
                        "commit to Redis at %d changes/s, %d s after 10 s of warm-up: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms,"
                                + " max %.1f ms; heap %.0f MB%n",
                        rate,
                        seconds,
                        histogram.getValueAtPercentile(50) / 1e3,
                        histogram.getValueAtPercentile(99) / 1e3,
                        histogram.getValueAtPercentile(99.9) / 1e3,
                        histogram.getMaxValue() / 1e3,
                        heap(metrics()) / 1e6);
            } finally {
                stop(service);
            }
        } finally {
            receiver.destroy();
        }
    }

    /** One row a transaction, at fixed times. */
    private static void write(Connection c, Map<Long, Long> committed, int total, int rate) throws SQLException {
        try (var insert =
                c.prepareStatement("INSERT INTO listings(id, token_id, seller_address, price_wei, currency, status,"
                        + " metadata, created_at, updated_at) VALUES (?, '1', '0x57a1', 1500000000000000000, 'ETH', 'active',"
                        + " '{\"a\": [1, 2, 3]}', now(), now())")) {
            long begin = System.nanoTime();
            for (long id = 1; id <= total; id++) {
                long due = begin + id * 1_000_000_000L / rate;
                while (System.nanoTime() < due) {
                    LockSupport.parkNanos(due - System.nanoTime());
                }
                insert.setLong(1, id);
                insert.executeUpdate();
                committed.put(id, System.nanoTime());
            }
        }
    }

    private void awaitReady(Process service) throws InterruptedException {
        while (true) {
            try {
                if (get("/observe/health/ready").statusCode() == 200) {
                    return;
                }
            } catch (IOException notYet) {
                if (!service.isAlive()) {
                    throw new IllegalStateException("the service ended with " + service.exitValue(), notYet);
                }
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        }
    }

    // ---------------------------------------------------------------- parts

    private static void prepare(Connection c) throws SQLException {
        Marketplace.create(c);
        try (var s = c.createStatement()) {
            s.execute("ALTER TABLE listings REPLICA IDENTITY FULL");
            s.execute("ALTER TABLE ens_names REPLICA IDENTITY FULL");
        }
        Marketplace.publish(c, "grails_publication", "grails_wal_slot");
    }

    private Process service(int receiverPort) throws IOException {
        Path jar = Path.of("target/walroute.jar");
        if (!Files.exists(jar)) {
            throw new IllegalStateException("target/walroute.jar is missing. Run: mvn -q -DskipTests package");
        }
        var builder = new ProcessBuilder(command(jar))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment()
                .putAll(Map.of(
                        "DATABASE_URL",
                        servers.databaseUrl(),
                        "REDIS_URL",
                        servers.redis().url(),
                        "WEBSOCKET_PORT",
                        Integer.toString(freePort()),
                        "MANAGEMENT_PORT",
                        Integer.toString(management),
                        "WEBHOOK_URL",
                        "http://127.0.0.1:" + receiverPort + "/",
                        "WEBHOOK_SECRET",
                        SECRET,
                        "WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS",
                        "127.0.0.0/8",
                        "WALROUTE_AUDIT_URL",
                        "jdbc:sqlite:" + servers.folder().resolve("walroute.db")));
        if (Boolean.getBoolean("cacheonly")) {
            builder.environment().remove("WEBHOOK_URL");
            builder.environment().remove("WEBHOOK_SECRET");
            builder.environment().remove("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS");
            builder.environment().put("WEBSOCKET_PORT", "off");
        }
        return builder.start();
    }

    private static List<String> command(Path jar) {
        List<String> command = new ArrayList<>(List.of(javaCommand(), "-Xmx256m"));
        for (String flag : System.getProperty("jvm", "").split(" ")) {
            if (!flag.isEmpty()) {
                command.add(flag);
            }
        }
        command.addAll(List.of("-jar", jar.toString(), "run"));
        return command;
    }

    private static void stop(Process service) throws InterruptedException {
        service.destroy();
        if (!service.waitFor(20, TimeUnit.SECONDS)) {
            service.destroyForcibly();
        }
    }

    private static Process java(String... args) throws IOException {
        List<String> command =
                new ArrayList<>(List.of(javaCommand(), "-Xmx128m", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(args));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static String javaCommand() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    /** Takes everything; prints its port. Its own process, so that its memory and its garbage aren't the service's. */
    private static void receiver() throws Exception {
        var server = Vertx.vertx()
                .createHttpServer(new HttpServerOptions().setHost("127.0.0.1").setPort(0))
                .requestHandler(request -> request.response().setStatusCode(204).end())
                .listen()
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        System.out.println(server.actualPort());
        Thread.currentThread().join();
    }

    private static Map<String, Double> counts(String metrics) {
        Map<String, Double> counts = new TreeMap<>();
        var matcher = DELIVERED.matcher(metrics);
        while (matcher.find()) {
            double count = Double.parseDouble(matcher.group(3));
            if (count > 0) {
                counts.put(matcher.group(1) + " " + matcher.group(2), count);
            }
        }
        return counts;
    }

    private static double heap(String metrics) {
        double sum = 0;
        var matcher = HEAP.matcher(metrics);
        while (matcher.find()) {
            sum += Double.parseDouble(matcher.group(1));
        }
        return sum;
    }

    private String metrics() {
        try {
            return get("/observe/metrics").body();
        } catch (IOException | InterruptedException notUpYet) {
            return "";
        }
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return http.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management + path))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static String query(Connection c, String sql) throws SQLException {
        try (var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    static int freePort() {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
