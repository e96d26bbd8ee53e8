package io.walroute.load;

/** The running service, as far as a load run asks it. */
@FunctionalInterface
public interface ServiceView {
    /**
     * What it says of itself at this moment.
     *
     * @param streaming whether changes come through
     * @param inFlight changes received and not settled
     * @param parked changes in the dead letters that will be sent again
     * @param dead changes in the dead letters that won't
     */
    record State(boolean streaming, long inFlight, long parked, long dead) {
        boolean isQuiet() {
            return inFlight == 0 && parked == 0;
        }
    }

    /** @throws LoadException if it doesn't answer */
    State look() throws LoadException;
}
