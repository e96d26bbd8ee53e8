package io.walroute.demo;

/** Spreads changes evenly over time. A plain object: the caller gives the time, in nanoseconds, and does the waiting. */
final class Pace {
    /** How far a stall is made up for by going faster; beyond that it is forgotten, or the database would be flooded. */
    private static final long MAKE_UP_NANOS = 2_000_000_000L;

    private final double nanosPerChange;
    private final long makeUpNanos;
    private double due;

    /** @param perSecond 0 for no limit */
    Pace(double perSecond, long now) {
        this(perSecond, now, MAKE_UP_NANOS);
    }

    private Pace(double perSecond, long now, long makeUpNanos) {
        this.makeUpNanos = makeUpNanos;
        nanosPerChange = perSecond == 0 ? 0 : 1e9 / perSecond;
        due = now;
    }

    /** Makes up for all stalls: for measuring, where what was due counts from when it was. */
    static Pace keeping(double perSecond, long now) {
        return new Pace(perSecond, now, Long.MAX_VALUE);
    }

    /** How long ago the next change was due; 0 if it isn't yet, and without a rate. */
    long lateNanos(long now) {
        return nanosPerChange == 0 ? 0 : Math.max(0, now - (long) due);
    }

    /** Notes changes as made and answers how long to wait before the next. */
    long waitAfter(int changes, long now) {
        if (nanosPerChange == 0) {
            return 0;
        }
        due = Math.max(due + changes * nanosPerChange, (double) now - makeUpNanos);
        return Math.max(0, (long) due - now);
    }
}
