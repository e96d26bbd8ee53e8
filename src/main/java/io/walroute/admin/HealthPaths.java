package io.walroute.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.Map;

/**
 * {@code /observe/health}, {@code /live}, {@code /ready} and {@code /startup} on the management port. Camel's own paths know no
 * DEGRADED and hide what is unknown.
 *
 * <p>Everybody gets the status code, the status, and the checks by name: a load balancer has no token. Causes and figures (hosts,
 * slots, LSNs) are for callers that {@code /api} would answer: those with the token, and on loopback anybody.
 */
public final class HealthPaths {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Health health;
    private final ApiAccess access;

    public HealthPaths(Health health, ApiAccess access) {
        this.health = health;
        this.access = access;
    }

    public void mount(Router router) {
        // Nothing that a restart can't mend makes it dead: neither a database nor a sink that is away.
        router.get("/observe/health/live").handler(ctx -> answer(ctx, 200, Map.of("status", "UP")));
        router.get("/observe/health/startup").handler(this::startup);
        router.get("/observe/health/ready").handler(this::report);
        router.get("/observe/health").handler(this::report);
    }

    private void startup(RoutingContext ctx) {
        boolean started = health.isStarted();
        answer(ctx, started ? 200 : 503, Map.of("status", started ? "UP" : "DOWN"));
    }

    private void report(RoutingContext ctx) {
        Health.Report report = health.report();
        boolean detailed = access.check(ApiAccess.Call.of(ctx.request())).isEmpty();
        answer(ctx, report.isReady() ? 200 : 503, detailed ? report.toMap() : report.toPublicMap());
    }

    private static void answer(RoutingContext ctx, int status, Map<String, Object> body) {
        try {
            ctx.response()
                    .setStatusCode(status)
                    .putHeader("content-type", "application/json")
                    .putHeader("cache-control", "no-store")
                    .end(MAPPER.writeValueAsString(body));
        } catch (JsonProcessingException e) {
            ctx.fail(e);
        }
    }
}
