package io.walroute.source;

import io.walroute.change.Lsn;
import java.util.Optional;

/** Whether the slot can be streamed from, asked before every start of an engine: Debezium silently creates a missing one. */
@FunctionalInterface
public interface SlotCheck {
    /** Empty if it can. Blocks for as long as it takes to ask the server. */
    Optional<Obstacle> check();

    /** Why the stream that runs must end, if it must. Asked often: must not block. */
    default Optional<Obstacle> whileStreaming() {
        return Optional.empty();
    }

    /**
     * Asked before the slot moves to a position. The slot moves once {@code then} has run: from any thread, perhaps never.
     * Positions rise within one stream; of several that wait, the last may stand for all. Must not block.
     */
    default void beforeConfirm(Lsn position, Runnable then) {
        then.run();
    }

    /**
     * @param standby whether another process streams from the slot: nothing to repair, only to wait for
     * @param message one line: what is wrong, and what mends it
     */
    record Obstacle(boolean standby, String message) {}
}
