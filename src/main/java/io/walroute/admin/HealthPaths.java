package io.walroute.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.Map;

/**
 * {@code /observe/health}, {@code /live} and {@code /ready} on the management port. Camel's own paths know no DEGRADED and
 * hide what is unknown.
 */
public final class HealthPaths {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Health health;

    public HealthPaths(Health health) {
        this.health = health;
    }

    public void mount(Router router) {
        router.get("/observe/health/live").handler(ctx -> answer(ctx, 200, Map.of("status", "UP")));
        router.get("/observe/health/ready").handler(this::report);
        router.get("/observe/health").handler(this::report);
    }

    private void report(RoutingContext ctx) {
        Health.Report report = health.report();
        answer(ctx, report.isReady() ? 200 : 503, report.toMap());
    }

    private static void answer(RoutingContext ctx, int status, Map<String, Object> body) {
        try {
            ctx.response()
                    .setStatusCode(status)
                    .putHeader("content-type", "application/json")
                    .end(MAPPER.writeValueAsString(body));
        } catch (JsonProcessingException e) {
            ctx.fail(e);
        }
    }
}
