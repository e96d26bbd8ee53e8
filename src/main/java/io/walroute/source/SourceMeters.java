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
    private final Map<String, Counter[]> skipped = new HashMap<>();

    SourceMeters(MeterRegistry registry) {
        this.registry = registry;
        commitToReceived = Timer.builder("walroute.commit.to.received")
                .description("From a change's commit until walroute has it")
                .serviceLevelObjectives(LatencyBuckets.bounds())
                .register(registry);
    }

    synchronized void received(ChangeEvent change, long nanosSinceCommit) {
        counter("received", "Changes received, repeats included", received, change.qualifiedTable(), change.operation())
                .increment();
        commitToReceived.record(nanosSinceCommit, TimeUnit.NANOSECONDS);
    }

    synchronized void skipped(String table, Operation operation) {
        counter("skipped", "Changes passed over by an operator's order, repeats included", skipped, table, operation)
                .increment();
    }

    private Counter counter(
            String name, String description, Map<String, Counter[]> known, String table, Operation operation) {
        Counter[] ofTable = known.get(table);
        if (ofTable == null) {
            table = known.size() < MOST_TABLES ? table : OTHERS;
            ofTable = known.computeIfAbsent(table, added -> new Counter[Operation.values().length]);
        }
        if (ofTable[operation.ordinal()] == null) {
            ofTable[operation.ordinal()] = Counter.builder("walroute." + name)
                    .description(description)
                    .tag("table", table)
                    .tag("operation", operation.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
        return ofTable[operation.ordinal()];
    }
}
