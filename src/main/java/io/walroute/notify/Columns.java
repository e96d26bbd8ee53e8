package io.walroute.notify;

import io.walroute.change.ChangeJson;
import io.walroute.change.RawJson;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a filter may compare of one frame: the row's columns and the frame's context, each as text, so that {@code 42} and
 * {@code "42"} are the same.
 *
 * <p>A column is looked for in the new row, in the old one (a deleted row, a TOASTed column that didn't change), in the key,
 * then in the context; {@code context.NAME} names a context field in any case.
 */
final class Columns {
    static final Columns NONE = new Columns(List.of(), Map.of());
    private static final String CONTEXT = "context.";

    private final List<Map<String, Object>> rows;
    private final Map<String, Object> context;

    private Columns(List<Map<String, Object>> rows, Map<String, Object> context) {
        this.rows = rows;
        this.context = context;
    }

    static Columns ofFrame(String frameJson) {
        Map<String, Object> frame = object(new RawJson(frameJson));
        Map<String, Object> event = object(frame.get("event"));
        var rows = new ArrayList<Map<String, Object>>(3);
        for (String row : List.of("new", "old", "key")) {
            Map<String, Object> columns = object(event.get(row));
            if (!columns.isEmpty()) {
                rows.add(columns);
            }
        }
        return new Columns(rows, object(frame.get("context")));
    }

    private static Map<String, Object> object(Object value) {
        boolean isObject = value instanceof RawJson raw && raw.text().startsWith("{");
        return isObject ? ChangeJson.readRow(value.toString()) : Map.of();
    }

    /** The named values as texts, null for a JSON null; null instead of a list if any is not there at all. */
    List<String> texts(List<String> names) {
        var texts = new ArrayList<String>(names.size());
        for (String name : names) {
            Map<String, Object> owner = ownerOf(name);
            if (owner == null) {
                return null;
            }
            Object value = owner.get(owner == context ? contextName(name) : name);
            texts.add(value == null ? null : value.toString());
        }
        return texts;
    }

    private Map<String, Object> ownerOf(String name) {
        for (Map<String, Object> row : rows) {
            if (row.containsKey(name)) {
                return row;
            }
        }
        return context.containsKey(contextName(name)) ? context : null;
    }

    private String contextName(String name) {
        boolean prefixed = name.startsWith(CONTEXT) && !context.containsKey(name);
        return prefixed ? name.substring(CONTEXT.length()) : name;
    }
}
