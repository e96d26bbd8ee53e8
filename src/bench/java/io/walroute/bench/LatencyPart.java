package io.walroute.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.demo.FreePort;
import io.walroute.demo.Marketplace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * From commit until seen in Redis, by a WebSocket client and by a webhook receiver, at several rates, under {@code walroute load}:
 * the cache alone, the cache with the audit log, and the product's own routes as they are.
 */
final class LatencyPart implements Part {
    private static final List<String> SINKS = List.of("cache", "websocket", "webhook");
    private static final Duration START_PATIENCE = Duration.ofMinutes(2);

    /** What walroute is asked to do. */
    private enum Routes {
        CACHE("cache alone") {
            @Override
            WalrouteProcess prepare(WalrouteProcess service, Ground ground) throws IOException {
                return service.product("errors", "cache").bench("cache").redis(ground);
            }
        },
        AUDITED("cache and audit log") {
            @Override
            WalrouteProcess prepare(WalrouteProcess service, Ground ground) throws IOException {
                return service.product("errors", "cache", "router").redis(ground);
            }
        },
        ALL("all sinks") {
            @Override
            WalrouteProcess prepare(WalrouteProcess service, Ground ground) throws IOException {
                return service.allProduct().redis(ground).webSocket().hook(FreePort.any());
            }
        };

        final String description;

        Routes(String description) {
            this.description = description;
        }

        abstract WalrouteProcess prepare(WalrouteProcess service, Ground ground) throws IOException;

        static Routes of(String name) {
            return Routes.valueOf(name.toUpperCase(Locale.ROOT));
        }
    }

    private final BenchOptions options;
    private final ObjectMapper json = new ObjectMapper();

    LatencyPart(BenchOptions options) {
        this.options = options;
    }

    @Override
    public Section run() throws Exception {
        Map<String, JsonNode> raw = new LinkedHashMap<>();
        Section section = Section.of("latency", "Latency: from commit until seen", raw);
        section.note(
                "walroute load, " + options.seconds + " s each after " + options.latencyWarmUp
                        + " s of warm-up at the same rate in the same processes. Latency counts from when a change was due (coordinated"
                        + " omission); uncorrected from its commit. Transactions of one to some twenty changes, none larger;"
                        + " synchronous_commit on. HdrHistogram. All sinks: the product's routes as they are, webhooks one by one.");
        var table = Section.Table.of(
                "Milliseconds",
                "rate, routes, sink",
                "samples",
                "p50",
                "p99",
                "p99.9",
                "max",
                "uncorrected p50",
                "p99",
                "p99.9",
                "behind schedule ms");
        var stages = Section.Table.of(
                "Where the time goes, by the service's own meters (means over all changes, those it writes itself too), and the"
                        + " processors (percent of one)",
                "rate, routes",
                "commit to received ms",
                "received to in the cache ms",
                "received to in the audit log ms",
                "worst GC pause ms",
                "walroute %",
                "the traffic's process %",
                "the machine %, PostgreSQL and Redis included");
        for (int rate : options.rates) {
            for (String name : options.latencyOf) {
                Routes routes = Routes.of(name);
                String what = rate + "/s " + routes.description;
                Progress.say("latency at " + rate + " changes/s, " + routes.description + " …");
                Run run = measure(rate, routes);
                raw.put(rate + " " + name, run.report);
                if (!run.report.path("result").asText().equals("passed")) {
                    section.faults().add("at " + what + ": " + run.report.path("check"));
                }
                rows(table, what, run.report);
                stages.row(
                        what,
                        Section.tenths(run.stages.mean("walroute_commit_to_received_seconds")),
                        Section.tenths(run.stages.mean("walroute_received_to_delivered_seconds{sink=\"cache\"}")),
                        Section.tenths(run.stages.mean("walroute_received_to_delivered_seconds{sink=\"audit\"}")),
                        Section.tenths(run.worstPauseMs),
                        Section.whole(run.stages.percentOfService()),
                        Section.whole(run.stages.percentOfTraffic()),
                        Section.whole(run.stages.percentOfMachine()));
                section.charts().add(overTime(what, run.report));
            }
        }
        section.tables().add(table);
        section.tables().add(stages);
        return section;
    }

