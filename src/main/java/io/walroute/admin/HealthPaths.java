package io.walroute.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * {@code /observe/health}, {@code /live}, {@code /ready} and {@code /startup} on the management port: what Camel's checks say.
 * Camel's own paths know no DEGRADED and hide what is unknown.
 *
 * <p>Everybody gets the status code, the status, and the checks by name: a load balancer has no token. Causes, commands and figures
 * (hosts, slots, LSNs) are for callers that {@code /api} would answer: those with the token, and on loopback anybody.
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
        router.get("/observe/health/live").handler(ctx -> report(ctx, health::live));
        router.get("/observe/health/startup").handler(this::startup);
        router.get("/observe/health/ready").handler(ctx -> report(ctx, health::report));
        router.get("/observe/health").handler(ctx -> report(ctx, health::report));
    }

    private void startup(RoutingContext ctx) {
        boolean started = health.isStarted();
        answer(ctx, started ? 200 : 503, Map.of("status", started ? "UP" : "DOWN"));
    }

    /** Not on the event loop: users' own checks may wait for something. */
    private void report(RoutingContext ctx, Callable<Health.Report> checks) {
        boolean detailed = access.check(ApiAccess.Call.of(ctx.request())).isEmpty();
        ctx.vertx().executeBlocking(checks, false).onComplete(done -> {
            if (done.failed()) {
                ctx.fail(done.cause());
                return;
            }
            Health.Report report = done.result();
            answer(ctx, report.isReady() ? 200 : 503, detailed ? report.toMap() : report.toPublicMap());
        });
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
