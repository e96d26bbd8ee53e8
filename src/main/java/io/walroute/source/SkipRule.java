package io.walroute.source;

import io.walroute.change.Lsn;
import java.time.Instant;

/**
 * One transaction that an operator passes over. A transaction's 32-bit number comes again, its place in the WAL and its commit
 * time don't: the rule can never hit another one.
 *
 * @param id of the record of who asked for it and why
 * @param first the least LSN of its changes
 * @param commit the LSN of its commit record
 */
public record SkipRule(long id, long xid, Lsn first, Lsn commit, Instant committedAt) {
    /** Whether a change belongs to the transaction. */
    boolean covers(long changeXid, Lsn lsn, Instant changeCommittedAt) {
        return changeXid == xid
                && lsn.compareTo(first) >= 0
                && lsn.compareTo(commit) <= 0
                && changeCommittedAt.equals(committedAt);
    }
}
