package io.walroute.lanes;

import io.walroute.change.ParkedKeys;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * The keys with parked deliveries, behind which later ones of the same key must be parked as well. Dead letters stay the
 * truth; this is what a lane must know of them without asking.
 *
 * <p>A key may be marked of which nothing is parked (its next delivery is then parked and redriven once), but none is parked
 * without a mark. Bounded: beyond so many keys everything counts as parked, until a reading of the dead letters finds fewer.
 *
 * <p>Not thread-safe: the lane calls under its lock.
 */
final class ParkedMarks {
    /** At most 4 MB for each lane. */
    static final int MOST = 100_000;
    /** More than happens while the dead letters are read; else it is in vain, and done again later. */
    private static final int MOST_MEANWHILE = 20_000;

    /** {@link ParkedKeys}' text for a claim of a whole table. */
    private static final String WHOLE = "";

    private record Event(String table, String key, boolean parked) {}

    /** One look into the dead letters; {@link #take} outside the lane's lock. */
    static final class Reading {
        private final KeySet found = new KeySet();
        private final int most;
        private final List<Event> meanwhile = new ArrayList<>();

        private Reading(int most) {
            this.most = most;
        }

        /** @return whether that were all keys */
        boolean take(ParkedKeys source, String sink) {
            return source.forEachParkedKey(sink, most, found::add) && found.size() <= most;
        }
    }

    private final int most;
    private KeySet keys = new KeySet();
    private boolean everything;
    private Reading reading;

    ParkedMarks(int most) {
        this.most = most;
    }

    /** A delivery is parked, or will be in a moment. */
    void parked(Claim claim) {
        mark(claim.table(), claim.wholeTable() ? WHOLE : claim.key());
        if (claim.oldKey() != null) {
            mark(claim.table(), claim.oldKey());
        }
    }

    private void mark(String table, String key) {
        note(table, key, true);
        if (!everything) {
            keys.add(table, key);
            bound();
        }
    }

    private void bound() {
        if (keys.size() > most) {
            everything = true;
            keys = new KeySet();
        }
    }

    private void note(String table, String key, boolean parked) {
        if (reading == null) {
            return;
        }
        if (reading.meanwhile.size() >= MOST_MEANWHILE) {
            reading = null;
        } else {
            reading.meanwhile.add(new Event(table, key, parked));
        }
    }

    /** Of this claim's key nothing is parked any more. */
    void keyIsClear(Claim claim) {
        clear(claim.table(), claim.wholeTable() ? WHOLE : claim.key());
    }

    void oldKeyIsClear(Claim claim) {
        if (claim.oldKey() != null) {
            clear(claim.table(), claim.oldKey());
        }
    }

    private void clear(String table, String key) {
        note(table, key, false);
        keys.remove(table, key);
    }

    /** Whether a delivery that shares a key with this claim may be parked. */
    boolean isParked(Claim claim) {
        if (everything) {
            return true;
        }
        if (claim.wholeTable()) {
            return keys.containsAnyOf(claim.table());
        }
        return keys.containsAnyOf(claim.table())
                && (keys.contains(claim.table(), claim.key())
                        || keys.contains(claim.table(), WHOLE)
                        || claim.oldKey() != null && keys.contains(claim.table(), claim.oldKey()));
    }

    boolean isEmpty() {
        return !everything && keys.size() == 0;
    }

    /** Whether there are too many to tell one key from another. */
    boolean isEverything() {
        return everything;
    }

    int most() {
        return most;
    }

    /** How many keys are marked. */
    int size() {
        return keys.size();
    }

    /**
     * Begins to compare with the dead letters; what is marked and cleared from now on is put on top of what it finds.
     *
     * @param onTheirWay what is being parked at this moment, and may or may not be found
     */
    Reading beginReading(Collection<Claim> onTheirWay) {
        reading = new Reading(everything ? most / 2 : most);
        onTheirWay.forEach(this::parked);
        return reading;
    }

    /** @param complete whether the reading saw all keys */
    void endReading(Reading ended, boolean complete) {
        if (reading != ended) {
            return;
        }
        reading = null;
        if (!complete) {
            return;
        }
        for (Event event : ended.meanwhile) {
            if (event.parked()) {
                ended.found.add(event.table(), event.key());
            } else {
                ended.found.remove(event.table(), event.key());
            }
        }
        keys = ended.found;
        everything = false;
        bound();
    }

    /** The first reading of a lane: if there are too many, everything counts as parked. */
    void endFirstReading(Reading ended, boolean complete) {
        endReading(ended, complete);
        if (!complete) {
            everything = true;
            keys = new KeySet();
        }
    }
}
