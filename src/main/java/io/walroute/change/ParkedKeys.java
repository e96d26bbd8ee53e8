package io.walroute.change;

import java.util.Set;

/**
 * Which keys have deliveries in the dead letters that their followers must not pass. Lanes ask every one in Camel's
 * registry when they start, since the dead letters outlive them.
 */
@FunctionalInterface
public interface ParkedKeys {
    /**
     * The keys with parked deliveries (dead ones don't count: they let their followers go on), each in the form of
     * {@link #key(String, String, String)}; of a delivery that changes a key, both. May block.
     *
     * @param sink the lane's name
     */
    Set<String> parkedKeys(String sink);

    /** {@code schema.table}, a NUL, and the key's text, which is empty for a TRUNCATE and where the table has no key. */
    static String key(String schema, String table, String keyText) {
        return schema + '.' + table + '\0' + (keyText == null ? "" : keyText);
    }
}
