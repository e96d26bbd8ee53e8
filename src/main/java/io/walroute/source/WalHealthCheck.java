package io.walroute.source;

import java.util.Map;
import org.apache.camel.health.HealthCheckResultBuilder;
import org.apache.camel.impl.health.AbstractHealthCheck;

/** Ready only while a change would get through. */
final class WalHealthCheck extends AbstractHealthCheck {
    private final WalConsumer consumer;

    WalHealthCheck(WalConsumer consumer, String routeId) {
        super("walroute", "wal-" + routeId);
        this.consumer = consumer;
    }

    @Override
    public boolean isLiveness() {
        return false; // killing a process mends neither a server nor a slot
    }

    @Override
    protected void doCall(HealthCheckResultBuilder result, Map<String, Object> options) {
        WalStatus status = consumer.status();
        result.message(status.message());
        result.detail("state", status.state().name());
        result.detail("since", status.since().toString());
        result.detail("restarts", status.restarts());
        result.detail("in_flight", status.held());
        if (status.state() == WalStatus.State.STREAMING) {
            result.up();
        } else {
            result.down();
        }
    }
}
