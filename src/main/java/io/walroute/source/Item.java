package io.walroute.source;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import java.util.function.Function;
import org.apache.camel.Endpoint;
import org.apache.camel.Exchange;

/**
 * One thing that a {@link ChangeStream} yields.
 *
 * @param kind what it is
 * @param change the row change; null for everything else
 * @param exchange makes the change's exchange, stock headers included; null without a change, or one that could be read
 * @param skipped the row change that is passed over; null for everything else
 * @param heartbeat the content of a WAL heartbeat of ours that came back; null for everything else
 * @param mark what the stream needs to confirm this item; null where confirming it would confirm nothing, as in the middle
 *     of a transaction
 * @param position where confirming it moves the slot; null if nowhere
 * @param bytes about how much memory the change takes
 */
record Item(
        Kind kind,
        ChangeEvent change,
        Function<Endpoint, Exchange> exchange,
        Skipped skipped,
        String heartbeat,
        Object mark,
        Lsn position,
        long bytes) {
    enum Kind {
        BEGIN,
        CHANGE,
        /** A change of a transaction that an operator passes over. */
        SKIPPED,
        END,
        /** A WAL heartbeat of ours that came back. */
        HEARTBEAT,
        /** A sign of life of the stream itself, which may come in the middle of a transaction. */
        TICK
    }

    /**
     * @param table {@code schema.table}, without {@code public.}
     * @param change null if it could not be read
     */
    record Skipped(SkipRule rule, String table, Operation operation, ChangeEvent change) {}

    /** @param read the change as it would have gone its way; null if it could not be read */
    static Item skipped(SkipRule rule, String table, Operation operation, Item read) {
        var skipped = new Skipped(rule, table, operation, read == null ? null : read.change);
        return new Item(
                Kind.SKIPPED,
                null,
                read == null ? null : read.exchange,
                skipped,
                null,
                null,
                null,
                read == null ? 0 : read.bytes);
    }

    /** What is kept of it until it is settled: without what the stream had of the row beside the change. */
    Item withoutExchange() {
        return new Item(kind, change, null, skipped, heartbeat, mark, position, bytes);
    }

    /** Which one it is, for messages. */
    String label() {
        ChangeEvent known = skipped == null ? change : skipped.change();
        return known == null ? kind.name() : known.id();
    }

    static Item change(ChangeEvent change, Function<Endpoint, Exchange> exchange, long bytes) {
        return new Item(Kind.CHANGE, change, exchange, null, null, null, null, bytes);
    }

    static Item boundary(Kind kind, Object mark, Lsn position) {
        return new Item(kind, null, null, null, null, mark, position, 0);
    }

    static Item heartbeat(String content, Object mark, Lsn position) {
        return new Item(Kind.HEARTBEAT, null, null, null, content, mark, position, 0);
    }
}
