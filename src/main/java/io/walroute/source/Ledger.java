package io.walroute.source;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Settlement;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The changes that routes are still working on, in WAL order, and how far the slot may move.
 *
 * <p>A change is settled once every hold on it is released. {@link #settledUpTo()} answers the last item that is settled
 * together with all before it: one unsettled change holds back everything behind it, however much of that is done.
 *
 * <p>Owned by the stream's thread. The exception is an entry's {@link Settlement}, whose holds are taken and released from
 * any thread. A ledger lives as long as one stream: settlements of an earlier stream's ledger reach nobody.
 *
 * <p>Nothing here is written to disk. After a crash PostgreSQL sends everything after its confirmed LSN again, so a change
 * may be handed out twice; it is never forgotten. Stop feeding when {@link #isFull()}: the ledger holds what it is given.
 */
final class Ledger {
    private final int maxItems;
    private final long maxBytes;
    private final Runnable wake;
    private final ArrayDeque<Entry> entries = new ArrayDeque<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    // Written by the owner only; read by gauges.
    private volatile int held;
    private volatile long heldBytes;
    private volatile Entry oldest;

    /**
     * @param wake called from any thread whenever the owner may have something to do: the oldest entry settled, or one failed
     */
    Ledger(int maxItems, long maxBytes, Runnable wake) {
        this.maxItems = maxItems;
        this.maxBytes = maxBytes;
        this.wake = wake;
    }

    /**
     * Adds the next item in WAL order.
     *
     * @return its settlement, with one hold already taken for the caller in {@link Entry#routeHold()}
     */
    Entry submit(Item item) {
        var entry = new Entry(item);
        addLast(entry);
        count(1, item.bytes());
        return entry;
    }

    /** Adds an item that nobody needs to settle: a transaction's end, a heartbeat. */
    void submitSettled(Item item) {
        var entry = new Entry(item);
        entry.holds.set(0);
        addLast(entry);
        count(1, 0);
    }

    private void addLast(Entry entry) {
        if (entries.isEmpty()) {
            oldest = entry;
        }
        entries.addLast(entry);
    }

    /** The commit time of the first item held, if that is a change; from any thread. */
    Instant oldestCommit() {
        Entry head = oldest;
        return head == null || head.item.change() == null
                ? null
                : head.item.change().timestamp();
    }

    /** Forgets the settled prefix. Returns its last item that has a mark, or null if there is none. */
    Item settledUpTo() {
        Item last = null;
        Entry head;
        while ((head = entries.peekFirst()) != null && head.holds.get() == 0) {
            entries.removeFirst();
            oldest = entries.peekFirst();
            count(-1, -head.item.bytes());
            if (head.item.mark() != null) {
                last = head.item;
            }
        }
        return last;
    }

    private void count(int items, long bytes) {
        held += items; // owner's thread only
        heldBytes += bytes;
    }

    /** A single change over the byte limit is let in alone, or nothing would ever move. */
    boolean isFull() {
        return held >= maxItems || (heldBytes >= maxBytes && held > 0);
    }

    boolean isEmpty() {
        return entries.isEmpty();
    }

    /** Whether all that was submitted is settled; for whoever owns it after the stream's end. */
    boolean isSettled() {
        return failure.get() == null && entries.stream().allMatch(entry -> entry.holds.get() == 0);
    }

    int held() {
        return held;
    }

    long heldBytes() {
        return heldBytes;
    }

    /** The first hold that failed, or null. Once set it stays: the stream must end. */
    Throwable failure() {
        return failure.get();
    }

    /** The oldest change that is not settled, for messages; null if there is none. */
    Item oldest() {
        Entry head = entries.peekFirst();
        return head == null ? null : head.item;
    }

    /** By two clocks, the server's and this machine's: never negative, and no better than they agree. */
    private static long nanosSince(ChangeEvent change) {
        Instant now = Instant.now();
        long nanos = (now.getEpochSecond() - change.timestamp().getEpochSecond()) * 1_000_000_000L
                + now.getNano()
                - change.timestamp().getNano();
        return Math.max(0, nanos);
    }

    /** One item's place in the ledger. */
    final class Entry implements Settlement {
        private final Item item;
        private final AtomicInteger holds = new AtomicInteger(1);
        private final Hold routeHold = new OneHold();
        private final long receivedNanos;
        private final long committedNanos;

        private Entry(Item item) {
            this.item = item;
            receivedNanos = item.change() == null ? 0 : System.nanoTime();
            committedNanos = item.change() == null ? 0 : receivedNanos - nanosSince(item.change());
        }

        @Override
        public long receivedNanos() {
            return receivedNanos;
        }

        @Override
        public long committedNanos() {
            return committedNanos;
        }

        /** The hold of the route's own end, which {@link Ledger#submit} took. */
        Hold routeHold() {
            return routeHold;
        }

        /**
         * @throws IllegalStateException if the change is settled already: nobody who has no hold may take one, since the slot
         *     may have passed the change
         */
        @Override
        public Hold hold() {
            // Not incrementAndGet: between a last release and a late hold the count must not rise from 0 again.
            int before;
            do {
                before = holds.get();
                if (before == 0) {
                    throw new IllegalStateException("the change is settled already: " + item.label());
                }
            } while (!holds.compareAndSet(before, before + 1));
            return new OneHold();
        }

        @Override
        public boolean comesAgain() {
            return true;
        }

        @Override
        public boolean isFailed() {
            return failure.get() != null;
        }

        private final class OneHold implements Hold {
            private final AtomicBoolean done = new AtomicBoolean();

            @Override
            public void release() {
                if (done.compareAndSet(false, true) && holds.decrementAndGet() == 0) {
                    wake.run();
                }
            }

            @Override
            public void fail(Throwable cause) {
                // The count stays up for good: the change must not look settled while the stream is being ended.
                if (done.compareAndSet(false, true)) {
                    failure.compareAndSet(null, cause);
                    wake.run();
                }
            }
        }
    }
}
