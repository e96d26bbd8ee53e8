package io.walroute.source;

import io.walroute.change.Settlement;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
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
 * Of a change that is settled behind one that isn't, it keeps some hundred bytes, which count for little.
 */
final class Ledger {
    /** So many times the limit of changes under way may be kept once most of them are settled: one slow row is no slow stream. */
    private static final int SETTLED_TOO = 5;

    private final int maxItems;
    private final long maxBytes;
    private final int maxEntries;
    private final Runnable wake;
    private final ArrayDeque<Entry> entries = new ArrayDeque<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    // Of what isn't settled: up by the owner, down by whoever settles.
    private final AtomicInteger held = new AtomicInteger();
    private final AtomicLong heldBytes = new AtomicLong();
    private volatile Entry oldest; // written by the owner only; read by gauges

    /**
     * @param wake called from any thread whenever the owner may have something to do: the oldest entry settled, or one failed
     */
    Ledger(int maxItems, long maxBytes, Runnable wake) {
        this.maxItems = maxItems;
        this.maxBytes = maxBytes;
        maxEntries = (int) Math.min(Integer.MAX_VALUE, (long) SETTLED_TOO * maxItems);
        this.wake = wake;
    }

    /**
     * Adds the next item in WAL order.
     *
     * @return its settlement, with one hold already taken for the caller in {@link Entry#routeHold()}
     */
    Entry submit(Item item) {
        var entry = new Entry(item);
        held.incrementAndGet();
        heldBytes.addAndGet(item.bytes());
        addLast(entry);
        return entry;
    }

    /** Adds an item that nobody needs to settle: a transaction's end, a heartbeat. */
    void submitSettled(Item item) {
        var entry = new Entry(item);
        entry.holds.set(0);
        entry.forgetChange();
        addLast(entry);
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
        return head == null ? null : head.committedAt;
    }

    /** Forgets the settled prefix. Returns its last item that has a mark, or null if there is none. */
    Item settledUpTo() {
        Item last = null;
        Entry head;
        while ((head = entries.peekFirst()) != null && head.holds.get() == 0) {
            entries.removeFirst();
            oldest = entries.peekFirst();
            Item item = head.item;
            if (item != null && item.mark() != null) {
                last = item;
            }
        }
        return last;
    }

    /** A single change over the byte limit is let in alone, or nothing would ever move. */
    boolean isFull() {
        return entries.size() >= maxEntries
                || held.get() >= maxItems
                || (heldBytes.get() >= maxBytes && held.get() > 0);
    }

    boolean isEmpty() {
        return entries.isEmpty();
    }

    /** Whether all that was submitted is settled; for whoever owns it after the stream's end. */
    boolean isSettled() {
        return failure.get() == null && entries.stream().allMatch(entry -> entry.holds.get() == 0);
    }

    /** How many changes aren't settled; from any thread. */
    int held() {
        return held.get();
    }

    /** About what they take; from any thread. */
    long heldBytes() {
        return heldBytes.get();
    }

    /** The first hold that failed, or null. Once set it stays: the stream must end. */
    Throwable failure() {
        return failure.get();
    }

    /** By two clocks, the server's and this machine's: never negative, and no better than they agree. */
    private static long nanosSince(Instant then) {
        Instant now = Instant.now();
        long nanos = (now.getEpochSecond() - then.getEpochSecond()) * 1_000_000_000L + now.getNano() - then.getNano();
        return Math.max(0, nanos);
    }

    /** One item's place in the ledger. */
    final class Entry implements Settlement {
        /** Null once it is a settled change. Not volatile: whoever sees it a moment longer does no harm. */
        private Item item;

        private final AtomicInteger holds = new AtomicInteger(1);
        private final Hold routeHold = new OneHold();
        private final long receivedNanos;
        private final long committedNanos;
        /** Null if it is no change. */
        private final Instant committedAt;

        private Entry(Item item) {
            this.item = item;
            receivedNanos = item.change() == null ? 0 : System.nanoTime();
            committedAt = item.change() == null ? null : item.change().timestamp();
            committedNanos = committedAt == null ? 0 : receivedNanos - nanosSince(committedAt);
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
                    Item known = item;
                    throw new IllegalStateException(
                            "the change is settled already" + (known == null ? "" : ": " + known.label()));
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

        /** It may have to wait long for one before it, and only how far the slot may move is asked of it then. */
        private void forgetChange() {
            if (item.mark() == null) {
                item = null;
            }
        }

        private void settled() {
            long bytes = item.bytes();
            forgetChange();
            heldBytes.addAndGet(-bytes);
            held.decrementAndGet();
            wake.run();
        }

        private final class OneHold implements Hold {
            private final AtomicBoolean done = new AtomicBoolean();

            @Override
            public void release() {
                if (done.compareAndSet(false, true) && holds.decrementAndGet() == 0) {
                    settled();
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
