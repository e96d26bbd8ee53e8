package io.walroute.lanes;

import io.walroute.change.ParkedKeys;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The keys with parked deliveries, behind which later ones of the same key must be parked as well. Dead letters stay the
 * truth; this is what a lane must know of them without asking.
 *
 * <p>A mark goes away when the last parked delivery of its key was redriven and delivered. How many are left, whoever redrives
 * has counted before; if the lane has parked another one since, that count is old. So a mark also keeps the id of the last
 * delivery parked, and goes only with it: a discarded one leaves its mark to the next of that key, which is then parked and
 * redriven once.
 *
 * <p>Not thread-safe: the lane calls under its lock.
 */
final class ParkedMarks {
    /** Later than any turn: nothing is parked. */
    static final long NOT_PARKED = Long.MAX_VALUE;

    /** {@link ParkedKeys}' text for a claim of a whole table. */
    private static final String WHOLE = "";

    private static final class Mark {
        /** The earliest turn that was parked; 0 if it was before this lane's time. */
        private long from;
        /** The last one that was parked: its turn, and its id if that is known. */
        private long lastTurn;

        private String lastId;
        /** Only a delivery that changes this key into another is parked. */
        private boolean onlyAsOldKey;
    }

    private final Map<String, Map<String, Mark>> tables = new HashMap<>();
    private int size;

    /** Keys in the form of {@link ParkedKeys#key}, whose parked deliveries are earlier than any of this lane. */
    void addEarlier(Set<String> keys) {
        for (String key : keys) {
            int end = key.indexOf('\0');
            if (end < 0) {
                throw new IllegalArgumentException("'" + key + "' is no key of parked deliveries: the NUL is missing");
            }
            mark(key.substring(0, end), key.substring(end + 1)).from = 0;
        }
    }

    /** A delivery is parked, or will be in a moment. */
    void parked(Delivery delivery) {
        Claim claim = delivery.claim;
        if (claim.wholeTable()) {
            park(claim.table(), WHOLE, delivery, false);
            return;
        }
        park(claim.table(), claim.key(), delivery, false);
        if (claim.oldKey() != null) {
            park(claim.table(), claim.oldKey(), delivery, true);
        }
    }

    private void park(String table, String key, Delivery delivery, boolean asOldKey) {
        Mark mark = marks(table).get(key);
        if (mark == null) {
            mark = mark(table, key);
            mark.from = delivery.turn;
            mark.onlyAsOldKey = asOldKey;
        } else if (delivery.redrive) {
            return; // parked again where it was: the others of its key are still behind it
        }
        mark.from = Math.min(mark.from, delivery.turn);
        mark.onlyAsOldKey &= asOldKey;
        if (delivery.turn >= mark.lastTurn) {
            mark.lastTurn = delivery.turn;
            mark.lastId = delivery.eventId;
        }
    }

    /**
     * A redriven delivery got through.
     *
     * @param left how many parked deliveries of its key there were after it; null if unknown
     */
    void redriven(Delivery delivery, Integer left) {
        Claim claim = delivery.claim;
        String key = claim.wholeTable() ? WHOLE : claim.key();
        Mark mark = marks(claim.table()).get(key);
        if (mark != null && left != null && left == 0 && isLast(mark, delivery)) {
            remove(claim.table(), key);
        }
        Mark old = claim.oldKey() == null ? null : marks(claim.table()).get(claim.oldKey());
        if (old != null && old.onlyAsOldKey && isLast(old, delivery)) {
            remove(claim.table(), claim.oldKey());
        }
    }

    private static boolean isLast(Mark mark, Delivery delivery) {
        return mark.lastId == null || mark.lastId.equals(delivery.eventId);
    }

    /** Whether an earlier delivery that shares a key with this one is parked. */
    boolean isBehind(Claim claim, long turn) {
        return parkedFrom(claim) < turn;
    }

    /** The first turn that is parked among those that share a key with this claim. */
    long parkedFrom(Claim claim) {
        Map<String, Mark> marks = tables.get(claim.table());
        if (marks == null) {
            return NOT_PARKED;
        }
        if (claim.wholeTable()) {
            return marks.values().stream().mapToLong(mark -> mark.from).min().orElse(NOT_PARKED);
        }
        long from = Math.min(from(marks, claim.key()), from(marks, WHOLE));
        return claim.oldKey() == null ? from : Math.min(from, from(marks, claim.oldKey()));
    }

    private static long from(Map<String, Mark> marks, String key) {
        Mark mark = marks.get(key);
        return mark == null ? NOT_PARKED : mark.from;
    }

    /** Forgets a key, in the form of {@link ParkedKeys#key}. */
    void remove(String key) {
        int end = key.indexOf('\0');
        if (end >= 0) {
            remove(key.substring(0, end), key.substring(end + 1));
        }
    }

    private void remove(String table, String key) {
        Map<String, Mark> marks = tables.get(table);
        if (marks == null || marks.remove(key) == null) {
            return;
        }
        size--;
        if (marks.isEmpty()) {
            tables.remove(table);
        }
    }

    private Map<String, Mark> marks(String table) {
        return tables.getOrDefault(table, Map.of());
    }

    private Mark mark(String table, String key) {
        return tables.computeIfAbsent(table, t -> new HashMap<>()).computeIfAbsent(key, k -> {
            size++;
            return new Mark();
        });
    }

    int size() {
        return size;
    }
}
