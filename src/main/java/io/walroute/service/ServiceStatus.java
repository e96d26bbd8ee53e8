package io.walroute.service;

import io.walroute.admin.Health;
import io.walroute.deadletter.DeadLetters;
import io.walroute.settings.Settings;
import io.walroute.source.WalStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.camel.CamelContext;
import org.apache.camel.Route;

/** What the service adds to {@code walroute status}: GET {@code /api/status}. Made for each call; nothing is remembered. */
final class ServiceStatus {
    // For whoever comes in the morning, a command has its --list.
    private static final Duration NEWS = Duration.ofHours(1);

    private final Map<String, Object> map = new LinkedHashMap<>();
    private final Map<String, Map<String, Object>> sinks = new TreeMap<>();
    private final List<Map<String, Object>> routes;

    ServiceStatus(
            Settings settings,
            CamelContext camel,
            Health health,
            Supplier<Map<String, Object>> walFigures,
            Supplier<Optional<WalStatus>> source) {
        Health.Report report = health.report();
        // So that whoever asks knows whether this is the service that was meant.
        map.put("database", settings.databaseUrl().toString());
        map.put("slot", settings.replicationSlot());
        map.put("status", report.status().name());
        map.put("uptime_seconds", camel.getUptime().toSeconds());
        map.put("source", source.get().map(ServiceStatus::source).orElse(null));
        map.put("wal", walFigures.get());
        routes = routes(camel);
        map.put("routes", routes);
        map.put("checks", report.toMap().get("checks"));
    }

    /**
     * @param off those without settings
     * @param circuits by sink; a sink that has none isn't among them
     */
    ServiceStatus sinks(
            List<String> off,
            Supplier<Map<String, String>> circuits,
            Supplier<List<DeadLetters.Count>> standing,
            Function<String, Optional<String>> problem) {
        List.of("cache", "notify", "hook").forEach(sink -> sinks.put(sink, sink(sink)));
        circuits.get()
                .forEach((sink, state) ->
                        sinks.computeIfAbsent(sink, ServiceStatus::sink).put("circuit", state));
        for (DeadLetters.Count count : standing.get()) {
            sinks.computeIfAbsent(count.sink(), ServiceStatus::sink)
                    .put(count.state().name().toLowerCase(java.util.Locale.ROOT), count.letters());
        }
        sinks.forEach((name, sink) -> {
            sink.put("problem", problem.apply(name).orElse(null));
            if (off.contains(name)) {
                sink.put("state", "off");
                sink.put("problem", null);
            }
        });
        map.put("sinks", new ArrayList<>(sinks.values()));
        return this;
    }

    /**
     * What an operator let stand still says so, and how it goes on. After {@link #sinks}.
     *
     * @param lanes the paused ones, with the id of the route behind each
     */
    ServiceStatus paused(Map<String, String> lanes) {
        routes.stream()
                .filter(route -> lanes.containsValue(route.get("route")))
                .forEach(route -> route.put("state", "paused"));
        lanes.forEach((lane, route) -> {
            Map<String, Object> sink = sinks.computeIfAbsent(lane, ServiceStatus::sink);
            sink.put("state", "paused");
            sink.put("problem", "paused by an operator. Go on: walroute resume " + route);
        });
        map.put("sinks", new ArrayList<>(sinks.values()));
        return this;
    }

    private static Map<String, Object> sink(String name) {
        Map<String, Object> sink = new LinkedHashMap<>();
        sink.put("sink", name);
        sink.put("state", "on");
        sink.put("circuit", null);
        sink.put("parked", 0L);
        sink.put("dead", 0L);
        sink.put("problem", null);
        return sink;
    }

    /** One more part; one that can't be told must not hide the others. */
    ServiceStatus with(String name, Callable<Object> part) {
        try {
            map.put(name, part.call());
        } catch (Exception e) {
            map.put(name, Map.of("error", StartFailure.line(e)));
        }
        return this;
    }

    Map<String, Object> toMap() {
        return map;
    }

    /** Whether what ended then is still worth a line. */
    static boolean isNews(Instant ended, Instant now) {
        return Duration.between(ended, now).compareTo(NEWS) < 0;
    }

    private static Map<String, Object> source(WalStatus status) {
        Map<String, Object> source = new LinkedHashMap<>();
        source.put("state", status.state().name());
        source.put("message", status.message());
        source.put("since", status.since().toString());
        source.put("restarts", status.restarts());
        source.put("in_flight", status.held());
        source.put("in_flight_bytes", status.heldBytes());
        source.put("received", status.received());
        return source;
    }

    private static List<Map<String, Object>> routes(CamelContext camel) {
        List<Map<String, Object>> routes = new ArrayList<>();
        for (Route route : camel.getRoutes()) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("route", route.getId());
            each.put(
                    "state",
                    camel.getRouteController()
                            .getRouteStatus(route.getId())
                            .name()
                            .toLowerCase(java.util.Locale.ROOT));
            each.put("from", route.getEndpoint().getEndpointKey());
            routes.add(each);
        }
        routes.sort(java.util.Comparator.comparing(each -> (String) each.get("route")));
        return routes;
    }
}
