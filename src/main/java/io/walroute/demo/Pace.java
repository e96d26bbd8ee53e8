package io.walroute.demo;

/** Spreads changes evenly over time. A plain object: the caller gives the time, in nanoseconds, and does the waiting. */
final class Pace {
    /** How far a stall is made up for by going faster; beyond that it is forgotten, or the database would be flooded. */
    private static final long MAKE_UP_NANOS = 2_000_000_000L;

    private final double nanosPerChange;
    private double due;

    /** @param perSecond 0 for no limit */
    Pace(double perSecond, long now) {
        nanosPerChange = perSecond == 0 ? 0 : 1e9 / perSecond;
        due = now;
    }

    /** Notes changes as made and answers how long to wait before the next. */
    long waitAfter(int changes, long now) {
        if (nanosPerChange == 0) {
            return 0;
        }
        due = Math.max(due + changes * nanosPerChange, now - MAKE_UP_NANOS);
        return Math.max(0, (long) due - now);
    }
}
