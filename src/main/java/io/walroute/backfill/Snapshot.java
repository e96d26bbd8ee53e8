package io.walroute.backfill;

import java.util.Collection;
import java.util.Set;

/**
 * What a snapshot doesn't see: transactions that were under way, and all that came later.
 *
 * <p>A commit can be streamed before snapshots see it: the server does the one when its record is on disk, the other a moment
 * later, or much later while a synchronous standby is away. Rows read meanwhile are older than what was delivered, and must not
 * get a version that says otherwise.
 *
 * @param underWay as 32-bit ids, as the stream has them
 * @param next the first id that was not yet given
 */
record Snapshot(Set<Long> underWay, long next) {
    /** Whether one of these committed transactions, as the stream names them, isn't seen. */
    boolean misses(Collection<Long> streamed) {
        return streamed.stream().anyMatch(xid -> underWay.contains(xid) || isAtOrPast(xid, next));
    }

    /** Ids go round: of two, the later is the one less than half the circle ahead. */
    private static boolean isAtOrPast(long xid, long other) {
        return (int) (xid - other) >= 0;
    }
}
