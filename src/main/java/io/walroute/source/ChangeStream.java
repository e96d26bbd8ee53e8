package io.walroute.source;

import java.util.List;
import java.util.Optional;

/**
 * One life of a replication stream: from the slot's confirmed position until it ends, for whatever reason. It never
 * reconnects by itself: whoever needs more makes a new one, and PostgreSQL sends again what was not confirmed.
 */
interface ChangeStream {
    /** Returns at once; the handler is called on the stream's own thread. */
    void start(Handler handler);

    /** Ends the stream; {@link Handler#ended} has been called when this returns. May be called in any state, repeatedly. */
    void close();

    /** What a stream calls: always from one thread, except {@link #ended}. */
    interface Handler {
        /**
         * What came next, in WAL order; at least every {@link WalConfiguration#TICK} there is something, if only a sign of life. Called
         * with nothing in between, so that what was settled meanwhile can be confirmed. Blocking here holds the stream back; throwing
         * ends it.
         */
        void handle(List<Item> items, Confirmer confirmer) throws InterruptedException;

        /** Called once. Empty if the stream was closed by {@link ChangeStream#close()}. */
        void ended(Optional<Throwable> cause);
    }

    /** Moves the slot; only to be called within {@link Handler#handle}. */
    @FunctionalInterface
    interface Confirmer {
        /** Everything up to and including this item is done with. */
        void confirm(Item item) throws InterruptedException;
    }
}
