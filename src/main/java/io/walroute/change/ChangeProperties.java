package io.walroute.change;

/** Exchange properties by which components that don't know each other speak about one delivery of a change. */
public final class ChangeProperties {
    /**
     * {@link ChangeEvent}: the change as whoever began this exchange handed it to the route, whatever a step made of the body since.
     * When the route fails, this is what is put down. (Camel's {@code useOriginalBody} does the same by a copy of every message.)
     */
    public static final String CHANGE = "walrouteChange";

    /** String: the lane that delivers this exchange. The dead letters call it the sink. */
    public static final String LANE = "walrouteLane";

    /** Boolean: the delivery stands in the dead letters, durably. Set by whoever wrote it there, read by the lane. */
    public static final String PARKED = "walrouteParked";

    /** Boolean: the delivery stands in the dead letters as dead, durably: nothing waits behind it. */
    public static final String DEAD = "walrouteDead";

    /** String: why a lane parks a delivery that it didn't try. */
    public static final String PARK_REASON = "walrouteParkReason";

    /** Boolean: a parked delivery on its way back into its lane: it is tried although its key has parked deliveries. */
    public static final String REDRIVE = "walrouteRedrive";

    /** {@link RedriveTurn}, beside {@link #REDRIVE}: asked before the delivery is tried. */
    public static final String REDRIVE_TURN = "walrouteRedriveTurn";

    /**
     * {@code Predicate<String>}: which lanes take this exchange; the others filter it. Missing: all. A replay that names a route,
     * or must leave out the cache, sets it.
     */
    public static final String LANES = "walrouteLanes";

    /** {@link Redacted}: the body is a sink's copy of the change, made by its lane, whether it hides anything or not. */
    public static final String REDACTED = "walrouteRedacted";

    /**
     * Boolean: the change must not leave as it is ({@link #PARK_REASON} says why): it is to be put down as dead, since sending it
     * again by itself would not change that.
     */
    public static final String REFUSED = "walrouteRefused";

    private ChangeProperties() {}
}
