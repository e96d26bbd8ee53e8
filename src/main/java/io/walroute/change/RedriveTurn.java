package io.walroute.change;

import java.util.function.Consumer;

/**
 * What a lane asks when the turn of a redriven delivery has come: whether it may be tried now. Only then is everything before
 * it in the lane either delivered or parked, so only then can the dead letters tell whether one of its key goes before it.
 */
@FunctionalInterface
public interface RedriveTurn {
    /**
     * @param go false: it stays where it is, an earlier one of its key is parked, or it is gone
     * @param keyLeft whether further deliveries of its key are parked
     * @param oldKeyLeft the same of the key that it changes, if it does
     */
    record Answer(boolean go, boolean keyLeft, boolean oldKeyLeft) {
        public static final Answer STAY = new Answer(false, true, true);
    }

    /** Never blocks; the answer comes on any thread. */
    void ask(Consumer<Answer> asker);
}
