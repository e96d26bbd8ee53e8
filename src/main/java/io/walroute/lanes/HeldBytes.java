package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import io.walroute.change.RoughBytes;

/** What a held change costs in memory, roughly. */
final class HeldBytes {
    /** The event itself, its maps and headers, and the lane's own records of it. */
    private static final long FIXED = 1_000;

    private HeldBytes() {}

    static long of(Object body) {
        return FIXED + (body instanceof ChangeEvent event ? event.roughBytes() : RoughBytes.ofValue(body));
    }
}
