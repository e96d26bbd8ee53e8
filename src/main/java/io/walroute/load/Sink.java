package io.walroute.load;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/**
 * How long after its commit each change was seen in one sink, in microseconds. What counts is the time since it would have been
 * committed had its writer kept to the rate: a writer that a stall holds up makes fewer changes meanwhile, and those it
 * didn't make would have waited too (coordinated omission). Without a rate nothing was due, and both are the same. What was
 * committed before the timeline's beginning doesn't count.
 *
 * <p>Any thread.
 */
final class Sink {
    static final long LONGEST_MICROS = 6L * 3600 * 1_000_000;

    private final Timeline timeline;
    private final Histogram latency = new ConcurrentHistogram(LONGEST_MICROS, 3);
    private final Histogram uncorrected = new ConcurrentHistogram(LONGEST_MICROS, 3);
    private final Histogram[] byCommit;
    private final AtomicLongArray byArrival;
    private final LongAdder arrived = new LongAdder();
    private final LongAdder total = new LongAdder();

    Sink(Timeline timeline) {
        this.timeline = timeline;
        byCommit = new Histogram[timeline.parts()];
        byArrival = new AtomicLongArray(timeline.parts());
    }

    /** Counts something that isn't of this run's own transactions, such as what the service writes back. */
    void arrived(long seenNanos) {
        total.increment();
        if (timeline.counts(seenNanos)) {
            arrived.increment();
        }
        // Summed up in the last part, all that comes later would look like a burst.
        if (timeline.covers(seenNanos)) {
            byArrival.incrementAndGet(timeline.part(seenNanos));
        }
    }

    void seen(Transactions.Entry transaction, long seenNanos) {
        // Seen before the commit's confirmation had come back: faster than can be measured.
        long committed = Math.min(
                seenNanos, transaction.committedAt() == Transactions.UNDER_WAY ? seenNanos : transaction.committedAt());
        if (!timeline.counts(committed)) {
            return;
        }
        long micros = (seenNanos - committed) / 1000;
        long corrected = Math.min(LONGEST_MICROS, micros + transaction.lateNanos() / 1000);
        uncorrected.recordValue(Math.min(LONGEST_MICROS, micros));
        latency.recordValue(corrected);
        record(timeline.part(committed), corrected);
    }

    private void record(int part, long micros) {
        synchronized (byCommit) {
            if (byCommit[part] == null) {
                byCommit[part] = new Histogram(2);
            }
            byCommit[part].recordValue(micros);
        }
    }

    /** Since the warm-up. */
    long arrivals() {
        return arrived.sum();
    }

    /** With those of the warm-up. */
    long allArrivals() {
        return total.sum();
    }

    long arrivals(int part) {
        return byArrival.get(part);
    }

    Histogram latency() {
        return latency;
    }

    Histogram uncorrected() {
        return uncorrected;
    }

    /** Of what was committed in that part; null if nothing was. Once the run is over. */
    Histogram latency(int part) {
        synchronized (byCommit) {
            return byCommit[part];
        }
    }
}
