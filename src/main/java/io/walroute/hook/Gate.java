package io.walroute.hook;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Decides when a waiting delivery may start: in arrival order, at most {@code concurrency} at a time, no faster than the
 * rate, none during a pause. Knows no clock and starts nothing itself; one thread at a time.
 */
final class Gate<T> {
    private final int concurrency;
    private final TokenBucket bucket;
    private final Deque<T> waiting = new ArrayDeque<>();
    private int running;
    private boolean paused;
    private long pausedUntilNanos;

    /** @param bucket null for no limit */
    Gate(int concurrency, TokenBucket bucket) {
        this.concurrency = concurrency;
        this.bucket = bucket;
    }

    void add(T item) {
        waiting.add(item);
    }

    /** The next that may start now, counted as running until {@link #finished()}; null if none may. */
    T next(long nowNanos) {
        if (waiting.isEmpty() || running >= concurrency || waitNanos(nowNanos) > 0) {
            return null;
        }
        if (bucket != null) {
            bucket.take();
        }
        running++;
        return waiting.poll();
    }

    /** Nanoseconds after which {@link #next} is worth another call though nothing finished; 0 if it is up to others. */
    long waitNanos(long nowNanos) {
        if (waiting.isEmpty() || running >= concurrency) {
            return 0;
        }
        if (paused && pausedUntilNanos - nowNanos > 0) {
            return pausedUntilNanos - nowNanos;
        }
        paused = false;
        return bucket == null ? 0 : bucket.waitNanos(nowNanos);
    }

    void finished() {
        running--;
    }

    boolean isIdle() {
        return running == 0 && waiting.isEmpty();
    }

    /** A pause never shortens an earlier one. */
    void pauseUntil(long nanos) {
        if (!paused || nanos - pausedUntilNanos > 0) {
            pausedUntilNanos = nanos;
        }
        paused = true;
    }

    /** Takes out all that wait. */
    List<T> clear() {
        var all = new ArrayList<>(waiting);
        waiting.clear();
        return all;
    }
}
