package io.walroute.store;

import java.time.Duration;

/**
 * How the writer shares SQLite's lock with other processes. That lock is not fair: who waits for it asks every 100 ms at most, and
 * finds it taken as long as one transaction follows the other. A command must get through all the same.
 *
 * <p>While next to nothing is queued, the lock is left alone half of the time, by a short rest after each transaction: whoever asks
 * gets it soon, and what gathers meanwhile costs one transaction, and one flush of the disk, less. While little is queued, it is a
 * fifth of the time: more would be felt, since the next frame of a row waits for the one before. A writer that is busy all the
 * same stands still once in {@link #TURN}, so long that everybody has asked.
 */
final class Turns {
    static final Duration TURN = Duration.ofSeconds(2);
    static final Duration OTHERS_TURN = Duration.ofMillis(110);
    /** More would be felt by what waits for the disk: a WebSocket frame, say. */
    static final Duration LONGEST_REST = Duration.ofMillis(10);
    /** Of a turn: above it, asking now and then may go wrong for seconds. */
    private static final double MOST_HELD = 0.6;
    /** Writes that wait: fewer are next to nothing. */
    private static final int NEXT_TO_NOTHING = 10;
    /** Writes that wait: more are too many for a rest. */
    private static final int LITTLE = 100;

    private long began;
    private long held;

    Turns(long now) {
        began = now;
    }

    /**
     * @param from when the transaction that has just ended began
     * @param now when it ended
     * @param waiting how many writes wait already
     * @return for how long the lock is to be left alone, in nanoseconds
     */
    long restAfter(long from, long now, int waiting) {
        held += now - from;
        long elapsed = now - began;
        if (elapsed >= TURN.toNanos()) {
            long rest = held > MOST_HELD * elapsed ? OTHERS_TURN.toNanos() : 0;
            began = now + rest;
            held = 0;
            return rest;
        }
        if (waiting >= LITTLE) {
            return 0;
        }
        long share = waiting < NEXT_TO_NOTHING ? held : held / 4;
        return Math.max(0, Math.min(held + share - elapsed, LONGEST_REST.toNanos()));
    }
}
