package io.walroute.deadletter;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The order in which one sink's parked deliveries may be sent again: those that share a key one after the other, and one of a
 * whole table (a TRUNCATE, a table without key) after all before it and before all behind it.
 *
 * <p>Made from a part of the deliveries in their order, as they stand at one moment; made anew, from the next part, when it has
 * run empty. What was parked in an earlier part, or since, it doesn't know: whoever redrives asks the dead letters at the last
 * moment. A delivery that
 * isn't due yet holds back all behind it of its key: they must not overtake it, and don't even take up room here.
 *
 * <p>Knows neither clock nor database. Not thread-safe: whoever redrives calls under its lock.
 */
final class RedriveQueue {
    /**
     * A parked delivery as far as its order needs it.
     *
     * @param table {@code schema.table}
     * @param key null for the whole table
     * @param oldKey a second key, if the change gave the row another; else null
     * @param parkings how often it has been parked: tells whether it was again
     */
    record Parked(long id, String table, String key, String oldKey, Instant due, int redrives, int parkings) {}

    private static final class Node {
        private final Parked parked;
        private final List<Node> followers = new ArrayList<>(1);
        private int before;
        private boolean waits;

        private Node(Parked parked) {
            this.parked = parked;
        }
    }

    private static final class Table {
        private final Map<String, Node> lastOfKey = new HashMap<>();
        private Node lastWhole;
    }

    /** Keeps a sink busy for a while, and is little to hold. */
    static final int MOST = 5000;
    /** Those that aren't due, and those behind them, aren't kept, but their keys are. */
    static final int MOST_SEEN = 20_000;

    private final Instant now;
    private final Set<Long> inFlight;
    private final Map<String, Table> tables = new HashMap<>();
    private final Map<Long, Node> nodes = new HashMap<>();
    private final Deque<Node> ready = new ArrayDeque<>();
    private boolean complete = true;
    private int seen;
    private Instant nextDue;

    /** @param inFlight the deliveries that are under way: they hold back those behind them, but aren't given out */
    RedriveQueue(Instant now, Set<Long> inFlight) {
        this.now = now;
        this.inFlight = new HashSet<>(inFlight);
    }

    /** Adds the next delivery in order. Returns whether it wants more. */
    boolean add(Parked parked) {
        if (nodes.size() >= MOST || seen >= MOST_SEEN) {
            complete = false;
            return false;
        }
        seen++;
        var node = new Node(parked);
        boolean flying = inFlight.contains(parked.id());
        link(node);
        if (!flying && parked.due().isAfter(now)) {
            node.waits = true;
            nextDue = nextDue == null || parked.due().isBefore(nextDue) ? parked.due() : nextDue;
        }
        if (!node.waits) {
            nodes.put(parked.id(), node);
            if (node.before == 0 && !flying) {
                ready.add(node);
            }
        }
        return true;
    }

    private void link(Node node) {
        Parked parked = node.parked;
        Table table = tables.computeIfAbsent(parked.table(), name -> new Table());
        if (parked.key() == null) {
            Set<Node> all = new HashSet<>(table.lastOfKey.values());
            if (table.lastWhole != null) {
                all.add(table.lastWhole);
            }
            all.forEach(before -> follow(before, node));
            table.lastOfKey.clear();
            table.lastWhole = node;
            return;
        }
        Set<Node> before = new HashSet<>(4);
        before.add(table.lastWhole);
        before.add(table.lastOfKey.put(parked.key(), node));
        if (parked.oldKey() != null) {
            before.add(table.lastOfKey.put(parked.oldKey(), node));
        }
        before.remove(null);
        before.remove(node);
        before.forEach(each -> follow(each, node));
    }

    private static void follow(Node before, Node node) {
        if (before.waits) {
            node.waits = true;
        } else {
            before.followers.add(node);
            node.before++;
        }
    }

    /** The next delivery that may be sent, in order; null if there is none. It is under way until {@link #finish}. */
    Parked next() {
        Node node = ready.poll();
        return node == null ? null : node.parked;
    }

    /**
     * A delivery is no longer under way.
     *
     * @param gone whether it is out of the way of those behind it: delivered, dead or discarded; else they are dropped, until
     *     a new queue is made
     */
    void finish(long id, boolean gone) {
        Node node = nodes.remove(id);
        if (node == null) {
            return;
        }
        if (!gone) {
            drop(node);
            return;
        }
        for (Node follower : node.followers) {
            if (--follower.before == 0 && nodes.containsKey(follower.parked.id())) {
                ready.add(follower);
            }
        }
    }

    private void drop(Node first) {
        Deque<Node> open = new ArrayDeque<>(List.of(first));
        while (!open.isEmpty()) {
            for (Node follower : open.remove().followers) {
                if (nodes.remove(follower.parked.id()) != null) {
                    open.add(follower);
                }
            }
        }
    }

    /** Whether nothing is left that could be given out, now or when what is under way has finished. */
    boolean isExhausted() {
        return nodes.isEmpty();
    }

    /** Whether all parked deliveries were looked at. */
    boolean isComplete() {
        return complete;
    }

    /** When the first of those becomes due that weren't when this queue was made; null if there are none. */
    Instant nextDue() {
        return nextDue;
    }
}
