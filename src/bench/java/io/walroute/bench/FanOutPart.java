package io.walroute.bench;

import io.walroute.demo.Marketplace;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** One change to many subscribers, and what many clients that are only connected cost. */
final class FanOutPart implements Part {
    private static final String TOPIC = "listings.created";
    private static final List<Integer> RATES = List.of(1, 20, 50, 100, 200);
    private static final int WARM_UP_SECONDS = 10;

    /**
     * @param rate changes a second; 0 for all at once
     * @param seconds from the first change's due time to the last frame
     */
    private record Result(
            int rate, long changes, double seconds, Crowd.Counts counts, long expected, double cpuSeconds) {
        double framesPerSecond() {
            return counts.events() / seconds;
        }
    }

    private final BenchOptions options;
    private final List<Result> results = new ArrayList<>();

    FanOutPart(BenchOptions options) {
        this.options = options;
    }

    @Override
    public Section run() throws Exception {
        Section section = Section.of("fanout", "Fan-out: one change to many subscribers", results);
        try (Ground ground = new Ground()) {
            ground.publish(Marketplace.TABLES);
            ground.offer();
            Path home = Files.createTempDirectory(ground.folder(), "walroute-");
            try (var service = new WalrouteProcess(ground, home, options.jvm())
                            .allProduct()
                            .redis(ground)
                            .webSocket()
                            .start();
                    Connection writer = DriverManager.getConnection(ground.servers.jdbcUrl())) {
                service.awaitReady();
                Progress.say("fan-out: warm-up …");
                run(service, writer, 50, WARM_UP_SECONDS);
                results.clear();
                for (int rate : RATES) {
                    run(service, writer, rate, options.seconds);
                }
                atOnce(service, writer, 2_000);
                section.tables().add(connected(section, service));
            }
        }
        section.note(options.subscribers + " clients follow " + TOPIC
                + ", whose changes are rows inserted one a transaction at fixed"
                + " times; the clients are one thread of another process, and share the machine. Latency from the due time until the"
                + " frame is read, of each 20th client. Each rate lasts " + options.seconds + " s, after "
                + WARM_UP_SECONDS
                + " s of warm-up. The product's routes: each row goes to the audit log and the cache, too.");
        var table = Section.Table.of(
                options.subscribers + " subscribers",
                "changes/s",
                "frames/s",
                "frames",
                "missing",
                "gaps",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "max ms",
                "processor µs a frame");
        var chart = Section.Chart.curves("p99 ms over frames/s", "frames/s");
        List<double[]> points = new ArrayList<>();
        for (Result result : results) {
            Crowd.Counts counts = result.counts();
            table.row(
                    result.rate() == 0 ? result.changes() + " at once" : Integer.toString(result.rate()),
                    Section.whole(result.framesPerSecond()),
                    Section.whole(counts.events()),
                    Section.whole(result.expected() - counts.events()),
                    Section.whole(counts.gaps()),
                    Section.tenths(counts.p50Ms()),
                    Section.tenths(counts.p99Ms()),
                    Section.tenths(counts.p999Ms()),
                    Section.tenths(counts.maxMs()),
                    Section.tenths(result.cpuSeconds() * 1e6 / Math.max(1, counts.events())));
            if (result.rate() > 0) {
                points.add(new double[] {result.framesPerSecond(), counts.p99Ms()});
            }
            // A slow client is told of a gap in place of what it misses: then missing frames are as promised.
            if (counts.events() < result.expected() && counts.gaps() == 0) {
                section.faults()
                        .add("at " + result.rate() + " changes/s " + (result.expected() - counts.events())
                                + " frames are missing, and no client was told");
            }
        }
        chart.curve("p99", points);
        section.charts().add(chart);
        section.tables().add(0, table);
        return section;
    }

    private void run(WalrouteProcess service, Connection writer, int rate, int seconds) throws Exception {
        try (var crowd = Crowd.Remote.start(service.webSocketPort(), options.subscribers, TOPIC)) {
            double cpu = service.child().cpuSeconds();
            long begin = System.nanoTime();
            int changes = rate * seconds;
            write(writer, begin, rate, changes);
            finish(service, crowd, rate, changes, begin, cpu);
        }
    }

