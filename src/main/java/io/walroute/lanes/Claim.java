package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.Operation;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.camel.Message;

/**
 * What a delivery needs for itself while it runs: one key of a table, two keys (an UPDATE that changes the key), or the
 * whole table.
 *
 * <p>A TRUNCATE claims the whole table, and so does each change of a table without a key: claims of the whole table run one
 * after the other, and the order holds when a table gains or loses its primary key in between.
 *
 * @param table {@code schema.table}
 * @param key null for the whole table
 * @param oldKey a second key; null if there is none
 */
record Claim(String table, String key, String oldKey) {
    private static final AtomicLong NUMBERS = new AtomicLong();
    // A lane's claims are all of this kind or none, so no key can be taken for it.
    private static final String UNSHARED = "#";

    static Claim of(Message message) {
        if (message.getBody() instanceof ChangeEvent event) {
            return of(event);
        }
        // A route that changed the body before the lane loses parallelism, not order.
        return new Claim(
                message.getHeader(ChangeHeaders.SCHEMA, "", String.class)
                        + '.'
                        + message.getHeader(ChangeHeaders.TABLE, "", String.class),
                null,
                null);
    }

    static Claim of(ChangeEvent event) {
        String table = event.schema() + '.' + event.table();
        String key = event.keyText();
        if (key == null || event.operation() == Operation.TRUNCATE) {
            return new Claim(table, null, null);
        }
        String oldKey = event.operation() == Operation.UPDATE ? event.oldKeyText() : key;
        return new Claim(table, key, key.equals(oldKey) ? null : oldKey);
    }

    /** One that conflicts with no other. */
    Claim ofNothingElse() {
        return new Claim(table, UNSHARED + NUMBERS.incrementAndGet(), null);
    }

    boolean wholeTable() {
        return key == null;
    }

    /** Whether the two must run one after the other. */
    boolean conflictsWith(Claim other) {
        return table.equals(other.table)
                && (wholeTable()
                        || other.wholeTable()
                        || claims(other.key)
                        || other.oldKey != null && claims(other.oldKey));
    }

    private boolean claims(String one) {
        return one.equals(key) || one.equals(oldKey);
    }
}
