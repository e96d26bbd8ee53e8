package io.walroute.admin;

import java.util.Map;
import org.apache.camel.health.HealthCheck;

/** A health check of Camel's own, or of users' routes, as a part of {@link Health}. */
final class ForeignCheck {
    private ForeignCheck() {}

    /** What can't be told is DEGRADED: nothing says that changes don't get through. */
    static Health.Check ask(HealthCheck check) {
        try {
            HealthCheck.Result result = check.call();
            Health.Status status =
                    switch (result.getState()) {
                        case UP -> Health.Status.UP;
                        case DOWN -> Health.Status.DOWN;
                        case UNKNOWN -> Health.Status.DEGRADED;
                    };
            String message = result.getMessage()
                    .or(() -> result.getError().map(Throwable::toString))
                    .orElse(status == Health.Status.UP ? "well" : "it gives no reason");
            return new Health.Check(check.getId(), status, message, help(status), Map.of());
        } catch (RuntimeException e) {
            return new Health.Check(
                    check.getId(), Health.Status.DOWN, "the check failed: " + e, help(Health.Status.DOWN), Map.of());
        }
    }

    private static String help(Health.Status status) {
        return status == Health.Status.UP ? null : "walroute status";
    }
}
