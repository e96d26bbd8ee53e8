package io.walroute.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.distribution.CountAtBucket;
import io.walroute.admin.Api;
import io.walroute.deadletter.DeadLetterComponent;
import io.walroute.deadletter.FailureReport;
import io.walroute.lanes.LanesEndpoint;
import io.walroute.source.SourceFigures;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.Route;
import org.apache.camel.api.management.ManagedCamelContext;
import org.apache.camel.api.management.mbean.ManagedRouteMBean;

/** {@code /api/metrics}: four reports for people, made of the meters that Prometheus scrapes. Counts are since the start. */
final class MetricsApi {
    private final CamelContext camel;
    private final ServiceMeters service;
    private final MeterRegistry registry;
    private final DeadLetterComponent deadLetters;
    private final String slotName;
    private final Operations operations;

    MetricsApi(
            CamelContext camel,
            ServiceMeters service,
            MeterRegistry registry,
            DeadLetterComponent deadLetters,
            String slotName,
            Operations operations) {
        this.camel = camel;
        this.service = service;
        this.registry = registry;
        this.deadLetters = deadLetters;
        this.slotName = slotName;
        this.operations = operations;
    }

    void register(Api api) {
        api.get("/metrics/lag", request -> lag());
        api.get("/metrics/stats", request -> stats());
        api.get("/metrics/errors", request -> errors());
        api.get("/metrics/handlers", request -> handlers());
    }

    // ---------------------------------------------------------------- lag

    Map<String, Object> lag() {
        Map<String, Object> lag = new LinkedHashMap<>();
        lag.put("slot", slotName);
        service.status().ifPresent(status -> lag.put("state", status.state().name()));
        Optional<SlotFigures.Look> look = service.slot();
        lag.put("lag_bytes", look.map(l -> l.slot().lagBytes()).orElse(null));
        lag.put("lag_seconds", service.lag().map(MetricsApi::rounded).orElse(null));
        Long kept = look.map(l -> l.slot().keptBytes()).orElse(null);
        Long safe = look.map(l -> l.slot().safeWalSize()).orElse(null);
        lag.put("kept_wal_bytes", kept);
        lag.put("safe_wal_bytes", safe);
        lag.put("wal_status", look.map(l -> l.slot().walStatus()).orElse(null));
        Optional<SourceFigures> figures = service.figures();
        lag.put("heartbeat_round_trip_ms", millis(figures.flatMap(SourceFigures::heartbeatRoundTrip)));
        lag.put("heartbeat_age_ms", millis(figures.flatMap(SourceFigures::heartbeatAge)));
        service.status().ifPresent(status -> {
            lag.put("in_flight", status.held());
            lag.put("in_flight_bytes", status.heldBytes());
        });
        lag.put(
                "oldest_in_flight_seconds",
                service.oldest().map(MetricsApi::rounded).orElse(0.0));
        lag.put("looked_at", look.map(l -> l.at().toString()).orElse(null));
        return lag;
    }

    private static Long millis(Optional<Duration> time) {
        return time.map(Duration::toMillis).orElse(null);
    }

    private static double rounded(Duration time) {
        return rounded(time.toNanos() / 1e9);
    }

    private static double rounded(double value) {
        return Math.round(value * 1000) / 1000.0;
    }

    // ---------------------------------------------------------------- stats

    List<Map<String, Object>> stats() {
        Map<List<String>, Map<String, Object>> rows = new TreeMap<>(
                Comparator.comparing((List<String> key) -> key.get(0)).thenComparing(key -> key.get(1)));
        for (Counter counter : registry.find("walroute.received").counters()) {
            Map<String, Object> row = row(rows, counter);
            row.put("count", (long) counter.count());
            row.put("per_second", rounded(service.rates().perSecond(counter)));
        }
        for (Counter counter : registry.find("walroute.skipped").counters()) {
            row(rows, counter).put("skipped", (long) counter.count());
        }
        return new ArrayList<>(rows.values());
    }

