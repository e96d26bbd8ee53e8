package io.walroute.service;

import io.walroute.admin.Api;
import io.walroute.admin.ApiException;
import io.walroute.hook.HookComponent;
import io.walroute.lanes.LanesComponent;
import io.walroute.lanes.LanesEndpoint;
import io.walroute.source.WalConsumer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.camel.CamelContext;
import org.apache.camel.Route;
import org.apache.camel.ServiceStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pauses and resumes what may stand still without losing order or changes: the source, sinks' routes and redrives. Behind a
 * paused sink changes wait in its lane, then on disk; behind a paused source in the WAL. A pause ends with the process. One
 * operation at a time; each blocks until it is done.
 */
final class Operations {
    private static final Logger LOG = LoggerFactory.getLogger(Operations.class);

    private final CamelContext camel;
    private final LanesComponent lanes;
    private final HookComponent hooks;

    Operations(CamelContext camel, LanesComponent lanes, HookComponent hooks) {
        this.camel = camel;
        this.lanes = lanes;
        this.hooks = hooks;
    }

    void register(Api api) {
        api.get("/routes", request -> routes());
        api.post("/routes/{id}/pause", request -> pause(request.path().get("id")));
        api.post("/routes/{id}/resume", request -> resume(request.path().get("id")));
        api.post(
                "/hooks/{name}/resume", request -> resumeReceiver(request.path().get("name")));
        api.post("/source/pause", request -> pause(sourceId()));
        api.post("/source/resume", request -> resume(sourceId()));
    }

    /** All routes, and which of them may be paused. */
    List<Map<String, Object>> routes() {
        List<Map<String, Object>> routes = new ArrayList<>();
        camel.getRoutes().forEach(route -> routes.add(describe(route)));
        routes.sort(Comparator.comparing(route -> (String) route.get("route")));
        return routes;
    }

    synchronized Map<String, Object> pause(String id) throws Exception {
        Route route = pausable(id);
        if (isPaused(route)) {
            return describe(route);
        }
        if (route.getEndpoint() instanceof LanesEndpoint lane) {
            lanes.pause(lane.getName());
        } else if (isSource(route)) {
            camel.getRouteController().stopRoute(id);
        } else {
            camel.getRouteController().suspendRoute(id);
        }
        LOG.warn("Route {} was paused by an operator. Go on: walroute resume {}", id, id);
        return describe(route);
    }

    synchronized Map<String, Object> resume(String id) throws Exception {
        Route route = pausable(id);
        if (!isPaused(route)) {
            return describe(route);
        }
        if (route.getEndpoint() instanceof LanesEndpoint lane) {
            lanes.resume(lane.getName());
        } else if (isSource(route)) {
            camel.getRouteController().startRoute(id);
        } else {
            camel.getRouteController().resumeRoute(id);
        }
        LOG.info("Route {} was resumed by an operator", id);
        return describe(route);
    }

    /** A pause is the receiver's wish or fault, so there is only a way back. */
    private Map<String, Object> resumeReceiver(String name) {
        try {
            Map<String, Object> facts = new LinkedHashMap<>();
            facts.put("receiver", name);
            facts.put("was", hooks.resume(name).orElse(null));
            return facts;
        } catch (IllegalArgumentException unknown) {
            throw new ApiException(404, unknown.getMessage());
        }
    }

    String sourceId() {
        return camel.getRoutes().stream()
                .filter(Operations::isSource)
                .map(Route::getId)
                .findFirst()
                .orElseThrow(() -> ApiException.conflict("no route reads from wal:, so there is no source"));
    }

    private Route pausable(String id) {
        Route route = camel.getRoute(id);
        if (route == null) {
            throw new ApiException(404, "there is no route " + id + ". Those that may be paused: " + pausableIds());
        }
        if (!isPausable(route)) {
            throw ApiException.badRequest(
                    "route " + id + " is called by others, which would fail and stop the stream. Pause "
                            + "one of these: " + pausableIds());
        }
        return route;
    }

    private String pausableIds() {
        return String.join(
                ", ",
                camel.getRoutes().stream()
                        .filter(Operations::isPausable)
                        .map(Route::getId)
                        .sorted()
                        .toList());
    }

    private static boolean isPausable(Route route) {
        return isSource(route)
                || route.getEndpoint() instanceof LanesEndpoint
                || route.getEndpoint().getEndpointUri().startsWith("dead-letter:");
    }

    private static boolean isSource(Route route) {
        return route.getConsumer() instanceof WalConsumer;
    }

    boolean isPaused(Route route) {
        if (route.getEndpoint() instanceof LanesEndpoint lane) {
            return lanes.isPaused(lane.getName());
        }
        ServiceStatus status = camel.getRouteController().getRouteStatus(route.getId());
        return status.isStopped() || status.isSuspended();
    }

    /** Those lanes that stand still, with the id of the route behind each. */
    Map<String, String> pausedLanes() {
        Map<String, String> paused = new TreeMap<>();
        for (Route route : camel.getRoutes()) {
            if (route.getEndpoint() instanceof LanesEndpoint lane && lanes.isPaused(lane.getName())) {
                paused.put(lane.getName(), route.getId());
            }
        }
        return paused;
    }

    private Map<String, Object> describe(Route route) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("route", route.getId());
        facts.put(
                "state",
                isPaused(route)
                        ? "Paused"
                        : camel.getRouteController()
                                .getRouteStatus(route.getId())
                                .name());
        facts.put("may_be_paused", isPausable(route));
        facts.put("description", route.getDescription());
        return facts;
    }
}
