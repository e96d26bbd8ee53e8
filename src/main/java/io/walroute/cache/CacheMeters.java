package io.walroute.cache;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** {@code walroute.cache.changes} by {@code result}: written, removed, older, filtered, failed. */
final class CacheMeters {
    private static final String NAME = "walroute.cache.changes";
    private static final String DESCRIPTION = "Changes that reached the cache, by what became of them";

    private final Map<RowCache.Outcome, Counter> outcomes = new EnumMap<>(RowCache.Outcome.class);
    private final Counter failed;

    CacheMeters(MeterRegistry registry) {
        for (var outcome : RowCache.Outcome.values()) {
            outcomes.put(outcome, counter(registry, outcome.name().toLowerCase(Locale.ROOT)));
        }
        failed = counter(registry, "failed");
    }

    private static Counter counter(MeterRegistry registry, String result) {
        return Counter.builder(NAME)
                .description(DESCRIPTION)
                .tag("result", result)
                .register(registry);
    }

    void count(RowCache.Outcome outcome, Throwable failure) {
        if (failure != null) {
            failed.increment();
        } else {
            outcomes.get(outcome).increment();
        }
    }
}
