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
import java.util.Map;

/**
 * From commit until seen in Redis, by a WebSocket client and by a webhook receiver, at several rates: the product's own routes, as
 * they are, under {@code walroute load}.
 */
final class LatencyPart implements Part {
    private static final int WARM_UP_SECONDS = 20;
    private static final List<String> SINKS = List.of("cache", "websocket", "webhook");

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
                "walroute load on the product's own routes, all sinks on; webhooks one by one. Latency counts from when a change was"
                        + " due (coordinated omission); uncorrected from its commit. " + options.seconds
                        + " s each, after "
                        + WARM_UP_SECONDS
                        + " s of warm-up at the same rate; transactions of one to some twenty changes, none larger;"
                        + " synchronous_commit on. HdrHistogram.");
        var table = Section.Table.of(
                "Milliseconds",
                "rate and sink",
                "samples",
                "p50",
                "p99",
                "p99.9",
                "max",
                "uncorrected p50",
                "p99",
                "p99.9",
                "behind schedule ms");
        for (int rate : options.rates) {
            Progress.say("latency at " + rate + " changes/s …");
            JsonNode report = measure(rate);
            raw.put(Integer.toString(rate), report);
            if (!report.path("result").asText().equals("passed")) {
                section.faults().add("at " + rate + "/s: " + report.path("check"));
            }
            for (String sink : SINKS) {
                JsonNode of = report.path("sinks").path(sink);
                JsonNode due = of.path("latency");
                JsonNode commit = of.path("uncorrected");
                table.row(
                        rate + "/s " + sink,
                        Section.whole(due.path("samples").asDouble()),
                        ms(due, "p50_ms"),
                        ms(due, "p99_ms"),
                        ms(due, "p99_9_ms"),
                        ms(due, "max_ms"),
                        ms(commit, "p50_ms"),
                        ms(commit, "p99_ms"),
                        ms(commit, "p99_9_ms"),
                        ms(report.path("traffic"), "behind_schedule_ms"));
                Progress.say(rate + "/s " + sink + ": p50 " + ms(due, "p50_ms") + " ms, p99 " + ms(due, "p99_ms")
                        + " ms, p99.9 " + ms(due, "p99_9_ms") + " ms");
            }
            section.charts().add(overTime(rate, report));
        }
        section.tables().add(table);
        return section;
    }

    private static Section.Chart overTime(int rate, JsonNode report) {
        var chart = Section.Chart.curves("p99 over time at " + rate + " changes/s, ms (by when it was committed)", "s");
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

    private JsonNode measure(int rate) throws Exception {
        try (Ground ground = new Ground()) {
            ground.publish(Marketplace.TABLES);
            ground.offer();
            Path home = Files.createTempDirectory(ground.folder(), "walroute-");
            try (var service = new WalrouteProcess(ground, home, options.jvm())
                    .allProduct()
                    .redis(ground)
                    .webSocket()
                    .hook(FreePort.any())
                    .start()) {
                service.awaitReady();
                load(service, rate, WARM_UP_SECONDS, home);
                return load(service, rate, options.seconds, home);
            }
        }
    }

    private JsonNode load(WalrouteProcess service, int rate, int seconds, Path home) throws Exception {
        Path log = home.resolve("load.json");
        Path jar = Path.of("target/walroute.jar").toAbsolutePath();
        var command = List.of(
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
                "--duration",
                seconds + "s",
                "--connections",
                "8",
                "--large-every",
                "0");
        try (Child load = Child.start(command, service.environment(), null, log)) {
            load.await(Duration.ofSeconds(seconds * 3L + 180));
        } catch (IOException e) {
            if (!Files.readString(log).strip().startsWith("{")) {
                throw new IOException(e.getMessage() + Files.readString(home.resolve("load.log")), e);
            }
        }
        return json.readTree(log.toFile());
    }
}
