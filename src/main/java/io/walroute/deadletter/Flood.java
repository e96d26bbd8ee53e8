package io.walroute.deadletter;

import java.time.Duration;

/**
 * Lets the first of many log lines through and counts the others, for one line a period that says how many they were. Knows no
 * clock. Safe to use from any thread.
 */
final class Flood {
    private final long periodNanos;
    private boolean said;
    private long lastNanos;
    private long unsaid;

    Flood(Duration period) {
        periodNanos = period.toNanos();
    }

    /** Whether to log this one; else it is counted. */
    synchronized boolean say(long nowNanos) {
        if (unsaid == 0 && (!said || nowNanos - lastNanos >= periodNanos)) {
            said = true;
            lastNanos = nowNanos;
            return true;
        }
        unsaid++;
        return false;
    }

    /** How many to sum up now; 0 if there are none, or if the last line was too short a time ago. */
    synchronized long rest(long nowNanos) {
        if (unsaid == 0 || nowNanos - lastNanos < periodNanos) {
            return 0;
        }
        return all(nowNanos);
    }

    /** How many are not said yet, whenever the last line was. */
    synchronized long all(long nowNanos) {
        long count = unsaid;
        unsaid = 0;
        lastNanos = nowNanos;
        return count;
    }
}
