package io.walroute.lanes;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.walroute.change.LatencyBuckets;
import java.util.concurrent.TimeUnit;

/** One lane's counters. A parked change that is redriven counts again, as what it then becomes. */
final class LaneMeters {
    private final MeterRegistry registry;
    private final String lane;
    private final Counter delivered;
    private final Timer handled;
    private final Timer receivedToDelivered;
    private final Timer committedToDelivered;
    final Counter parked;
    final Counter filtered;

    LaneMeters(MeterRegistry registry, String lane) {
        this.registry = registry;
        this.lane = lane;
        delivered = counter("walroute.delivered", "Changes that the sink took");
        parked = counter("walroute.parked", "Changes that went into the dead letters instead of the sink");
        filtered = counter("walroute.filtered", "Changes for a sink that is switched off");
        handled = timer("walroute.handled", "From the start of the sink's route until the sink took the change");
        receivedToDelivered =
                timer("walroute.received.to.delivered", "From the receipt of a change until the sink took it");
        committedToDelivered = timer("walroute.commit.to.delivered", "From a change's commit until the sink took it");
    }

    /** Latencies since commit and receipt are those of first deliveries: one that was parked for an hour is told by others. */
    void delivered(Delivery delivery) {
        delivered.increment();
        long now = System.nanoTime();
        handled.record(now - delivery.startedNanos, TimeUnit.NANOSECONDS);
        if (delivery.receivedNanos != 0) {
            receivedToDelivered.record(now - delivery.receivedNanos, TimeUnit.NANOSECONDS);
            committedToDelivered.record(now - delivery.committedNanos, TimeUnit.NANOSECONDS);
        }
    }

    private Timer timer(String name, String description) {
        return Timer.builder(name)
                .tag("sink", lane)
                .description(description)
                .serviceLevelObjectives(LatencyBuckets.bounds())
                .register(registry);
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name).tag("sink", lane).description(description).register(registry);
    }

    void watch(Lane watched) {
        Gauge.builder("walroute.lane.held", watched, Lane::held)
                .tag("sink", lane)
                .description("Changes that the lane holds, those under way included")
                .register(registry);
        Gauge.builder("walroute.lane.in.flight", watched, Lane::inFlight)
                .tag("sink", lane)
                .description("Changes on their way to the sink")
                .register(registry);
        Gauge.builder("walroute.lane.paused", watched, each -> each.isPaused() ? 1 : 0)
                .tag("sink", lane)
                .description("1 while an operator lets the sink's route stand still")
                .register(registry);
        Gauge.builder("walroute.lane.parked.keys", watched, Lane::parkedKeys)
                .tag("sink", lane)
                .description("Keys whose changes are parked behind earlier ones")
                .register(registry);
    }
}
