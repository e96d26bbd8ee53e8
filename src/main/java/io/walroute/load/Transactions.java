package io.walroute.load;

import java.util.Arrays;
import java.util.function.LongUnaryOperator;

/**
 * The transactions that a run commits, by xid: when each was committed, how late it was begun, how many rows it changed. Kept in
 * arrays, some thirty bytes a transaction, until the end of the run, since the audit log is compared with it.
 *
 * <p>An xid is entered before its commit: what comes of it may arrive before the commit is known to have happened. Any thread.
 */
final class Transactions {
    /** {@link #committedAt} of one whose commit isn't known yet. */
    static final long UNDER_WAY = Long.MIN_VALUE;

    private static final long ROLLED_BACK = Long.MIN_VALUE + 1;
    private static final int FREE = 0; // no transaction has this xid

    private int[] xids = new int[1 << 12];
    private long[] committedAt = new long[xids.length];
    private long[] late = new long[xids.length];
    private int[] changes = new int[xids.length];
    private int size;

    /** A transaction as it was when asked for. */
    record Entry(long committedAt, long lateNanos) {}

    synchronized void begin(long xid, int rows, long lateNanos) {
        if (size * 2 >= xids.length) {
            grow();
        }
        int slot = slot((int) xid);
        if (xids[slot] == FREE) {
            size++;
        }
        xids[slot] = (int) xid;
        committedAt[slot] = UNDER_WAY;
        late[slot] = lateNanos;
        changes[slot] = rows;
    }

    synchronized void committed(long xid, long nanoTime) {
        committedAt[slot((int) xid)] = nanoTime;
    }

    synchronized void rolledBack(long xid) {
        committedAt[slot((int) xid)] = ROLLED_BACK;
    }

    /** Null for a transaction of somebody else's. */
    synchronized Entry find(long xid) {
        int slot = slot((int) xid);
        return xids[slot] == FREE || committedAt[slot] == ROLLED_BACK ? null : new Entry(committedAt[slot], late[slot]);
    }

    /** How many rows the transaction changed; -1 for one of somebody else's. */
    synchronized int changes(long xid) {
        int slot = slot((int) xid);
        return xids[slot] == FREE || committedAt[slot] == ROLLED_BACK ? -1 : changes[slot];
    }

    /** The sum over all committed transactions of what they lack, as the function says it of an xid. */
    long sum(LongUnaryOperator ofXid) {
        int[] all;
        synchronized (this) {
            all = new int[size];
            int n = 0;
            for (int i = 0; i < xids.length; i++) {
                if (xids[i] != FREE && committedAt[i] != ROLLED_BACK) {
                    all[n++] = xids[i];
                }
            }
            all = Arrays.copyOf(all, n);
        }
        return Arrays.stream(all).mapToLong(Integer::toUnsignedLong).map(ofXid).sum();
    }

    private int slot(int xid) {
        int mask = xids.length - 1;
        int slot = xid * 0x9E3779B9 >>> 7 & mask;
        while (xids[slot] != FREE && xids[slot] != xid) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void grow() {
        int[] oldXids = xids;
        long[] oldCommitted = committedAt;
        long[] oldLate = late;
        int[] oldChanges = changes;
        xids = new int[oldXids.length * 2];
        committedAt = new long[xids.length];
        late = new long[xids.length];
        changes = new int[xids.length];
        for (int i = 0; i < oldXids.length; i++) {
            if (oldXids[i] != FREE) {
                int slot = slot(oldXids[i]);
                xids[slot] = oldXids[i];
                committedAt[slot] = oldCommitted[i];
                late[slot] = oldLate[i];
                changes[slot] = oldChanges[i];
            }
        }
    }
}
