package io.walroute.lanes;

/** What a lane without room does with the next delivery. */
public enum WhenFull {
    /** Lets the sender wait until there is room. */
    WAIT,
    /** Parks the delivery at once. */
    PARK
}
