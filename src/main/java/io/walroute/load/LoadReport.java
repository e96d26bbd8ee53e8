package io.walroute.load;

import io.walroute.demo.Simulator;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** What a load run found, as JSON's members ({@code docs/load.md}) and as text; {@link LoadPage} draws it. Immutable. */
public final class LoadReport {
    /** The percentiles that are told, by their member's name. */
    static final Map<String, Double> PERCENTILES = percentiles();

    private final Map<String, Object> document = new LinkedHashMap<>();
    private final Map<String, Sink> sinks;
    private final boolean passed;
    private final List<String> details;

    LoadReport(
            Instant startedAt,
            LoadOptions options,
            boolean endedEarly,
            Simulator.Progress made,
            Duration lasted,
            Duration settling,
            Traffic traffic,
            Timeline timeline,
            Map<String, Sink> sinks,
            Map<String, String> leftOut,
            long gaps,
            long refused,
            boolean quiet,
            ServiceView.State before,
            ServiceView.State after,
            AuditCheck.Result audit,
            CacheCheck.Result cache) {
        this.sinks = sinks;
        passed = quiet && (audit == null || audit.passed()) && (cache == null || cache.passed());
        details = cache == null ? List.of() : cache.details();
        document.put("result", passed ? "passed" : "failed");
        document.put("started_at", startedAt.toString());
        document.put("ended_early", endedEarly);
        document.put("options", options(options));
        document.put("traffic", traffic(made, lasted, traffic));
        document.put("sinks", sinks(leftOut, lasted.plus(settling), options.ratePerSecond() > 0, gaps, refused));
        document.put("check", check(quiet, settling, before, after, audit, cache));
        document.put("series", series(timeline, traffic));
    }

    private static Map<String, Double> percentiles() {
        Map<String, Double> percentiles = new LinkedHashMap<>();
        percentiles.put("p50_ms", 50.0);
        percentiles.put("p90_ms", 90.0);
        percentiles.put("p99_ms", 99.0);
        percentiles.put("p99_9_ms", 99.9);
        return percentiles;
    }

    public boolean passed() {
        return passed;
    }

    /** As {@code --json} prints it. */
    public Map<String, Object> toMap() {
        return document;
    }

    Map<String, Sink> measured() {
        return sinks;
    }

    // ---------------------------------------------------------------- document

