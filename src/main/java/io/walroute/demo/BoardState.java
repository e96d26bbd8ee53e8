package io.walroute.demo;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Everything that the demo's board shows, at one moment.
 *
 * @param firstChange from the start of the program to the first change in Redis; null until then
 * @param sinks in the order to show
 * @param lag null while the slot can't be looked at
 * @param frames WebSocket frames by topic
 * @param warnings the last few, newest last
 */
public record BoardState(
        Duration uptime,
        Duration firstChange,
        Flow made,
        Flow seen,
        Map<String, Sink> sinks,
        Lag lag,
        Webhooks webhooks,
        Map<String, Long> frames,
        long gaps,
        boolean subscriberConnected,
        long warningCount,
        List<String> warnings) {

    public record Flow(long total, double perSecond) {}

    /** @param parked changes that went into the dead letters instead */
    public record Sink(long delivered, double perSecond, long parked) {}

    public record Lag(long bytes, Duration behind, boolean active) {}

    public record Webhooks(long verified, long refused) {}

    public long parked() {
        return sinks.values().stream().mapToLong(Sink::parked).sum();
    }
}
