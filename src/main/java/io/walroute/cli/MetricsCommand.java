package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.logging.Terminal;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "metrics",
        description = {
            "Shows what the running service measures.",
            "lag: how far the slot is behind. stats: changes per table and operation. errors: what went wrong, per sink and"
                    + " kind. handlers: how long routes take. Counts are since the service's start, rates of the last minute."
        },
        footer = {"", "Example: walroute metrics lag --watch"})
final class MetricsCommand implements Callable<Integer> {
    private static final List<String> REPORTS = List.of("lag", "stats", "errors", "handlers");
    private static final String CLEAR = "\u001b[H\u001b[2J";

    private final Session session;

    @Parameters(paramLabel = "REPORT", description = "lag, stats, errors or handlers.")
    private String report;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Option(names = "--watch", description = "Show it again and again, until Ctrl-C.")
    private boolean watch;

    @Option(
            names = "--interval",
            paramLabel = "TIME",
            converter = DurationConverter.class,
            defaultValue = "2s",
            description = "How often --watch looks (default: ${DEFAULT-VALUE}).")
    private Duration interval;

    @Option(names = "--count", paramLabel = "N", description = "End --watch after so many looks.")
    private Integer count;

    MetricsCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        if (!REPORTS.contains(report)) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "There is no report '" + report + "'. Write one of: " + String.join(", ", REPORTS));
        }
        if (count != null && count < 1) {
            throw new Failure(Failure.MISCONFIGURED, "--count " + count + " is not a number from 1");
        }
        if (count != null && !watch) {
            throw new Failure(Failure.MISCONFIGURED, "--count belongs to --watch. Add it");
        }
        var service = new ManagementClient(session.settings());
        boolean clear = watch && !json && Terminal.hasColours();
        for (int look = 1; ; look++) {
            JsonNode answer = service.get("/metrics/" + report, Map.of());
            show(answer, clear);
            if (!watch || count != null && look >= count) {
                return 0;
            }
            Thread.sleep(interval.toMillis()); // what --interval asks for
        }
    }

    private void show(JsonNode answer, boolean clear) {
        PrintStream out = session.out();
        if (json) {
            if (watch) {
                out.println(answer); // one line each: a stream that jq reads
            } else {
                Json.print(out, answer);
            }
            return;
        }
        if (clear) {
            out.print(CLEAR);
        }
        if (watch) {
            out.println(report + "  " + Instant.now().toString().substring(0, 19) + "Z");
        }
        if (answer.isObject()) {
            var shown = new HashSet<String>();
            answer.properties().forEach(each -> {
                String name = each.getKey();
                String title = shown.add(name(name)) ? name(name) : name(name) + kind(name);
                out.printf("%-24s %s%n", title, value(name, each.getValue()));
            });
        } else if (answer.isEmpty()) {
            out.println(report.equals("errors") ? "Nothing went wrong." : "Nothing was measured yet.");
        } else {
            TextTable.print(out, rows(answer));
        }
        if (watch && !clear) {
            out.println();
        }
        out.flush();
    }

    private static List<Map<String, Object>> rows(JsonNode answer) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (JsonNode each : answer) {
            Map<String, Object> row = new LinkedHashMap<>();
            each.properties()
                    .forEach(member -> row.put(name(member.getKey()), value(member.getKey(), member.getValue())));
            rows.add(row);
        }
        return rows;
    }

    /** The unit moves from the name into the value where that is turned into one for people. */
    private static String name(String member) {
        return member.replaceFirst("_(bytes|seconds)$", "").replace('_', ' ');
    }

    /** Tells two members apart that differ in nothing but their unit. */
    private static String kind(String member) {
        return member.endsWith("_bytes") ? " (size)" : member.endsWith("_seconds") ? " (time)" : "";
    }

    private static String value(String name, JsonNode value) {
        if (value.isNull()) {
            return name.equals("safe_wal_bytes") ? "no limit" : "-";
        }
        if (name.endsWith("_bytes")) {
            return bytes(value.asLong());
        }
        if (name.endsWith("_seconds")) {
            return seconds(value.asDouble());
        }
        if (name.endsWith("_at")) {
            return value.asText()
                            .substring(0, Math.min(19, value.asText().length()))
                            .replace('T', ' ') + "Z";
        }
        if (value.isFloatingPointNumber()) {
            return String.format(Locale.ROOT, "%.1f", value.asDouble());
        }
        return value.isIntegralNumber()
                ? String.format(Locale.ROOT, "%,d", value.asLong())
                : TextTable.oneLine(value.asText());
    }

    static String bytes(long bytes) {
        double size = bytes;
        for (String unit : List.of("B", "kB", "MB", "GB")) {
            if (Math.abs(size) < 1024) {
                return unit.equals("B") ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", size, unit);
            }
            size /= 1024;
        }
        return String.format(Locale.ROOT, "%.1f TB", size);
    }

    static String seconds(double seconds) {
        if (seconds < 60) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long whole = Math.round(seconds);
        return whole < 3600
                ? String.format(Locale.ROOT, "%d m %02d s", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%d h %02d m", whole / 3600, whole / 60 % 60);
    }
}
