package io.walroute.load;

import io.walroute.demo.Simulator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/** What the simulator does, noted for those that see its changes arrive; figures without those of the warm-up. Any thread. */
final class Traffic implements Simulator.Watcher {
    private final Timeline timeline;
    private final Transactions transactions = new Transactions();
    private final AtomicLongArray committed;
    private final AtomicLong largest = new AtomicLong();
    private final AtomicLong latestNanos = new AtomicLong();
    private final boolean followRows;
    /** Rows that were inserted and not yet seen, with their transaction. */
    private final Map<String, Long> awaited = new ConcurrentHashMap<>();

    /** @param followRows whether anybody asks for rows: else they aren't kept */
    Traffic(Timeline timeline, boolean followRows) {
        this.timeline = timeline;
        this.followRows = followRows;
        committed = new AtomicLongArray(timeline.parts());
    }

    @Override
    public void committing(Simulator.Transaction transaction) {
        transactions.begin(transaction.xid(), transaction.changes(), transaction.lateNanos());
        if (followRows) {
            transaction.inserted().forEach(row -> awaited.put(row, transaction.xid()));
        }
    }

    @Override
    public void committed(Simulator.Transaction transaction, long nanoTime) {
        transactions.committed(transaction.xid(), nanoTime);
        if (!timeline.counts(nanoTime)) {
            return;
        }
        committed.addAndGet(timeline.part(nanoTime), transaction.changes());
        largest.accumulateAndGet(transaction.changes(), Math::max);
        latestNanos.accumulateAndGet(transaction.lateNanos(), Math::max);
    }

    @Override
    public void failed(Simulator.Transaction transaction) {
        transactions.rolledBack(transaction.xid());
        transaction.inserted().forEach(awaited::remove);
    }

    /** The transaction that inserted this row, the first time it is asked for; else null. */
    Transactions.Entry firstSight(String row) {
        Long xid = awaited.remove(row);
        return xid == null ? null : transactions.find(xid);
    }

    Transactions transactions() {
        return transactions;
    }

    /** Changes committed in that part. */
    long committed(int part) {
        return committed.get(part);
    }

    int largestTransaction() {
        return (int) largest.get();
    }

    long latestNanos() {
        return latestNanos.get();
    }
}
