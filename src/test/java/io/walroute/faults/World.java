package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.demo.FreePort;
import io.walroute.demo.PostgresServer;
import io.walroute.demo.RedisServer;
import io.walroute.demo.TemporaryFolder;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.ReadmeRole;
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
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * PostgreSQL, Redis, a webhook receiver and a WebSocket client, with the service as a process of its own between them and a
 * proxy on each of its connections that can break. The servers live on from cell to cell; database, slot, routes and audit log
 * are each cell's own.
 */
final class World implements AutoCloseable, Oracle.Evidence {
    private static final Duration LONG = Duration.ofSeconds(120);
    private static final String TOKEN = "token-of-the-kill-matrix-0123456789abcdef";

    private final Path folder = Files.createTempDirectory("walroute-faults-");
    private final PostgresServer postgres;
    private final int redisPort = FreePort.any();
    private final List<String> redisOptions;
    private RedisServer redisServer;
    private RedisClient redisClient;
    private StatefulRedisConnection<String, String> redisConnection;

    final FaultProxy toPostgres;
    final FaultProxy toRedis;
    private int cells;

    // Of one cell:
    private String database;
    private Path cell;
    Ledger ledger;
    FaultProxy toReceiver;
    private final Map<Wish, Follower> followers = new LinkedHashMap<>();
    Workload workload;
    ServiceProcess service;
    private Map<String, String> environment;
    private int starts;
    private List<String> jvmOptions;

    World(boolean redisKeepsItsData) throws IOException {
        postgres = PostgresServer.start(
                folder.resolve("postgres"),
                Map.of(
                        "wal_level", "logical",
                        "max_replication_slots", "20",
                        "max_wal_senders", "20",
                        "max_connections", "100",
                        "fsync", "off",
                        "synchronous_commit", "on",
                        "shared_buffers", "64MB"));
        try (Connection c = DriverManager.getConnection(postgres.jdbcUrl("postgres"));
                var s = c.createStatement()) {
            for (String sql : ReadmeRole.sqlWithoutTables("walroute")) {
                s.execute(sql);
            }
        } catch (SQLException e) {
            throw new IOException(e);
        }
        redisOptions = redisKeepsItsData
                ? List.of("--appendonly", "yes", "--appendfsync", "always")
                : List.of("--appendonly", "no");
        startRedis();
        toPostgres = new FaultProxy(postgres.port());
        toRedis = new FaultProxy(redisPort);
    }

    // ---------------------------------------------------------------- one cell

    /** Everything new and empty, and the service ready. */
    void begin(long seed, Set<Fault> faults) throws Exception {
        begin(seed, faults, 0, List.of(Wish.ALL));
    }

    /**
     * The same with other clients, and with so many rows in each table that the slot knows nothing of, and entries of rows
     * that are gone.
     */
    void begin(long seed, Set<Fault> faults, int oldRows, List<Wish> wishes) throws Exception {
        jvmOptions = faults.stream().anyMatch(Fault::movesTheClock) ? ClockAgent.jvmOptions(folder) : List.of();
        cell = Files.createDirectories(folder.resolve("cell" + ++cells));
        database = "cell" + cells;
        starts = 0;
        postgres.createDatabase(database);
        redis().flushall();
        try (Connection c = database()) {
            Workload.create(c, oldRows);
        }
        // As README says of tables that are added; what is done to them, the workload does as their owner.
        execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO walroute");
        for (int gone = 1; gone <= (oldRows > 0 ? 5 : 0); gone++) {
            redis().set(
                            "f_full:" + (1_000_000 + gone),
                            "{\"id\":" + (1_000_000 + gone)
                                    + ",\"n\":0,\"v\":\"gone\",\"_version\":\"00000001-0000000000000001-00000000\"}");
        }
        execute(
                "SELECT pg_create_logical_replication_slot('" + slot() + "', 'pgoutput')",
                "SELECT pg_create_logical_replication_slot('" + oracleSlot() + "', 'pgoutput')");
        ledger = new Ledger();
        toReceiver = new FaultProxy(ledger.port());
        workload = new Workload(postgres.jdbcUrl(database), seed, oldRows);
        environment = environment();
        environment.put("WALROUTE_ROUTES", routes(wishes).toString());
        // Short where it is to strike: a loaded machine alone is slow enough for a false alarm.
        environment.put("WAL_SENDER_TIMEOUT", faults.contains(Fault.NETWORK_BLACK_HOLE) ? "3000" : "30000");
        followers.clear();
        startService();
        int port = Integer.parseInt(environment.get("WEBSOCKET_PORT"));
        wishes.forEach(wish -> followers.put(wish, new Follower(port, wish)));
        await().until(() -> followers.values().stream().allMatch(Follower::isLive));
    }

