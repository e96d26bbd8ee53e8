package io.walroute.source;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.walroute.change.ChangeEvent;
import io.walroute.change.LatencyBuckets;
import io.walroute.change.Operation;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Counts what the stream hands over. Used by the stream's thread only, one stream at a time. */
final class SourceMeters {
    // A label per table, but not without end: partitions by the day would grow for ever.
    private static final int MOST_TABLES = 500;
    private static final String OTHERS = "(others)";

    private final MeterRegistry registry;
    private final Timer commitToReceived;
    private final Map<String, Counter[]> received = new HashMap<>();

    SourceMeters(MeterRegistry registry) {
        this.registry = registry;
        commitToReceived = Timer.builder("walroute.commit.to.received")
                .description("From a change's commit until walroute has it")
                .serviceLevelObjectives(LatencyBuckets.bounds())
                .register(registry);
    }

    synchronized void received(ChangeEvent change, long nanosSinceCommit) {
        counter(change).increment();
        commitToReceived.record(nanosSinceCommit, TimeUnit.NANOSECONDS);
    }

    private Counter counter(ChangeEvent change) {
        String table = change.qualifiedTable();
        Counter[] ofTable = received.get(table);
        if (ofTable == null) {
            table = received.size() < MOST_TABLES ? table : OTHERS;
            ofTable = received.computeIfAbsent(table, name -> new Counter[Operation.values().length]);
        }
        int operation = change.operation().ordinal();
        if (ofTable[operation] == null) {
            ofTable[operation] = Counter.builder("walroute.received")
                    .description("Changes received, repeats included")
                    .tag("table", table)
                    .tag("operation", change.operation().name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
        return ofTable[operation];
    }
}