    private static Map<String, Object> row(Map<List<String>, Map<String, Object>> rows, Counter counter) {
        String table = counter.getId().getTag("table");
        String operation = counter.getId().getTag("operation");
        return rows.computeIfAbsent(List.of(table, operation), added -> {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("table", table);
            row.put("operation", operation);
            row.put("count", 0L);
            row.put("per_second", 0.0);
            row.put("skipped", 0L);
            return row;
        });
    }

    // ---------------------------------------------------------------- errors

    List<Map<String, Object>> errors() {
        return deadLetters.failures().stream().map(MetricsApi::error).toList();
    }

    private static Map<String, Object> error(FailureReport failure) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("sink", failure.sink());
        row.put("kind", failure.kind());
        row.put("failures", failure.failures());
        row.put("redeliveries", failure.redeliveries());
        row.put("parked", failure.parked());
        row.put("dead", failure.dead());
        row.put("last_at", failure.lastAt() == null ? null : failure.lastAt().toString());
        row.put("last_error", failure.lastError());
        return row;
    }

    // ---------------------------------------------------------------- handlers

    List<Map<String, Object>> handlers() {
        List<Map<String, Object>> rows = new ArrayList<>();
        ManagedCamelContext managed = camel.getCamelContextExtension().getContextPlugin(ManagedCamelContext.class);
        for (Route route : camel.getRoutes()) {
            ManagedRouteMBean bean = managed == null ? null : managed.getManagedRoute(route.getId());
            if (bean != null) {
                rows.add(handler(route, bean));
            }
        }
        rows.sort(Comparator.comparing(row -> (String) row.get("route")));
        return rows;
    }

    private Map<String, Object> handler(Route route, ManagedRouteMBean bean) {
        Map<String, Object> row = new LinkedHashMap<>();
        try {
            row.put("route", route.getId());
            row.put("state", operations.isPaused(route) ? "Paused" : bean.getState());
            row.put("count", bean.getExchangesTotal());
            row.put("failed", bean.getExchangesFailed());
            row.put("in_flight", bean.getExchangesInflight());
        } catch (Exception e) {
            throw new IllegalStateException("the counts of route " + route.getId() + " can't be read", e);
        }
        Timer timer = route.getEndpoint() instanceof LanesEndpoint lane
                ? registry.find("walroute.handled").tag("sink", lane.getName()).timer()
                : null;
        if (timer == null || timer.count() == 0) {
            row.put("mean_ms", bean.getExchangesTotal() == 0 ? null : (double) meanMs(bean));
            row.put("p50_ms", null);
            row.put("p99_ms", null);
        } else {
            CountAtBucket[] buckets = timer.takeSnapshot().histogramCounts();
            row.put("mean_ms", rounded(timer.mean(TimeUnit.MILLISECONDS)));
            row.put("p50_ms", quantileMs(buckets, timer.count(), 0.5));
            row.put("p99_ms", quantileMs(buckets, timer.count(), 0.99));
        }
        return row;
    }

    private static long meanMs(ManagedRouteMBean bean) {
        try {
            return bean.getMeanProcessingTime();
        } catch (Exception e) {
            throw new IllegalStateException("a route's mean time can't be read", e);
        }
    }

    /** Between two bounds all values are taken to lie evenly; above the highest bound nothing more is known. */
    static Double quantileMs(CountAtBucket[] cumulative, long count, double quantile) {
        double rank = quantile * count;
        double below = 0;
        double from = 0;
        for (CountAtBucket bucket : cumulative) {
            double to = bucket.bucket(TimeUnit.MILLISECONDS);
            if (Double.isInfinite(to)) {
                break;
            }
            if (bucket.count() >= rank && bucket.count() > below) {
                return rounded(from + (to - from) * (rank - below) / (bucket.count() - below));
            }
            below = bucket.count();
            from = to;
        }
        return from;
    }
}
