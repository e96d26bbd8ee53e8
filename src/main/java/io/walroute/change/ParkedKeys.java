package io.walroute.change;

import java.util.function.Consumer;

/**
 * Which keys have deliveries in the dead letters that their followers must not pass. Lanes ask every one in Camel's
 * registry when they start, since the dead letters outlive them, and again from time to time while they know of parked
 * keys, since others (a command, another process) may take deliveries away.
 */
@FunctionalInterface
public interface ParkedKeys {
    /**
     * Hands out the keys with parked deliveries (dead ones don't count once their sink knows: they let
     * their followers go on), each in the form of
     * {@link #key(String, String, String)}; of a delivery that changes a key, both. A key may come twice. Blocks.
     *
     * @param sink the lane's name
     * @param most how many to hand out
     * @return whether that were all
     */
    boolean forEachParkedKey(String sink, int most, Consumer<String> taker);

    /** {@code schema.table}, a NUL, and the key's text, which is empty for a TRUNCATE and where the table has no key. */
    static String key(String schema, String table, String keyText) {
        return schema + '.' + table + '\0' + (keyText == null ? "" : keyText);
    }
}
