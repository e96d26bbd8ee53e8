package io.walroute.demo;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shows the whole service on one machine: embedded servers, the marketplace, a webhook receiver, a WebSocket client, traffic,
 * and a board. Knows neither the routes nor the command line: both are given to it.
 *
 * <p>Ends after the set time, or by Ctrl-C and SIGTERM: then the traffic stops first, the service drains, and the servers
 * and their folder go last.
 */
public final class Demo {
    /** The running routes. Closing must drain them; the demo does that, so no shutdown hook of their own may. */
    public interface Service extends AutoCloseable {
        MeterRegistry meters();
    }

    /** Starts the routes with settings as the environment names them ({@code WALROUTE_AUDIT_URL}). */
    @FunctionalInterface
    public interface ServiceStarter {
        Service start(Map<String, String> settings) throws Exception;
    }

    /** What the command {@code setup} does: publication, slot, replica identity. */
    @FunctionalInterface
    public interface Setup {
        void run(Map<String, String> settings) throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger(Demo.class);
    private static final String SLOT = "grails_wal_slot";
    private static final String FIRST_KEY = "listings:1";
    private static final List<String> TOPICS = List.of(
            "listings.created", "listings.price_changed", "listings.removed", "offers.received", "names.transferred");

    private final DemoSettings settings;
    private final PrintStream out;
    private final Teardown teardown = new Teardown();

    private Demo(DemoSettings settings, PrintStream out) {
        this.settings = settings;
        this.out = out;
    }

    /**
     * Blocks until the demo ends.
     *
     * @param out where the board goes
     * @return the last state that the board showed; null if the demo was stopped before it showed any
     */
    public static BoardState run(DemoSettings settings, Setup setup, ServiceStarter starter, PrintStream out)
            throws Exception {
        var demo = new Demo(settings, out);
        try (demo.teardown) {
            return demo.runUnlessStopped(setup, starter);
        }
    }

    /** A stop in the middle of the start makes all kinds of steps fail, none of which is worth a word. */
    private BoardState runUnlessStopped(Setup setup, ServiceStarter starter) throws Exception {
        try {
            return run(setup, starter);
        } catch (Exception e) {
            if (teardown.isClosing()) {
                LOG.debug("Stopped while starting", e);
                return null;
            }
            throw e;
        }
    }

    private BoardState run(Setup setup, ServiceStarter starter) throws Exception {
        Terminal terminal = Terminal.detect();
        out.println("Starting PostgreSQL, Redis and the routes …");
        teardown.add(() -> out.println("Stopped, nothing is left behind."));
        var servers = teardown.add(new EmbeddedServers());
        unpackSqliteInto(servers.folder());
        servers.start();
        LOG.debug("Servers are up {} after the start of the program", sinceJvmStart());
        Vertx vertx = vertx();
        String secret = "whsec_" + Base64.getEncoder().encodeToString("walroute demo, no secret".getBytes());
        var receiver = teardown.add(WebhookReceiver.start(vertx, secret));
        Map<String, String> serviceSettings = serviceSettings(servers, receiver, secret);
        int webSocketPort = Integer.parseInt(serviceSettings.get("WEBSOCKET_PORT"));
        // Opened before the service and thus closed after it: what the service sends while draining still counts.
        var subscriber = teardown.add(new Subscriber(vertx, webSocketPort, TOPICS));
        try (Connection connection = DriverManager.getConnection(servers.jdbcUrl())) {
            Marketplace.create(connection);
            setup.run(serviceSettings);
            insertFirst(connection);
        }
        Service service = teardown.add(starter.start(serviceSettings));
        subscriber.connect();
        LOG.debug("The service is up {} after the start of the program", sinceJvmStart());

        var simulator = new Simulator(
                new SimulatorSettings(servers.jdbcUrl(), settings.ratePerSecond(), null, 0, settings.seed(), 4));
        CompletableFuture<Void> traffic = startTraffic(simulator);
        CompletableFuture<Duration> firstChange = watchForFirstChange(servers.redis());
        var warnings = teardown.add(RecentWarnings.watch(terminal.interactive()));
        var sampler = teardown.add(new Sampler(servers.jdbcUrl(), SLOT, service.meters()));
        var board = teardown.add(new Board(out, terminal, links(servers, receiver, serviceSettings)));
        long begin = System.nanoTime();
        BoardState state;
        do {
            failIfTrafficDid(traffic);
            state = sampler.sample(
                    Duration.ofNanos(System.nanoTime() - begin),
                    firstChange.getNow(null),
                    simulator.progress(),
                    receiver,
                    subscriber,
                    warnings);
            board.show(state);
        } while (!isOver(begin) && sleep(state.firstChange() == null ? 250 : 1000));
        return state;
    }

    /** SQLite unpacks its library: into the folder that goes away, instead of beside it. */
    private void unpackSqliteInto(Path folder) {
        String property = "org.sqlite.tmpdir";
        if (System.getProperty(property) == null) {
            System.setProperty(property, folder.toString());
            teardown.add(() -> System.clearProperty(property));
        }
    }

