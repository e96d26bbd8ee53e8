package io.walroute.notify;

/** A bucket of messages that fills again with time; holds two seconds' worth. For one thread. */
final class Rate {
    private final double perNano;
    private final double most;
    private double left;
    private long lastNanos;

    Rate(int perSecond, long nowNanos) {
        perNano = perSecond / 1e9;
        most = 2.0 * perSecond;
        left = most;
        lastNanos = nowNanos;
    }

    /** Takes one in any case. @return how long to wait before the next; 0 if it may come at once */
    long take(long nowNanos) {
        left = Math.min(most, left + Math.max(0, nowNanos - lastNanos) * perNano) - 1;
        lastNanos = nowNanos;
        return left >= 1 ? 0 : (long) Math.ceil((1 - left) / perNano);
    }
}
