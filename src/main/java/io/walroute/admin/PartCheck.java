package io.walroute.admin;

import java.util.Map;
import java.util.function.Supplier;
import org.apache.camel.health.HealthCheckResultBuilder;
import org.apache.camel.impl.health.AbstractHealthCheck;

/** A part of {@link Health} as Camel sees it: Camel knows no DEGRADED, which is UP with the status among the details. */
final class PartCheck extends AbstractHealthCheck {
    private final Supplier<Health.Check> part;

    PartCheck(String name, Supplier<Health.Check> part) {
        super("walroute", name);
        this.part = part;
    }

    Health.Check ask() {
        return part.get();
    }

    @Override
    protected void doCall(HealthCheckResultBuilder result, Map<String, Object> options) {
        Health.Check check = ask();
        result.message(check.message());
        result.detail("status", check.status().name());
        if (check.command() != null) {
            result.detail("command", check.command());
        }
        check.details().forEach(result::detail);
        if (check.status() == Health.Status.DOWN) {
            result.down();
        } else {
            result.up();
        }
    }
}
