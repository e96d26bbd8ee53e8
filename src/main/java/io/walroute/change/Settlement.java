package io.walroute.change;

/**
 * What keeps the replication slot from passing a change. Each hand-over of the change takes a {@link Hold} and releases it
 * once the change is delivered, parked or filtered there; the change is settled when the last hold is released.
 *
 * <p>A hold must be taken by whoever still has one: the route's own end keeps one while the route runs, so a component
 * that is called by a route may always take its own. May be used from any thread.
 */
public interface Settlement {
    /** The exchange property that carries a change's settlement through the routes. */
    String PROPERTY = "walrouteSettlement";

    /** For changes that no slot waits for (a replay, a redriven dead letter, a test's own message): nothing happens. */
    Settlement NONE = () -> Hold.NONE;

    Hold hold();

    /**
     * Whether an earlier or this change failed, so that this one will be sent again too. Whoever hands changes over in order
     * must then leave this one out: delivered now, it would overtake the one that failed.
     */
    default boolean isFailed() {
        return false;
    }

    /**
     * Whether a change that fails comes again, with all after it: so it is with those of the replication stream. Others (a
     * replay, a redriven dead letter) are somebody else's to send again.
     */
    default boolean comesAgain() {
        return false;
    }

    /** When the change came from the stream, by {@link System#nanoTime()}; 0 if it didn't. */
    default long receivedNanos() {
        return 0;
    }

    /** When the change was committed, on the scale of {@link #receivedNanos()}; 0 if it didn't come from the stream. */
    default long committedNanos() {
        return 0;
    }

    /** One reason to wait. The first call of either method counts; later calls do nothing. */
    interface Hold {
        Hold NONE = new Hold() {
            @Override
            public void release() {}

            @Override
            public void fail(Throwable cause) {}
        };

        /** Delivered, parked or filtered. */
        void release();

        /**
         * Neither: the change is not settled, the source starts again from the slot and PostgreSQL sends it once more.
         *
         * @param cause why; not null
         */
        void fail(Throwable cause);
    }
}
