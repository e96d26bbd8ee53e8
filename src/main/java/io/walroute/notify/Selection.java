package io.walroute.notify;

import io.walroute.change.ChangeJson;
import io.walroute.change.RawJson;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The columns that a client wants of a row; the key comes in any case, and so does the context.
 *
 * @param columns null: all
 */
record Selection(Set<String> columns) {
    static final Selection ALL = new Selection(null);

    boolean isAll() {
        return columns == null;
    }

    /** What serves two subscriptions of one connection, which gets a frame once. */
    Selection with(Selection other) {
        if (isAll() || other.isAll()) {
            return ALL;
        }
        if (columns.containsAll(other.columns)) {
            return this;
        }
        var both = new TreeSet<>(columns);
        both.addAll(other.columns);
        return new Selection(both);
    }

    /** The frame with fewer columns. */
    String of(String frameJson) {
        Map<String, Object> frame = new LinkedHashMap<>(ChangeJson.readRow(frameJson));
        frame.computeIfPresent("event", (name, event) -> new RawJson(event(event.toString())));
        return ChangeJson.writeRow(frame);
    }

    private String event(String json) {
        Map<String, Object> event = new LinkedHashMap<>(ChangeJson.readRow(json));
        for (String row : List.of("old", "new")) {
            event.computeIfPresent(row, (name, columnsOfRow) -> new RawJson(row(columnsOfRow.toString())));
        }
        for (String names : List.of("changed_columns", "unavailable_columns", "redacted_columns")) {
            event.computeIfPresent(names, (name, list) -> names((RawJson) list));
        }
        return ChangeJson.writeRow(event);
    }

    private String row(String json) {
        Map<String, Object> row = new LinkedHashMap<>(ChangeJson.readRow(json));
        row.keySet().retainAll(columns);
        return ChangeJson.writeRow(row);
    }

    private List<String> names(RawJson list) {
        return JsonTexts.strings(list).stream().filter(columns::contains).toList();
    }
}
