package io.walroute.source;

import java.time.Instant;

/**
 * Where a {@link WalConsumer} stands.
 *
 * @param state what it is doing
 * @param message one line that explains the state to an operator; for DOWN the cause and the fix
 * @param since when the state began
 * @param restarts how many streams ended unasked since the consumer started
 * @param held changes that routes are working on
 * @param heldBytes about how much memory they take
 * @param received changes received since the consumer started, repeats included
 */
public record WalStatus(
        State state, String message, Instant since, long restarts, int held, long heldBytes, long received) {
    /** What a source is doing; only STREAMING is ready. */
    public enum State {
        /** Asking for the slot and starting a stream; no heartbeat has come back yet. */
        STARTING,
        /** A heartbeat came back in time: a change would get through. */
        STREAMING,
        /** Another process streams from the slot; this one waits to take over. */
        STANDBY,
        /** No stream, or one that nothing comes through. */
        DOWN,
        STOPPED
    }
}
