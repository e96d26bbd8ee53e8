package io.walroute.demo;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/** Turns two WAL positions, looked at again and again, into a lag in time. A plain object; one thread's. */
final class LagClock {
    private record Sample(long nanos, long written) {}

    private final Deque<Sample> unconfirmed = new ArrayDeque<>();

    /**
     * @param written the end of the WAL now
     * @param confirmed up to where the slot's reader has acknowledged
     * @return how long ago the oldest unconfirmed position was seen first
     */
    Duration behind(long nanos, long written, long confirmed) {
        if (unconfirmed.isEmpty() || unconfirmed.peekLast().written < written) {
            unconfirmed.add(new Sample(nanos, written));
        }
        while (!unconfirmed.isEmpty() && unconfirmed.peekFirst().written <= confirmed) {
            unconfirmed.remove();
        }
        return unconfirmed.isEmpty() ? Duration.ZERO : Duration.ofNanos(nanos - unconfirmed.peekFirst().nanos);
    }
}
