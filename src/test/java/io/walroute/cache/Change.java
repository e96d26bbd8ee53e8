package io.walroute.cache;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Short ways to write changes of a table {@code items(id, name, big)} in tests; the number is the change's LSN. */
final class Change {
    private Change() {}

    static Version version(long lsn) {
        return new Version(1, new Lsn(lsn), 0);
    }

    static ChangeEvent.Builder of(Operation operation, String table, long lsn) {
        return ChangeEvent.builder(
                operation, "public", table, Instant.parse("2026-01-31T12:00:00.123456Z"), version(lsn));
    }

    static ChangeEvent insert(long lsn, long id, String name) {
        return of(Operation.INSERT, "items", lsn)
                .key("id", id)
                .newRow(row(id, name))
                .build();
    }

    static ChangeEvent update(long lsn, long id, String name) {
        return of(Operation.UPDATE, "items", lsn)
                .key("id", id)
                .newRow(row(id, name))
                .build();
    }

    static ChangeEvent read(long lsn, long id, String name) {
        return of(Operation.READ, "items", lsn)
                .key("id", id)
                .newRow(row(id, name))
                .snapshot(true)
                .build();
    }

    static ChangeEvent delete(long lsn, long id) {
        return of(Operation.DELETE, "items", lsn)
                .key("id", id)
                .oldRow(columns("id", id))
                .build();
    }

    static ChangeEvent moved(long lsn, long from, long to, String name) {
        return of(Operation.UPDATE, "items", lsn)
                .key("id", to)
                .oldRow(columns("id", from))
                .newRow(row(to, name))
                .build();
    }

    static ChangeEvent truncate(long lsn) {
        return truncate(lsn, "items");
    }

    static ChangeEvent truncate(long lsn, String table) {
        return of(Operation.TRUNCATE, table, lsn).build();
    }

    /** An update that leaves {@code big} out. */
    static ChangeEvent.Builder half(long lsn, long id, String name) {
        return of(Operation.UPDATE, "items", lsn)
                .key("id", id)
                .newRow(row(id, name))
                .unavailableColumns(List.of("big"));
    }

    static Map<String, Object> row(long id, String name) {
        return columns("id", id, "name", name);
    }

    static Map<String, Object> columns(Object... namesAndValues) {
        var columns = new LinkedHashMap<String, Object>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            columns.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return columns;
    }
}
