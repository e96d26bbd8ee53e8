package io.walroute.lanes;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;

/** One lane's counters. A parked change that is redriven counts again, as what it then becomes. */
final class LaneMeters {
    private final MeterRegistry registry;
    private final String lane;
    final Counter delivered;
    final Counter parked;
    final Counter filtered;

    LaneMeters(MeterRegistry registry, String lane) {
        this.registry = registry;
        this.lane = lane;
        delivered = counter("walroute.delivered", "Changes that the sink took");
        parked = counter("walroute.parked", "Changes that went into the dead letters instead of the sink");
        filtered = counter("walroute.filtered", "Changes for a sink that is switched off");
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
        Gauge.builder("walroute.lane.parked.keys", watched, Lane::parkedKeys)
                .tag("sink", lane)
                .description("Keys whose changes are parked behind earlier ones")
                .register(registry);
    }
}
