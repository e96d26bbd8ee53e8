package io.walroute.deadletter;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What went wrong on the way to each sink, by kind of failure, since the start. Kinds are names of exceptions, which are few;
 * should they not be, the rest counts as {@value #OTHERS}. Safe to use from any thread.
 */
final class FailureCounts {
    static final String NOT_TRIED = "not tried";
    private static final String OTHERS = "(others)";
    private static final int MOST_KINDS = 30;

    private record Key(String sink, String kind) {}

    private static final class Entry {
        private final Counter failures;
        private final Counter redeliveries;
        private final AtomicLong parked = new AtomicLong();
        private final AtomicLong dead = new AtomicLong();
        private volatile String lastError = "";
        private volatile Instant lastAt;

        Entry(Counter failures, Counter redeliveries) {
            this.failures = failures;
            this.redeliveries = redeliveries;
        }

        void note(String error) {
            lastError = error;
            lastAt = Instant.now();
        }
    }

    private final MeterRegistry registry;
    private final Map<Key, Entry> entries = new ConcurrentHashMap<>();
    /** Why redriven changes that are still under way were parked again. Bounded by how many of these there are. */
    private final Map<Key, String> parkedAgain = new ConcurrentHashMap<>();

    FailureCounts(MeterRegistry registry) {
        this.registry = registry;
    }

    /** One attempt failed, and another follows at once. */
    void redelivered(String sink, String kind, String error) {
        Entry entry = entry(sink, kind);
        entry.failures.increment();
        entry.redeliveries.increment();
        entry.note(error);
    }

    /** @param dead at once, without any further attempt; whether a redriven one is, {@link #redriven} says */
    void parked(String sink, String kind, Failure failure, String eventId, boolean redrive, boolean dead) {
        Entry entry = entry(sink, kind);
        if (failure.attempts() > 0) {
            entry.failures.increment();
        }
        entry.parked.incrementAndGet();
        entry.note(failure.cause());
        if (dead) {
            entry.dead.incrementAndGet();
        }
        if (redrive) {
            parkedAgain.put(new Key(sink, eventId), kind);
        }
    }

    /** A redriven change is no longer under way. */
    void redriven(String sink, String eventId, boolean dead) {
        String kind = parkedAgain.remove(new Key(sink, eventId));
        if (dead) {
            entry(sink, kind == null ? NOT_TRIED : kind).dead.incrementAndGet();
        }
    }

    private Entry entry(String sink, String kind) {
        Entry known = entries.get(new Key(sink, kind));
        if (known != null) {
            return known;
        }
        boolean full =
                entries.keySet().stream().filter(key -> key.sink().equals(sink)).count() >= MOST_KINDS;
        return entries.computeIfAbsent(
                new Key(sink, full ? OTHERS : kind),
                key -> new Entry(
                        counter("walroute.failures", "Attempts that failed", key),
                        counter("walroute.redeliveries", "Failed attempts that were followed by another", key)));
    }

    private Counter counter(String name, String description, Key key) {
        return Counter.builder(name)
                .description(description)
                .tag("sink", key.sink())
                .tag("kind", key.kind())
                .register(registry);
    }

    /** So that its series are there, as 0, before anything fails. */
    void expect(String sink) {
        entry(sink, NOT_TRIED);
    }

    /** What went wrong, those first that did so last. */
    List<FailureReport> report() {
        return entries.entrySet().stream()
                .filter(each ->
                        each.getValue().lastAt != null || each.getValue().dead.get() > 0)
                .map(each -> report(each.getKey(), each.getValue()))
                .sorted(Comparator.comparing(FailureReport::lastAt, Comparator.nullsLast(Comparator.reverseOrder())))
                .toList();
    }

    private static FailureReport report(Key key, Entry entry) {
        return new FailureReport(
                key.sink(),
                key.kind(),
                (long) entry.failures.count(),
                (long) entry.redeliveries.count(),
                entry.parked.get(),
                entry.dead.get(),
                entry.lastError,
                entry.lastAt);
    }
}
