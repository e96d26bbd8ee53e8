package io.walroute.notify;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The hub's meters. */
final class NotifyMeters {
    private final MeterRegistry registry;
    private final AtomicInteger clients = new AtomicInteger();
    private final AtomicInteger subscriptions = new AtomicInteger();
    private final Counter sent;
    private final Counter dropped;
    private final Counter closedSlow;
    private final List<Meter> gauges;

    NotifyMeters(MeterRegistry registry) {
        this.registry = registry;
        sent = Counter.builder("walroute.notify.sent")
                .description("Event frames handed to WebSocket connections")
                .register(registry);
        dropped = Counter.builder("walroute.notify.dropped")
                .description("Frames of the log that slow WebSocket clients were told of as a gap")
                .register(registry);
        closedSlow = Counter.builder("walroute.notify.closed.slow")
                .description("WebSocket clients that were closed because they did not keep up")
                .register(registry);
        gauges = List.of(
                Gauge.builder("walroute.notify.clients", clients, AtomicInteger::get)
                        .description("Open WebSocket connections")
                        .register(registry),
                Gauge.builder("walroute.notify.subscriptions", subscriptions, AtomicInteger::get)
                        .description("Subscriptions of open WebSocket connections")
                        .register(registry));
    }

    /** @return how many there are then */
    int clients(int more) {
        return clients.addAndGet(more);
    }

    void subscriptions(int more) {
        subscriptions.addAndGet(more);
    }

    void sent() {
        sent.increment();
    }

    /** @param why origin, token, limit or busy */
    void refused(String why) {
        Counter.builder("walroute.notify.refused")
                .description("WebSocket clients that were not let in")
                .tag("reason", why)
                .register(registry)
                .increment();
    }

    void closedSlow() {
        closedSlow.increment();
    }

    void dropped(long frames) {
        dropped.increment(frames);
    }

    /** A registry keeps the first gauge of a name: left there, it would hide the next hub's. */
    void close() {
        gauges.forEach(registry::remove);
    }
}
