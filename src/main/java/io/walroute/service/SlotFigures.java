package io.walroute.service;

import io.walroute.change.Lsn;
import io.walroute.slot.SlotInfo;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * How far the slot is behind, in bytes and in seconds, from looks at it every few seconds. Seconds are the age of the oldest look
 * at which the WAL already was where the slot is not yet: as exact as the looks are frequent, and not older than this process.
 * Knows no clock and no database. Not thread-safe but for reading the newest look.
 */
final class SlotFigures {
    record Look(Instant at, SlotInfo slot, Duration lag) {}

    // An hour of looks; who is further behind than that is at least an hour behind.
    private static final int MOST_LOOKS = 720;

    private record Position(Instant at, Lsn wal) {}

    private final Deque<Position> positions = new ArrayDeque<>();
    private volatile Look newest;

    /** @param slot as it is now; null if there is none */
    void look(Instant at, SlotInfo slot) {
        if (slot == null || slot.confirmedFlushLsn() == null || slot.lagBytes() == null) {
            positions.clear();
            newest = null;
            return;
        }
        Lsn confirmed = slot.confirmedFlushLsn();
        positions.addLast(new Position(at, new Lsn(confirmed.value() + Math.max(0, slot.lagBytes()))));
        while (!positions.isEmpty() && positions.peekFirst().wal().compareTo(confirmed) <= 0) {
            positions.removeFirst();
        }
        if (positions.size() > MOST_LOOKS) {
            // Not the first one: it tells how old the oldest is.
            Position first = positions.removeFirst();
            positions.removeFirst();
            positions.addFirst(first);
        }
        Duration lag = positions.isEmpty()
                ? Duration.ZERO
                : Duration.between(positions.peekFirst().at(), at);
        newest = new Look(at, slot, lag.isNegative() ? Duration.ZERO : lag);
    }

    /** Empty if there is no slot, or nobody has looked. */
    Optional<Look> newest() {
        return Optional.ofNullable(newest);
    }
}