    private static void rows(Section.Table table, String what, JsonNode report) {
        for (String sink : SINKS) {
            JsonNode of = report.path("sinks").path(sink);
            if (!of.path("measured").asBoolean()) {
                continue;
            }
            JsonNode due = of.path("latency");
            JsonNode commit = of.path("uncorrected");
            table.row(
                    what + ": " + sink,
                    Section.whole(due.path("samples").asDouble()),
                    ms(due, "p50_ms"),
                    ms(due, "p99_ms"),
                    ms(due, "p99_9_ms"),
                    ms(due, "max_ms"),
                    ms(commit, "p50_ms"),
                    ms(commit, "p99_ms"),
                    ms(commit, "p99_9_ms"),
                    ms(report.path("traffic"), "behind_schedule_ms"));
            Progress.say(what + ": " + sink + " p50 " + ms(due, "p50_ms") + " ms, p99 " + ms(due, "p99_ms")
                    + " ms, p99.9 " + ms(due, "p99_9_ms") + " ms");
        }
    }

    private static Section.Chart overTime(String what, JsonNode report) {
        var chart = Section.Chart.curves("p99 over time at " + what + ", ms (by when it was committed)", "s");
        for (String sink : SINKS) {
            List<double[]> points = new ArrayList<>();
            report.path("series").forEach(part -> {
                if (part.path(sink + "_p99_ms").isNumber()) {
                    points.add(new double[] {
                        part.path("second").asDouble(),
                        part.path(sink + "_p99_ms").asDouble()
                    });
                }
            });
            if (!points.isEmpty()) {
                chart.curve(sink, points);
            }
        }
        return chart;
    }

    private static String ms(JsonNode of, String member) {
        return of.path(member).isNumber() ? Section.tenths(of.path(member).asDouble()) : "–";
    }

    private record Run(JsonNode report, Stages stages, double worstPauseMs) {}

    private Run measure(int rate, Routes routes) throws Exception {
        try (Ground ground = new Ground()) {
            ground.publish(Marketplace.TABLES);
            ground.offer();
            Path home = Files.createTempDirectory(ground.folder(), "walroute-");
            try (var service = routes.prepare(new WalrouteProcess(ground, home, options.jvm()), ground)
                    .start()) {
                service.awaitReady();
                return load(service, rate, routes, home);
            }
        }
    }

    /** From then on it is the traffic's: its process starts for seconds, and how many depends on the machine. */
    private static void awaitFirstChange(WalrouteProcess service, Child load) throws Exception {
        long end = System.nanoTime() + START_PATIENCE.toNanos();
        while (service.counts().isEmpty()) {
            load.check();
            if (System.nanoTime() - end > 0) {
                throw new IOException("no change of the traffic came within " + START_PATIENCE.toSeconds() + " s");
            }
            LockSupport.parkNanos(50_000_000); // nobody here is told of another process' first change
        }
    }

    private Run load(WalrouteProcess service, int rate, Routes routes, Path home) throws Exception {
        Path log = home.resolve("load.json");
        Path jar = Path.of("target/walroute.jar").toAbsolutePath();
        List<String> command = new ArrayList<>(List.of(
                "sh",
                "-c",
                "exec \"$0\" \"$@\" 2>" + home.resolve("load.log"),
                Child.javaCommand(),
                "-Xmx256m",
                "-jar",
                jar.toString(),
                "load",
                "--json",
                "--rate",
                Integer.toString(rate),
                "--warm-up",
                options.latencyWarmUp + "s",
                "--duration",
                options.seconds + "s",
                "--connections",
                "8",
                "--large-every",
                "0"));
        if (routes == Routes.CACHE) {
            command.add("--no-audit-log");
        }
        Stages stages = null;
        List<Double> pauses = List.of();
        try (Child load = Child.start(command, service.environment(), null, log)) {
            awaitFirstChange(service, load);
            Thread.sleep(1_000L * options.latencyWarmUp); // the warm-up that --latency-warm-up asks for
            Stages.Look before = Stages.look(service, load);
            int earlier = service.collections().pausesMs().size();
            Thread.sleep(1_000L * options.seconds); // the traffic that --seconds asks for
            load.check();
            stages = new Stages(before, Stages.look(service, load));
            List<Double> all = service.collections().pausesMs();
            pauses = all.subList(earlier, all.size());
            load.await(Duration.ofSeconds(options.seconds * 3L + 180));
        } catch (IOException e) {
            if (!Files.readString(log).strip().startsWith("{")) {
                throw new IOException(e.getMessage() + Files.readString(home.resolve("load.log")), e);
            }
        }
        return new Run(
                json.readTree(log.toFile()),
                stages,
                pauses.stream().mapToDouble(each -> each).max().orElse(0));
    }
}