    private static Map<String, Object> options(LoadOptions options) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("warm_up_seconds", seconds(options.warmUp()));
        map.put("duration_seconds", seconds(options.duration()));
        map.put("rate", options.ratePerSecond() == 0 ? "max" : options.ratePerSecond());
        map.put("seed", options.seed());
        map.put("connections", options.connections());
        map.put("large_every", options.largeEvery());
        return map;
    }

    private static Map<String, Object> traffic(Simulator.Progress made, Duration lasted, Traffic traffic) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("changes", made.changes());
        map.put("transactions", made.transactions());
        map.put("rollbacks", made.rollbacks());
        map.put("seconds", seconds(lasted));
        map.put("changes_per_second", rounded(made.changes() / Math.max(1e-3, lasted.toNanos() / 1e9)));
        map.put("largest_transaction", traffic.largestTransaction());
        map.put("behind_schedule_ms", rounded(traffic.latestNanos() / 1e6));
        map.put("by_kind", made.byKind());
        return map;
    }

    private Map<String, Object> sinks(
            Map<String, String> leftOut, Duration all, boolean corrected, long gaps, long refused) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (String name : List.of("cache", "websocket", "webhook")) {
            Sink sink = sinks.get(name);
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("measured", sink != null);
            each.put("reason", sink != null ? null : leftOut.get(name));
            each.put("arrived", sink == null ? null : sink.arrivals());
            each.put(
                    "arrived_per_second",
                    sink == null ? null : rounded(sink.arrivals() / Math.max(1e-3, all.toNanos() / 1e9)));
            each.put("latency", sink == null ? null : latency(sink.latency()));
            each.put("uncorrected", sink == null || !corrected ? null : latency(sink.uncorrected()));
            map.put(name, each);
        }
        map.put("gaps", gaps);
        map.put("refused_webhooks", refused);
        return map;
    }

    private static Map<String, Object> latency(Histogram micros) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("samples", micros.getTotalCount());
        PERCENTILES.forEach((name, percentile) -> map.put(name, millis(micros, percentile)));
        map.put("max_ms", micros.getTotalCount() == 0 ? null : micros.getMaxValue() / 1e3);
        map.put("mean_ms", micros.getTotalCount() == 0 ? null : rounded(micros.getMean() / 1e3));
        return map;
    }

    private static Double millis(Histogram micros, double percentile) {
        return micros == null || micros.getTotalCount() == 0 ? null : micros.getValueAtPercentile(percentile) / 1e3;
    }

    private static Map<String, Object> check(
            boolean quiet,
            Duration settling,
            ServiceView.State before,
            ServiceView.State after,
            AuditCheck.Result audit,
            CacheCheck.Result cache) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("quiet", quiet);
        map.put("quiet_after_seconds", seconds(settling));
        map.put("in_flight", after.inFlight());
        map.put("parked", after.parked());
        map.put("dead", after.dead() - before.dead());
        map.put("audit", audit);
        map.put("cache", cache);
        return map;
    }

    private List<Map<String, Object>> series(Timeline timeline, Traffic traffic) {
        List<Map<String, Object>> parts = new ArrayList<>();
        int last = 0;
        for (int i = 0; i < timeline.parts(); i++) {
            Map<String, Object> part = new LinkedHashMap<>();
            part.put("second", i * timeline.partSeconds());
            part.put("committed", traffic.committed(i));
            boolean any = traffic.committed(i) > 0;
            for (var each : sinks.entrySet()) {
                Sink sink = each.getValue();
                any |= sink.arrivals(i) > 0;
                part.put(each.getKey(), sink.arrivals(i));
                part.put(each.getKey() + "_p50_ms", millis(sink.latency(i), 50));
                part.put(each.getKey() + "_p99_ms", millis(sink.latency(i), 99));
            }
            parts.add(part);
            last = any ? i + 1 : last;
        }
        return List.copyOf(parts.subList(0, last));
    }

    private static double seconds(Duration time) {
        return rounded(time.toNanos() / 1e9);
    }

    private static double rounded(double value) {
        return Math.round(value * 1000) / 1000.0;
    }

    // ---------------------------------------------------------------- text

    public void print(PrintStream out) {
        headline().forEach(out::println);
        out.println();
        latencyLines().forEach(out::println);
        out.println();
        checkLines().forEach(out::println);
    }

    List<String> headline() {
        Map<?, ?> traffic = (Map<?, ?>) document.get("traffic");
        Map<?, ?> options = (Map<?, ?>) document.get("options");
        List<String> lines = new ArrayList<>();
        lines.add(format(
                "Committed %,d changes in %,d transactions within %.1f s: %,.0f/s (wanted: %s); the largest changed %,d rows.",
                traffic.get("changes"),
                traffic.get("transactions"),
                traffic.get("seconds"),
                traffic.get("changes_per_second"),
                options.get("rate") instanceof Double rate ? format("%,.0f/s", rate) : "as many as possible",
                traffic.get("largest_transaction")));
        if (((Number) options.get("warm_up_seconds")).doubleValue() > 0) {
            lines.add(format(
                    "Before that, %.1f s of warm-up that don't count (the check has them).",
                    options.get("warm_up_seconds")));
        }
        if (options.get("rate") instanceof Double) {
            lines.add(format(
                    "Latency counts from when each was due; the writers were at most %,.0f ms late.",
                    traffic.get("behind_schedule_ms")));
        }
        if (Boolean.TRUE.equals(document.get("ended_early"))) {
            lines.add("Ended early, as asked.");
        }
        return lines;
    }

    private List<String> latencyLines() {
        List<String> lines = new ArrayList<>();
        lines.add(format(
                "%-10s %10s %9s %9s %9s %9s %9s %9s",
                "SINK", "ARRIVED", "PER S", "P50 MS", "P90 MS", "P99 MS", "P99.9 MS", "MAX MS"));
        Map<?, ?> all = (Map<?, ?>) document.get("sinks");
        for (String name : List.of("cache", "websocket", "webhook")) {
            Map<?, ?> sink = (Map<?, ?>) all.get(name);
            if (sink.get("latency") instanceof Map<?, ?> latency) {
                lines.add(format(
                        "%-10s %,10d %,9.0f %s %s %s %s %s",
                        name,
                        sink.get("arrived"),
                        sink.get("arrived_per_second"),
                        cell(latency.get("p50_ms")),
                        cell(latency.get("p90_ms")),
                        cell(latency.get("p99_ms")),
                        cell(latency.get("p99_9_ms")),
                        cell(latency.get("max_ms"))));
            } else {
                lines.add(format("%-10s not measured: %s", name, sink.get("reason")));
            }
        }
        return lines;
    }

    private static String cell(Object millis) {
        return millis == null ? format("%9s", "-") : format("%,9.1f", millis);
    }

    List<String> checkLines() {
        Map<?, ?> check = (Map<?, ?>) document.get("check");
        List<String> lines = new ArrayList<>();
        lines.add(
                Boolean.TRUE.equals(check.get("quiet"))
                        ? format("Quiet %.1f s after the traffic.", check.get("quiet_after_seconds"))
                        : format(
                                "Not quiet: %,d in flight, %,d parked, and nothing moves. See: walroute status, walroute dead-letters list",
                                check.get("in_flight"), check.get("parked")));
        if (check.get("audit") instanceof AuditCheck.Result audit) {
            lines.add(format(
                    "Audit log: %,d of %,d changes, %,d missing, %,d too often.",
                    audit.found(), audit.expected(), audit.missing(), audit.repeated()));
        } else {
            lines.add("Audit log: not compared, as asked.");
        }
        if (check.get("cache") instanceof CacheCheck.Result cache) {
            lines.add(format(
                    "Cache: %,d rows compared, %,d missing, %,d different, %,d stale.",
                    cache.rows(), cache.missing(), cache.different(), cache.stale()));
            if (cache.notWarmed() > 0) {
                lines.add(format(
                        "  %,d rows of before the run aren't in the cache. Run: walroute backfill", cache.notWarmed()));
            }
            details.forEach(detail -> lines.add("  " + detail));
        } else {
            lines.add("Cache: off (REDIS_URL is not set).");
        }
        if (((Number) check.get("dead")).longValue() > 0) {
            lines.add(format("%,d deliveries are dead. See: walroute dead-letters list", check.get("dead")));
        }
        lines.add(passed ? "The check passed." : "The check FAILED.");
        return lines;
    }

    private static String format(String pattern, Object... values) {
        return String.format(Locale.ROOT, pattern, values);
    }
}
