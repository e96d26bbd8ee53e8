package io.walroute.load;

/**
 * Time since what counts began, cut into equal parts for the plots: not more than some hundred of them, however long the run is. What
 * comes after the last has no place; what lies before the beginning is warm-up. Immutable.
 *
 * @param beginNanos as of {@link System#nanoTime()}
 */
record Timeline(long beginNanos, long partNanos, int parts) {
    private static final int MOST = 120;

    /** Twice as long as the traffic lasts: what it leaves behind is worked off after it. */
    static Timeline of(long beginNanos, long durationNanos) {
        long seconds = Math.max(1, durationNanos / 1_000_000_000L);
        long partSeconds = (seconds + MOST - 1) / MOST;
        int parts = (int) ((seconds + partSeconds - 1) / partSeconds * 2 + 1);
        return new Timeline(beginNanos, partSeconds * 1_000_000_000L, parts);
    }

    int part(long nanoTime) {
        return (int) Math.max(0, Math.min(parts - 1, (nanoTime - beginNanos) / partNanos));
    }

    boolean covers(long nanoTime) {
        return counts(nanoTime) && nanoTime - beginNanos < parts * partNanos;
    }

    /** Whether the warm-up is over at that time. */
    boolean counts(long nanoTime) {
        return nanoTime - beginNanos >= 0;
    }

    double partSeconds() {
        return partNanos / 1e9;
    }
}