    private static void failIfTrafficDid(CompletableFuture<Void> traffic) throws Exception {
        if (traffic.isCompletedExceptionally()) {
            try {
                traffic.get();
            } catch (ExecutionException e) {
                throw new IOException("the simulator stopped: " + e.getCause().getMessage(), e.getCause());
            }
        }
    }

    private boolean isOver(long begin) {
        Duration stopAfter = settings.stopAfter();
        return teardown.isClosing() || stopAfter != null && System.nanoTime() - begin >= stopAfter.toNanos();
    }

    private Map<String, String> serviceSettings(EmbeddedServers servers, WebhookReceiver receiver, String secret) {
        Map<String, String> map = new LinkedHashMap<>();
        map.put("DATABASE_URL", servers.databaseUrl());
        map.put("REPLICATION_SLOT", SLOT);
        map.put("PUBLICATION_NAME", "grails_publication");
        map.put("REDIS_URL", servers.redis().url());
        map.put("WEBSOCKET_PORT", Integer.toString(FreePort.preferably(settings.webSocketPort())));
        map.put("MANAGEMENT_PORT", Integer.toString(FreePort.preferably(settings.managementPort())));
        map.put("WEBHOOK_URL", receiver.url());
        map.put("WEBHOOK_SECRET", secret);
        map.put("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
        map.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + servers.folder().resolve("walroute.db"));
        return map;
    }

    private static Map<String, String> links(
            EmbeddedServers servers, WebhookReceiver receiver, Map<String, String> serviceSettings) {
        String management = "http://127.0.0.1:" + serviceSettings.get("MANAGEMENT_PORT") + "/observe/";
        Map<String, String> links = new LinkedHashMap<>();
        links.put("WebSocket", "ws://127.0.0.1:" + serviceSettings.get("WEBSOCKET_PORT") + "/ws");
        links.put("Health", management + "health");
        links.put("Metrics", management + "metrics");
        links.put("Webhook receiver", receiver.url());
        links.put("PostgreSQL", "psql " + servers.databaseUrl());
        links.put("Redis", "redis-cli -p " + servers.redis().port());
        links.put("Try", "redis-cli -p " + servers.redis().port() + " get " + FIRST_KEY);
        links.put(
                "  then",
                "psql " + servers.databaseUrl() + " -c 'UPDATE listings SET price_wei = price_wei + 1 WHERE id = 1'");
        return links;
    }

    /** A listing that the simulator doesn't know, so that it is there as long as the demo is. */
    private static void insertFirst(Connection connection) throws SQLException {
        try (var s = connection.createStatement()) {
            s.execute("""
                    INSERT INTO ens_names VALUES ('1', 'walroute.eth', '0x%1$s', now() + interval '1 year', now());
                    INSERT INTO listings (token_id, ens_name, seller_address, price_wei, currency, status, expires_at, metadata,
                                          created_at, updated_at)
                    VALUES ('1', 'walroute.eth', '0x%1$s', 1500000000000000000, 'ETH', 'active', now() + interval '30 days',
                            '{"note": "yours to change"}', now(), now())""".formatted("57a1".repeat(10)));
        }
    }

    private CompletableFuture<Void> startTraffic(Simulator simulator) {
        var ended = new CompletableFuture<Void>();
        var thread = new Thread(
                () -> {
                    try {
                        simulator.run(progress -> {});
                        ended.complete(null);
                    } catch (SQLException e) {
                        ended.completeExceptionally(e);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                        ended.complete(null);
                    }
                },
                "simulator");
        thread.start();
        teardown.add(() -> {
            simulator.stop();
            thread.join(5000);
        });
        return ended;
    }

    private CompletableFuture<Duration> watchForFirstChange(RedisServer redis) {
        var seen = new CompletableFuture<Duration>();
        var thread = new Thread(
                () -> {
                    while (!teardown.isClosing()) {
                        try {
                            if (":1".equals(redis.ask("EXISTS " + FIRST_KEY))) {
                                seen.complete(sinceJvmStart());
                                return;
                            }
                        } catch (IOException goneOrBusy) {
                            LOG.debug("Redis does not answer: {}", goneOrBusy.getMessage());
                        }
                        if (!sleep(20)) {
                            return;
                        }
                    }
                },
                "first-change");
        thread.setDaemon(true);
        thread.start();
        return seen;
    }

    /** Without a cache folder: it would stay behind in the temporary directory. */
    private Vertx vertx() {
        Vertx vertx = Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(1)
                .setFileSystemOptions(
                        new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));
        teardown.add(() -> {
            try {
                vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                LOG.debug("Vert.x did not close", e);
            }
        });
        return vertx;
    }

    private static Duration sinceJvmStart() {
        return Duration.ofMillis(System.currentTimeMillis()
                - ManagementFactory.getRuntimeMXBean().getStartTime());
    }

    /** Between two drawings of the board, or two looks at a service that is starting. @return false if it was interrupted */
    private static boolean sleep(long millis) {
        try {
            Thread.sleep(millis); // a person looks at the board; another process starts
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
