package io.walroute.cache;

import java.util.Map;
import java.util.Optional;

/**
 * Reads a row that a change carries only in part and that the cache doesn't know either. May block; called from a thread
 * of its own pool, up to two at a time.
 */
@FunctionalInterface
public interface RowSource {
    /**
     * The row as it is now: every column, with values of the same forms as in {@code ChangeEvent}, since they are compared
     * with those of the change (if they differ, a later change is on its way, and this row isn't used).
     *
     * @param key the primary key's columns and values as the change has them
     * @return empty if there is no such row any more
     * @throws RuntimeException if the database can't be asked; the change then fails and is tried again
     */
    Optional<Map<String, Object>> read(String schema, String table, Map<String, Object> key);
}
