package io.walroute.bench;

import io.walroute.demo.Marketplace;
import io.walroute.demo.Simulator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** How long a start takes, and what memory, collections and allocation come to, idle and under a backlog, with all sinks on. */
final class FootprintPart implements Part {
    private static final int IDLE_SECONDS = 30;

    private record Result(
            double firstChangeSeconds,
            double readySeconds,
            double idleRssMb,
            double idleLiveHeapMb,
            double idleCpuPercent,
            double loadedRssMb,
            double peakHeapMb,
            double loadedLiveHeapMb,
            int collections,
            double pauseP50Ms,
            double pauseWorstMs,
            double pausesTotalMs,
            double allocatedBytesPerChange) {}

    private final BenchOptions options;
    private final List<Result> results = new ArrayList<>();

    FootprintPart(BenchOptions options) {
        this.options = options;
    }

    @Override
    public Section run() throws Exception {
        for (int round = 1; round <= options.rounds; round++) {
            Progress.say("footprint, round " + round + " of " + options.rounds + " …");
            results.add(measure());
            Progress.say(results.get(results.size() - 1).toString());
        }
        Section section = Section.of("footprint", "Footprint", results);
        section.note("All sinks on, the routes of walroute-four, -Xmx256m; medians of " + options.rounds
                + " rounds. First change: a row"
                + " committed before the start is in Redis. Idle: " + IDLE_SECONDS
                + " s after readiness. Loaded: after a backlog of "
                + Section.whole(options.changes) + " changes written while it runs.");
        var table = Section.Table.of("", "", "median", "least", "most");
        row(
                table,
                "start to first change, s",
                results.stream().mapToDouble(Result::firstChangeSeconds).toArray());
        row(
                table,
                "start to ready, s",
                results.stream().mapToDouble(Result::readySeconds).toArray());
        row(
                table,
                "idle: RSS, MB",
                results.stream().mapToDouble(Result::idleRssMb).toArray());
        row(
                table,
                "idle: live heap, MB",
                results.stream().mapToDouble(Result::idleLiveHeapMb).toArray());
        row(
                table,
                "idle: % of one core",
                results.stream().mapToDouble(Result::idleCpuPercent).toArray());
        row(
                table,
                "loaded: peak RSS, MB",
                results.stream().mapToDouble(Result::loadedRssMb).toArray());
        row(
                table,
                "loaded: peak heap, MB",
                results.stream().mapToDouble(Result::peakHeapMb).toArray());
        row(
                table,
                "afterwards: live heap, MB",
                results.stream().mapToDouble(Result::loadedLiveHeapMb).toArray());
        row(
                table,
                "GC pause, median, ms",
                results.stream().mapToDouble(Result::pauseP50Ms).toArray());
        row(
                table,
                "GC pause, worst, ms",
                results.stream().mapToDouble(Result::pauseWorstMs).toArray());
        row(
                table,
                "GC pauses, all together, ms",
                results.stream().mapToDouble(Result::pausesTotalMs).toArray());
        row(
                table,
                "allocated bytes a change",
                results.stream().mapToDouble(Result::allocatedBytesPerChange).toArray());
        table.row("jar and libraries on disk (without the demo's servers), MB", Section.tenths(installedMb()), "", "");
        section.tables().add(table);
        return section;
    }

    private static void row(Section.Table table, String what, double... values) {
        double[] sorted = values.clone();
        java.util.Arrays.sort(sorted);
        table.row(
                what,
                Section.tenths(Medians.of(sorted)),
                Section.tenths(sorted[0]),
                Section.tenths(sorted[sorted.length - 1]));
    }

    private Result measure() throws Exception {
        try (Ground ground = new Ground()) {
            ground.publish(Marketplace.TABLES);
            ground.offer();
            ground.execute("INSERT INTO ens_names(token_id, name) VALUES ('first', 'first.eth')");
            Path home = Files.createTempDirectory(ground.folder(), "walroute-");
            long begin = System.nanoTime();
            try (var receiver = WebhookSink.start(home, 0);
                    var service = new WalrouteProcess(ground, home, options.jvm())
                            .product("errors", "router", "cache", "notify", "listings")
                            .bench("four")
                            .redis(ground)
                            .webSocket()
                            .hook(receiver.port())
                            .set("WALROUTE_HOOK_MARKETPLACE_BATCH_SIZE", "100")) {
                begin = System.nanoTime();
                service.start();
                while (ground.redis("EXISTS ens_names:first") == 0) {
                    service.child().check();
                    LockSupport.parkNanos(5_000_000);
                }
                double first = (System.nanoTime() - begin) / 1e9;
                service.awaitReady();
                double ready = (System.nanoTime() - begin) / 1e9;
                LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(5)); // what the start leaves to do
                double cpu = service.child().cpuSeconds();
                LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(IDLE_SECONDS));
                double idleCpu = (service.child().cpuSeconds() - cpu) / IDLE_SECONDS * 100;
                double idleRss = service.child().memory("VmRSS");
                double idleHeap = service.liveHeapMb();
                GcLog before = service.collections();
                Simulator.backlog(ground.database, options.changes, 42);
                ground.database.setAutoCommit(true);
                awaitDelivered(service);
                GcLog after = service.collections();
                List<Double> pauses = after.pausesMs()
                        .subList(before.pausesMs().size(), after.pausesMs().size());
                return new Result(
                        first,
                        ready,
                        idleRss,
                        idleHeap,
                        idleCpu,
                        service.child().memory("VmHWM"),
                        after.peakMb(),
                        service.liveHeapMb(),
                        pauses.size(),
                        Medians.of(pauses.stream().mapToDouble(each -> each).toArray()),
                        pauses.stream().mapToDouble(each -> each).max().orElse(0),
                        pauses.stream().mapToDouble(each -> each).sum(),
                        (after.allocatedMb() - before.allocatedMb()) * 1024.0 * 1024.0 / options.changes);
            }
        }
    }

    private void awaitDelivered(WalrouteProcess service) throws IOException, InterruptedException {
        while (true) {
            Map<String, Long> counts = service.counts();
            if (counts.getOrDefault("delivered audit", 0L) > options.changes
                    && counts.getOrDefault("delivered cache", 0L) > options.changes) {
                return;
            }
            service.child().check();
            LockSupport.parkNanos(200_000_000);
        }
    }

    /** What an installation needs. */
    private static double installedMb() throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("target/lib"))) {
            long bytes = Files.size(Path.of("target/walroute.jar"));
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                bytes += file.getFileName().toString().startsWith("embedded-") ? 0 : Files.size(file);
            }
            return bytes / 1e6;
        }
    }
}
