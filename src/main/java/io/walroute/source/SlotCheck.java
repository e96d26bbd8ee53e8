package io.walroute.source;

import java.util.Optional;

/** Whether the slot can be streamed from, asked before every start of an engine: Debezium silently creates a missing one. */
@FunctionalInterface
public interface SlotCheck {
    /** Empty if it can. Blocks for as long as it takes to ask the server. */
    Optional<Obstacle> check();

    /**
     * @param standby whether another process streams from the slot: nothing to repair, only to wait for
     * @param message one line: what is wrong, and what mends it
     */
    record Obstacle(boolean standby, String message) {}
}
