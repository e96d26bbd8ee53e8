package io.walroute.admin;

/** So many calls at once, and so many more each second. Safe to use from any thread. */
final class CallLimit {
    private final int most;
    private final double perSecond;
    private double left;
    private long lastNanos;

    CallLimit(int most, double perSecond, long nowNanos) {
        this.most = most;
        this.perSecond = perSecond;
        left = most;
        lastNanos = nowNanos;
    }

    /** Takes one if there is one. */
    synchronized boolean take(long nowNanos) {
        refill(nowNanos);
        if (left < 1) {
            return false;
        }
        left--;
        return true;
    }

    private void refill(long nowNanos) {
        left = Math.min(most, left + Math.max(0, nowNanos - lastNanos) / 1e9 * perSecond);
        lastNanos = nowNanos;
    }
}