    private Map<String, String> environment() throws IOException {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("DATABASE_URL", "postgresql://walroute:secret@127.0.0.1:" + toPostgres.port() + "/" + database);
        env.put("REPLICATION_SLOT", slot());
        env.put("REDIS_URL", "redis://127.0.0.1:" + toRedis.port());
        env.put("WEBSOCKET_PORT", Integer.toString(FreePort.any()));
        env.put("MANAGEMENT_PORT", Integer.toString(FreePort.any()));
        env.put("WEBHOOK_URL", "http://127.0.0.1:" + toReceiver.port() + "/hooks");
        env.put("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        env.put("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
        env.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + cell.resolve("walroute.db"));
        env.put("HEARTBEAT_INTERVAL", "1000");
        env.put("WALROUTE_MANAGEMENT_TOKEN", TOKEN);
        env.put("CLOCK_OFFSET_FILE", clockFile().toString());
        return env;
    }

    /** The repository's routes, one for each of the workload's tables, and a redrive that doesn't take days. */
    private Path routes(List<Wish> wishes) throws IOException {
        Path routes = Files.createDirectories(cell.resolve("routes"));
        try (Stream<Path> files = Files.list(Path.of("routes"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".yaml")).toList()) {
                String text = Files.readString(file)
                        .replaceAll("schedule: [0-9a-z,]+", "schedule: " + "1s,".repeat(199) + "1s");
                Files.writeString(routes.resolve(file.getFileName()), text);
            }
        }
        for (String table : Workload.TABLES) {
            String hook = "        - to:\n            uri: lanes:hook\n";
            Files.writeString(routes.resolve(table + ".camel.yaml"), route(table, Wish.TOPIC) + hook);
        }
        if (wishes.stream().anyMatch(wish -> wish.topic().equals(Wish.TOPIC_OF_BIG))) {
            Files.writeString(routes.resolve("f_big.camel.yaml"), route(Workload.BIG, Wish.TOPIC_OF_BIG));
        }
        return routes;
    }

    private static String route(String table, String topic) {
        return """
                - route:
                    id: %1$s
                    routeConfigurationId: router
                    from:
                      uri: direct:%1$s
                      steps:
                        - to:
                            uri: lanes:cache
                        - setHeader:
                            name: topic
                            constant: %2$s
                        - to:
                            uri: lanes:notify
                """.formatted(table, topic);
    }

    void startService() throws IOException {
        followers.values().forEach(Follower::serverIsGone);
        service = new ServiceProcess(cell.resolve("service-" + ++starts + ".log"), environment, jvmOptions);
        service.awaitReady();
    }

    Path clockFile() {
        return cell.resolve("clock-offset");
    }

    String slot() {
        return "slot_" + database;
    }

    @Override
    public String oracleSlot() {
        return "oracle_" + database;
    }

    /** Waits until everything that was committed has gone everywhere, and compares. */
    Verdict conclude() throws Exception {
        workload.stop();
        if (!service.isAlive()) {
            startService();
        }
        service.awaitReady();
        String position = query("SELECT pg_current_wal_lsn()");
        await("the slot catches up").atMost(LONG).until(() -> {
            assertThat(service.isAlive()).as(service.tail()).isTrue();
            return "t"
                    .equals(query("SELECT confirmed_flush_lsn >= '" + position
                            + "'::pg_lsn FROM pg_replication_slots WHERE slot_name = '" + slot() + "'"));
        });
        await("nothing is parked").atMost(LONG).until(() -> auditCount("dead_letters WHERE state = 'parked'") == 0);
        followers.values().forEach(Follower::hurry);
        await("the clients are live")
                .atMost(LONG)
                .until(() -> followers.values().stream().allMatch(Follower::isLive));
        Verdict[] last = new Verdict[1];
        try {
            await("nothing is missing").atMost(Duration.ofSeconds(60)).until(() -> {
                last[0] = Oracle.judge(this);
                return last[0].lost() == 0;
            });
        } catch (org.awaitility.core.ConditionTimeoutException e) {
            return last[0];
        }
        awaitSilence();
        return Oracle.judge(this);
    }

    /** Until the clients have got whatever the frame log holds: what comes twice may come late. */
    private void awaitSilence() {
        long newest = auditNumber("SELECT max(id) FROM frames");
        await("the clients have all frames").atMost(LONG).until(() -> {
            followers.values().forEach(Follower::ping);
            return followers.values().stream().allMatch(client -> client.position() >= newest);
        });
    }

    void end() throws Exception {
        heal();
        if (service != null && service.isAlive()) {
            service.kill();
        }
        followers.values().forEach(Follower::close);
        toReceiver.close();
        ledger.close();
        await().atMost(LONG).ignoreExceptions().until(() -> {
            query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + slot()
                    + "'");
            query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '" + database
                    + "' AND NOT active");
            return "0".equals(query("SELECT count(*) FROM pg_replication_slots WHERE database = '" + database + "'"));
        });
        workload.stop();
        try (Connection c = DriverManager.getConnection(postgres.jdbcUrl("postgres"));
                var s = c.createStatement()) {
            s.execute("DROP DATABASE " + database + " WITH (FORCE)");
        }
        TemporaryFolder.delete(cell);
    }

    String logs() throws IOException {
        var text = new StringBuilder();
        for (int i = 1; i <= starts; i++) {
            text.append("--- service ").append(i).append('\n');
            text.append(Files.readString(cell.resolve("service-" + i + ".log")));
        }
        return text.toString();
    }

    // ---------------------------------------------------------------- what is measured

    long auditCount(String fromWhere) {
        return auditNumber("SELECT count(*) FROM " + fromWhere);
    }

    /** -1 if it can't be told at this moment. */
    long auditNumber(String sql) {
        try (var c = audit();
                var s = c.createStatement();
                var r = s.executeQuery(sql)) {
            return r.getLong(1);
        } catch (SQLException busy) {
            return -1;
        }
    }

    /** What the service has of the sink in its lane. */
    double held(String sink) throws Exception {
        return management("/observe/metrics", null)
                .lines()
                .filter(line -> line.startsWith("walroute_lane_held") && line.contains("sink=\"" + sink + "\""))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    /** Begins a backfill of all tables but the big one, and returns at once. */
    void backfill(int rate) throws Exception {
        String tables = Workload.TABLES.stream().map(t -> '"' + t + '"').collect(Collectors.joining(","));
        management("/api/backfill", "{\"tables\":[" + tables + "],\"rate\":" + rate + ",\"by\":\"matrix\"}");
    }

    /** @param body null for a GET */
    private String management(String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + environment.get("MANAGEMENT_PORT") + path))
                .timeout(Duration.ofSeconds(10))
                .header("Authorization", "Bearer " + TOKEN)
                .header("Content-Type", "application/json");
        if (body != null) {
            request.POST(HttpRequest.BodyPublishers.ofString(body));
        }
        HttpResponse<String> answer =
                HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
        assertThat(answer.statusCode()).as("%s: %s", path, answer.body()).isBetween(200, 299);
        return answer.body();
    }

    void inAudit(String sql) throws SQLException {
        try (var c = audit();
                var s = c.createStatement()) {
            s.execute(sql);
        }
    }

    @Override
    public Connection audit() throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + cell.resolve("walroute.db") + "?busy_timeout=5000");
    }

    @Override
    public Connection database() throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl(database));
    }

    void execute(String... statements) throws SQLException {
        try (Connection c = database();
                var s = c.createStatement()) {
            for (String sql : statements) {
                s.execute(sql);
            }
        }
    }

    String query(String sql) throws SQLException {
        try (Connection c = database();
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            return rows.next() ? rows.getString(1) : null;
        }
    }

    @Override
    public RedisCommands<String, String> redis() {
        return redisConnection.sync();
    }

    @Override
    public List<String> webhooks() {
        return ledger.accepted();
    }

    @Override
    public List<Oracle.Heard> clients() {
        return followers.entrySet().stream()
                .map(client -> client.getValue().heard())
                .toList();
    }

    /** How many frames that client has got. */
    int heard(Wish client) {
        return followers.get(client).count();
    }

    /** Gap frames of all clients. */
    int gaps() {
        return followers.values().stream().mapToInt(Follower::gaps).sum();
    }

    void clientsLeave() {
        followers.values().forEach(Follower::leave);
        await("the clients are gone").until(() -> followers.values().stream().noneMatch(Follower::isConnected));
    }

    void clientsReturn() {
        followers.values().forEach(Follower::comeBack);
    }

    // ---------------------------------------------------------------- what breaks

    /** Everything that may be broken is whole again; repeatable. */
    void heal() throws Exception {
        toPostgres.heal();
        toRedis.heal();
        toReceiver.heal();
        ledger.mode(Ledger.Mode.OK);
        if (redisServer.process().filter(ProcessHandle::isAlive).isEmpty()) {
            startRedis();
        }
    }

    PostgresServer postgres() {
        return postgres;
    }

    private void startRedis() throws IOException {
        redisServer = RedisServer.start(folder.resolve("redis"), redisPort, redisOptions);
        if (redisClient == null) {
            redisClient = RedisClient.create(RedisURI.builder()
                    .withHost("127.0.0.1")
                    .withPort(redisPort)
                    .withTimeout(Duration.ofSeconds(10))
                    .build());
            redisConnection = redisClient.connect();
        }
    }

    ProcessHandle redisProcess() throws IOException {
        return redisServer.process().orElseThrow();
    }

    void killRedis() throws Exception {
        ProcessHandle process = redisProcess();
        process.destroyForcibly();
        process.onExit().get();
        Files.deleteIfExists(folder.resolve("redis").resolve("redis.pid"));
    }

    /** SIGSTOP or SIGCONT. */
    static void signal(String name, long pid) throws Exception {
        run("kill", "-" + name, Long.toString(pid));
    }

    static void run(String... command) throws Exception {
        var process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor()).as(String.join(" ", command)).isZero();
    }

    void terminateWalSender() throws SQLException {
        query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + slot()
                + "' AND active");
    }

    @Override
    public void close() throws IOException {
        redisClient.shutdown();
        toPostgres.close();
        toRedis.close();
        redisServer.close();
        postgres.close();
        TemporaryFolder.delete(folder);
    }
}
