package io.walroute.load;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.walroute.demo.Simulator;
import io.walroute.demo.Subscriber;
import io.walroute.demo.WebhookReceiver;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * One load run against a running service: traffic, then waiting until all of it has arrived, then the comparison of the cache with
 * the tables and of the audit log with what was committed. A warm-up before it is the same traffic by the same connections: what
 * is measured goes on from it, in the same processes.
 *
 * <p>{@link #run} blocks; {@link #stop()}, from any thread, ends the traffic early, and the rest still follows.
 */
public final class LoadRun {
    /** Is told how far it is; on the thread that runs. */
    @FunctionalInterface
    public interface Progress {
        /** @param share from 0 to 1; negative where nobody knows */
        void show(double share, String what);
    }

    static final List<String> TOPICS = List.of(
            "listings.created", "listings.price_changed", "listings.removed", "offers.received", "names.transferred");
    /** Those with generated keys: only their rows are known by key before the commit. */
    private static final List<String> FOLLOWED = List.of("listings", "offers");

    private static final Duration SUBSCRIBED_WITHIN = Duration.ofSeconds(10);
    private static final long LOOK_EVERY_MS = 250;

    private final Settings settings;
    private final String jdbcUrl;
    private final LoadOptions options;
    private final ServiceView service;
    private final Progress progress;
    private Timeline timeline;
    private Traffic traffic;
    private volatile Simulator simulator;
    private final Map<String, Sink> sinks = new LinkedHashMap<>();
    private final Map<String, String> leftOut = new LinkedHashMap<>();
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final CountDownLatch stopped = new CountDownLatch(1);
    private Subscriber subscriber;
    private WebhookReceiver receiver;
    private boolean quiet;

    public LoadRun(Settings settings, String jdbcUrl, LoadOptions options, ServiceView service, Progress progress) {
        this.settings = settings;
        this.jdbcUrl = jdbcUrl;
        this.options = options;
        this.service = service;
        this.progress = progress;
    }

    /** Ends the traffic; what follows it still does. */
    public void stop() {
        stopped.countDown();
        Simulator running = simulator;
        if (running != null) {
            running.stop();
        }
    }

    public LoadReport run() throws LoadException, InterruptedException {
        ServiceView.State before = awaitStreaming();
        Instant startedAt = Instant.now();
        timeline = Timeline.of(
                System.nanoTime() + options.warmUp().toNanos(),
                options.duration().toNanos());
        traffic = new Traffic(timeline, settings.redisUrl().isPresent());
        try (AuditCheck audit = options.audited() ? AuditCheck.open(settings) : AuditCheck.none()) {
            followCache();
            followWire();
            simulator = new Simulator(options.simulator(jdbcUrl), traffic);
            var warm = new CompletableFuture<Simulator.Progress>();
            Thread watch = new Thread(() -> warm.complete(lookWhenWarm()), "load-warm-up");
            watch.setDaemon(true);
            watch.start();
            long begin = System.nanoTime();
            if (stopped.getCount() == 0) {
                simulator.stop(); // asked before there was one
            }
            Simulator.Progress made = simulator.run(this::showTraffic);
            long end = System.nanoTime();
            watch.interrupt(); // the traffic may have ended within the warm-up
            made = made.since(warm.join());
            awaitQuiet(audit);
            long settled = System.nanoTime();
            AuditCheck.Result audited = options.audited() ? audit.compare(traffic.transactions()) : null;
            CacheCheck.Result cached = settings.redisUrl().isPresent() ? CacheCheck.run(settings, audit) : null;
            return new LoadReport(
                    startedAt,
                    options,
                    stopped.getCount() == 0,
                    made,
                    Duration.ofNanos(Math.max(0, end - Math.max(begin, timeline.beginNanos()))),
                    Duration.ofNanos(settled - end),
                    traffic,
                    timeline,
                    sinks,
                    leftOut,
                    subscriber == null ? 0 : subscriber.gaps(),
                    receiver == null ? 0 : receiver.refused(),
                    quiet,
                    before,
                    service.look(),
                    audited,
                    cached);
        } catch (SQLException | IOException e) {
            throw new LoadException("The run ended early: " + line(e), e);
        } finally {
            close();
        }
    }

    /** Traffic before would measure the service's start. */
    private ServiceView.State awaitStreaming() throws LoadException, InterruptedException {
        long giveUp = System.nanoTime() + options.patience().toNanos();
        while (true) {
            ServiceView.State state = service.look();
            if (state.streaming()) {
                return state;
            }
            if (System.nanoTime() > giveUp || stopped.getCount() == 0) {
                throw new LoadException("The service runs and doesn't stream. See why: walroute status");
            }
            progress.show(-1, "waiting until the service streams");
            stopped.await(LOOK_EVERY_MS, TimeUnit.MILLISECONDS);
        }
    }

    // ---------------------------------------------------------------- sinks

    private void followCache() {
        if (settings.redisUrl().isEmpty()) {
            leftOut.put("cache", "REDIS_URL is not set");
            return;
        }
        var sink = new Sink(timeline);
        try {
            open.push(new CacheProbe(settings, FOLLOWED, traffic, sink));
            sinks.put("cache", sink);
        } catch (LoadException e) {
            leftOut.put("cache", e.getMessage());
        }
    }

    private void followWire() throws InterruptedException {
        Vertx vertx = Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(2)
                .setFileSystemOptions(
                        new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));
        open.push(() -> vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS));
        followFrames(vertx);
        followWebhooks(vertx);
    }

    private void followFrames(Vertx vertx) throws InterruptedException {
        int port = settings.websocketPort().orElse(0);
        if (port == 0) {
            leftOut.put("websocket", "WEBSOCKET_PORT is off, or 0 for any: nobody knows where to connect");
            return;
        }
        var sink = new Sink(timeline);
        var arrivals = new Arrivals(traffic, sink);
        String host = settings.notifyHost().matches("0\\.0\\.0\\.0|::") ? "127.0.0.1" : settings.notifyHost();
        subscriber = new Subscriber(
                        vertx,
                        host,
                        port,
                        TOPICS,
                        frame -> arrivals.change(frame.getJsonObject("event").getLong("xid"), System.nanoTime()))
                .connect();
        open.push(subscriber);
        long giveUp = System.nanoTime() + SUBSCRIBED_WITHIN.toNanos();
        while (!subscriber.isSubscribed() && System.nanoTime() < giveUp) {
            stopped.await(20, TimeUnit.MILLISECONDS);
        }
        if (subscriber.isSubscribed()) {
            sinks.put("websocket", sink);
        } else {
            leftOut.put("websocket", "ws://" + host + ":" + port + "/ws (WEBSOCKET_PORT) takes no subscription");
        }
    }

    private void followWebhooks(Vertx vertx) {
        Map<String, String> hook = settings.hooks().getOrDefault("marketplace", Map.of());
        if (!hook.containsKey("url") || !hook.containsKey("secret")) {
            leftOut.put("webhook", "WEBHOOK_URL is not set");
            return;
        }
        try {
            URI url = URI.create(hook.get("url").strip());
            boolean loopback = "http".equals(url.getScheme())
                    && url.getPort() > 0
                    && InetAddress.getByName(url.getHost()).isLoopbackAddress();
            if (!loopback) {
                leftOut.put(
                        "webhook",
                        "WEBHOOK_URL is somebody else's receiver. To measure it, set it to a free port here, as"
                                + " http://127.0.0.1:8099/, with walroute.hook.marketplace.allow-networks=127.0.0.0/8");
                return;
            }
            var sink = new Sink(timeline);
            String secret = hook.get("secret").strip().split("[,\\s]+")[0];
            receiver = WebhookReceiver.start(
                    vertx, secret, url.getHost(), url.getPort(), new Arrivals(traffic, sink)::webhook);
            open.push(receiver);
            sinks.put("webhook", sink);
        } catch (IOException | IllegalArgumentException e) {
            leftOut.put("webhook", "no receiver can listen at WEBHOOK_URL: " + line(e));
        }
    }

    // ---------------------------------------------------------------- progress

    /** What had been committed when the warm-up was over, or the traffic. */
    private Simulator.Progress lookWhenWarm() {
        if (options.warmUp().isZero()) {
            return new Simulator.Progress(0, 0, 0, Duration.ZERO, Map.of());
        }
        try {
            stopped.await(timeline.beginNanos() - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException theTrafficEnded) {
            // Then nothing counts.
        }
        return simulator.progress();
    }

    private void showTraffic(Simulator.Progress made) {
        double share = made.elapsed().toNanos() / (double) options.all().toNanos();
        double seconds = Math.max(1e-3, made.elapsed().toNanos() / 1e9);
        progress.show(
                Math.min(1, share),
                String.format(java.util.Locale.ROOT, "%,d changes, %,.0f/s", made.changes(), made.changes() / seconds));
    }

    /** Until nothing is on its way, or nothing has moved for as long as patience lasts. */
    private void awaitQuiet(AuditCheck audit) throws LoadException, SQLException, InterruptedException {
        String last = "";
        long moved = System.nanoTime();
        int looksAlike = 0;
        while (System.nanoTime() - moved < options.patience().toNanos()) {
            ServiceView.State state = service.look();
            long arrived = sinks.values().stream().mapToLong(Sink::allArrivals).sum();
            String now = state + " " + audit.lastSeq() + " " + arrived;
            looksAlike = now.equals(last) ? looksAlike + 1 : 0;
            if (looksAlike == 0) {
                moved = System.nanoTime();
                last = now;
            }
            boolean allAudited = looksAlike >= 3
                    && (!options.audited()
                            || audit.compare(traffic.transactions()).missing() == 0);
            if (allAudited && state.isQuiet()) {
                quiet = true;
                return;
            }
            progress.show(
                    -1,
                    String.format(
                            java.util.Locale.ROOT,
                            "waiting until all has arrived: %,d in flight, %,d parked",
                            state.inFlight(),
                            state.parked()));
            Thread.sleep(LOOK_EVERY_MS); // the service works; nobody here could be told of its end
        }
    }

    private void close() {
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Exception goneAnyhow) {
                // The run is over; whatever it measured stands.
            }
        }
    }

    private static String line(Exception e) {
        return String.valueOf(e.getMessage()).strip().replaceAll("\\s+", " ");
    }
}