    private void atOnce(WalrouteProcess service, Connection writer, int changes) throws Exception {
        try (var crowd = Crowd.Remote.start(service.webSocketPort(), options.subscribers, TOPIC)) {
            double cpu = service.child().cpuSeconds();
            long begin = System.nanoTime();
            try (var s = writer.createStatement()) {
                s.execute(
                        "INSERT INTO listings(token_id, seller_address, price_wei, currency, status, created_at, updated_at)"
                                + " SELECT '" + begin
                                + "', '0x57a1', 1500000000000000000, 'ETH', 'active', now(), now()"
                                + " FROM generate_series(1, " + changes + ")");
            }
            finish(service, crowd, 0, changes, begin, cpu);
        }
    }

    /** Waits for the last frame, or until none has come for a while: a slow client gets a gap in its place. */
    private void finish(WalrouteProcess service, Crowd.Remote crowd, int rate, int changes, long begin, double cpu)
            throws Exception {
        long expected = (long) changes * options.subscribers;
        Crowd.Counts counts = crowd.counts();
        long last = -1;
        long lastMove = System.nanoTime();
        while (counts.events() < expected && System.nanoTime() - lastMove < TimeUnit.SECONDS.toNanos(10)) {
            LockSupport.parkNanos(20_000_000);
            counts = crowd.counts();
            lastMove = counts.events() == last ? lastMove : System.nanoTime();
            last = counts.events();
        }
        double seconds = (counts.lastEventNanos() - begin) / 1e9;
        var result = new Result(
                rate, changes, seconds, counts, expected, service.child().cpuSeconds() - cpu);
        results.add(result);
        Progress.say(String.format(
                java.util.Locale.ROOT,
                "fan-out: %,d changes to %,d: %,.0f frames/s, %s",
                changes,
                options.subscribers,
                result.framesPerSecond(),
                counts));
    }

    private static void write(Connection writer, long begin, int rate, int changes) throws SQLException {
        try (PreparedStatement insert = writer.prepareStatement(
                "INSERT INTO listings(token_id, seller_address, price_wei, currency, status, created_at, updated_at)"
                        + " VALUES (?, '0x57a1', 1500000000000000000, 'ETH', 'active', now(), now())")) {
            for (int i = 0; i < changes; i++) {
                long due = begin + i * 1_000_000_000L / rate;
                for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
                    LockSupport.parkNanos(wait);
                }
                insert.setString(1, Long.toString(due));
                insert.executeUpdate();
            }
        }
    }

    /** What connections cost that nothing is sent to. */
    private Section.Table connected(Section section, WalrouteProcess service) throws Exception {
        Progress.say("fan-out: " + options.clients + " clients connect …");
        double heapBefore = service.liveHeapMb();
        double rssBefore = service.child().memory("VmRSS");
        var table = Section.Table.of(
                options.clients + " connected clients",
                "",
                "live heap MB",
                "RSS MB",
                "heap bytes a connection",
                "RSS bytes a connection");
        table.row("before", Section.tenths(heapBefore), Section.tenths(rssBefore), "–", "–");
        for (String topic : new String[] {null, TOPIC}) {
            try (var crowd = Crowd.Remote.start(service.webSocketPort(), options.clients, topic)) {
                double heap = service.liveHeapMb();
                double rss = service.child().memory("VmRSS");
                table.row(
                        topic == null ? "connected" : "with a subscription each",
                        Section.tenths(heap),
                        Section.tenths(rss),
                        Section.whole((heap - heapBefore) * 1e6 / options.clients),
                        Section.whole((rss - rssBefore) * 1024 * 1024 / options.clients));
                if (crowd.counts().gaps() > 0) {
                    section.faults().add(crowd.counts().gaps() + " of the connected clients were cut off");
                }
            }
            LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(3));
        }
        return table;
    }
}
