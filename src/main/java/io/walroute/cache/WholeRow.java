package io.walroute.cache;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Completes a row of which the WAL left out TOASTed columns. Pure functions. */
final class WholeRow {
    static final String VERSION_MEMBER = "_version";
    /** {@code "_version":"…"} and the closing brace: a version's text has 34 characters. */
    private static final int TAIL_LENGTH = 14 + 34;

    private WholeRow() {}

    /**
     * The change's new row with its left-out columns from another row, in that row's order.
     *
     * @return null if the other row is null or lacks one of them
     */
    static Map<String, Object> complete(ChangeEvent event, Map<String, Object> source) {
        if (source == null || !source.keySet().containsAll(event.unavailableColumns())) {
            return null;
        }
        Map<String, Object> changed = event.newRow();
        var row = new LinkedHashMap<String, Object>();
        for (var column : source.entrySet()) {
            String name = column.getKey();
            if (changed.containsKey(name)) {
                row.put(name, changed.get(name));
            } else if (event.unavailableColumns().contains(name)) {
                row.put(name, column.getValue());
            }
        }
        changed.forEach(row::putIfAbsent);
        return row;
    }

    /**
     * The same from a row that the database has now. If that differs in a column that the change carries, the row has been
     * changed again since: mixed, the two would make a row that never was.
     *
     * @return null if there is no such row or it has been changed again
     */
    static Map<String, Object> completeIfUnchanged(ChangeEvent event, Map<String, Object> present) {
        if (present == null || !present.keySet().containsAll(event.newRow().keySet())) {
            return null;
        }
        var same = new LinkedHashMap<String, Object>();
        event.newRow().keySet().forEach(column -> same.put(column, present.get(column)));
        return ChangeJson.writeRow(same).equals(ChangeJson.writeRow(event.newRow())) ? complete(event, present) : null;
    }

    static byte[] toJson(Map<String, Object> row, String version) {
        return ChangeJson.writeRow(row, VERSION_MEMBER, version);
    }

    /** An entry's version; the entry must be one that {@link #toJson} made. */
    static String version(byte[] entry) {
        return new String(entry, entry.length - 2 - 34, 34, StandardCharsets.US_ASCII);
    }

    /** An entry's row. Its version is cut off, not parsed away: a table may have a column of that name. */
    static Map<String, Object> row(byte[] entry) {
        String text = new String(entry, StandardCharsets.UTF_8);
        String columns = text.substring(0, text.length() - TAIL_LENGTH);
        return ChangeJson.readRow((columns.endsWith(",") ? columns.substring(0, columns.length() - 1) : columns) + "}");
    }
}
