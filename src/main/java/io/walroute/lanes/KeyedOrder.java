package io.walroute.lanes;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Which deliveries may run now: of those that claim the same key, or the whole table, only the earliest.
 *
 * <p>Each delivery counts the unfinished ones that it waits for and knows those that wait for it. Only the last delivery of a
 * key waits to be named as a predecessor, so adding and completing cost the same however much is held; a claim of a whole
 * table costs one step per key held of it, and relieves its followers of these. Nothing is kept of a completed delivery.
 *
 * <p>Not thread-safe: the lane calls under its lock.
 */
final class KeyedOrder<T> {
    private final Map<String, Table<T>> tables = new HashMap<>();

    /** A delivery's place in the order. */
    static final class Place<T> {
        private final T delivery;
        private final Claim claim;
        private int waitsFor;
        private List<Place<T>> followers;

        private Place(T delivery, Claim claim) {
            this.delivery = delivery;
            this.claim = claim;
        }

        /** Whether nothing earlier stands in the way. */
        boolean mayRun() {
            return waitsFor == 0;
        }

        private void waitFor(Place<T> earlier) {
            waitsFor++;
            if (earlier.followers == null) {
                earlier.followers = new ArrayList<>(2);
            }
            earlier.followers.add(this);
        }
    }

    /** Holds unfinished places only. */
    private static final class Table<T> {
        /** The last claim of the whole table. */
        private Place<T> whole;
        /** The last claim of each key since then. */
        private final Map<String, Place<T>> lastOfKey = new HashMap<>();

        void add(Place<T> place) {
            if (place.claim.wholeTable()) {
                addWhole(place);
                return;
            }
            addKey(place, place.claim.key());
            if (place.claim.oldKey() != null) {
                addKey(place, place.claim.oldKey());
            }
        }

        private void addKey(Place<T> place, String key) {
            Place<T> earlier = lastOfKey.put(key, place);
            if (earlier == null) {
                earlier = whole;
            }
            if (earlier != null) {
                place.waitFor(earlier);
            }
        }

        private void addWhole(Place<T> place) {
            // A claim of two keys is waited for twice, and will be counted down twice.
            lastOfKey.values().forEach(place::waitFor);
            if (lastOfKey.isEmpty() && whole != null) {
                place.waitFor(whole);
            }
            lastOfKey.clear();
            whole = place;
        }

        void remove(Place<T> place) {
            if (whole == place) {
                whole = null;
            }
            if (!place.claim.wholeTable()) {
                lastOfKey.remove(place.claim.key(), place);
                if (place.claim.oldKey() != null) {
                    lastOfKey.remove(place.claim.oldKey(), place);
                }
            }
        }

        boolean isEmpty() {
            return whole == null && lastOfKey.isEmpty();
        }
    }

    /** Puts a delivery behind all that were added before; it may run at once if {@link Place#mayRun()}. */
    Place<T> add(T delivery, Claim claim) {
        var place = new Place<>(delivery, claim);
        tables.computeIfAbsent(claim.table(), t -> new Table<>()).add(place);
        return place;
    }

    /** To be called once for each place that could run; {@code mayRun} gets the deliveries that were waiting for it alone. */
    void complete(Place<T> place, Consumer<T> mayRun) {
        Table<T> table = tables.get(place.claim.table());
        if (table != null) {
            table.remove(place);
            if (table.isEmpty()) {
                tables.remove(place.claim.table());
            }
        }
        if (place.followers == null) {
            return;
        }
        for (Place<T> follower : place.followers) {
            if (--follower.waitsFor == 0) {
                mayRun.accept(follower.delivery);
            }
        }
        place.followers = null;
    }

    /** The deliveries that wait for this one directly. */
    void forEachFollower(Place<T> place, Consumer<T> action) {
        if (place.followers != null) {
            place.followers.forEach(follower -> action.accept(follower.delivery));
        }
    }

    /** The deliveries that wait for this one, directly or through others. */
    List<T> behind(Place<T> place) {
        Set<Place<T>> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        List<T> found = new ArrayList<>();
        Deque<Place<T>> next = new ArrayDeque<>(List.of(place));
        while (!next.isEmpty()) {
            Place<T> one = next.poll();
            for (Place<T> follower : one.followers == null ? List.<Place<T>>of() : one.followers) {
                if (seen.add(follower)) {
                    found.add(follower.delivery);
                    next.add(follower);
                }
            }
        }
        return found;
    }

    boolean isEmpty() {
        return tables.isEmpty();
    }
}
