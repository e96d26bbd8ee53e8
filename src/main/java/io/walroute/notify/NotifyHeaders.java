package io.walroute.notify;

/** Message headers that {@code notify:} reads, beside those of every change. */
public final class NotifyHeaders {
    /** A Map: what the route knows beside the row. Goes out as the frame's {@code context}, and filters may name its fields. */
    public static final String CONTEXT = "context";

    private NotifyHeaders() {}
}
