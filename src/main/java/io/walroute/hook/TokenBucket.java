package io.walroute.hook;

/** A rate limit that tells how long to wait instead of waiting. Knows no clock; one thread at a time. */
final class TokenBucket {
    private static final double NANOS_PER_SECOND = 1e9;

    private final double ratePerSecond;
    private final double capacity;
    private double tokens;
    private long filledAtNanos;

    TokenBucket(double ratePerSecond, long nowNanos) {
        this.ratePerSecond = ratePerSecond;
        // A tenth of a second's worth: timers have milliseconds, so a fast rate has to catch up after each.
        capacity = Math.max(1, ratePerSecond / 10);
        tokens = capacity;
        filledAtNanos = nowNanos;
    }

    /** Nanoseconds until a token is there; 0 if one is. Takes none. */
    long waitNanos(long nowNanos) {
        fill(nowNanos);
        return tokens >= 1 ? 0 : (long) Math.ceil((1 - tokens) / ratePerSecond * NANOS_PER_SECOND);
    }

    /** Only after {@link #waitNanos} answered 0. */
    void take() {
        tokens -= 1;
    }

    private void fill(long nowNanos) {
        double seconds = (nowNanos - filledAtNanos) / NANOS_PER_SECOND;
        tokens = Math.min(capacity, tokens + seconds * ratePerSecond);
        filledAtNanos = nowNanos;
    }
}
