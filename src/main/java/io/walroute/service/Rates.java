package io.walroute.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Meter;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/** How fast counters rise, over about the last minute. Safe to use from any thread. */
final class Rates {
    private static final int LOOKS = 21;

    private record Look(long nanos, Map<Meter.Id, Double> counts) {}

    private final Deque<Look> looks = new ArrayDeque<>();

    synchronized void look(long nanos, Collection<Counter> counters) {
        Map<Meter.Id, Double> counts = new HashMap<>();
        counters.forEach(counter -> counts.put(counter.getId(), counter.count()));
        looks.addLast(new Look(nanos, counts));
        if (looks.size() > LOOKS) {
            looks.removeFirst();
        }
    }

    /** 0 before two looks. */
    synchronized double perSecond(Counter counter) {
        if (looks.size() < 2) {
            return 0;
        }
        Look first = looks.peekFirst();
        Look last = looks.peekLast();
        // A counter that wasn't there yet stood at 0.
        double more = last.counts().getOrDefault(counter.getId(), 0.0)
                - first.counts().getOrDefault(counter.getId(), 0.0);
        return more / ((last.nanos() - first.nanos()) / 1e9);
    }
}
