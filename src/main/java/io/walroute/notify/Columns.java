package io.walroute.notify;

import io.walroute.change.ChangeJson;
import io.walroute.change.RawJson;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What can be asked of one frame: the row's columns and the frame's context.
 *
 * <p>A filter looks for a column in the new row, in the old one (a deleted row, a TOASTed column that didn't change), in the
 * key, then in the context; {@code context.NAME} names a context field in any case. A rule says which of them it means.
 */
final class Columns {
    /** In place of a value: there is no such column, or it isn't what is in the table. */
    static final Object MISSING = new Object();

    static final Columns NONE = new Columns(null, null, null, null, Set.of());
    private static final String CONTEXT = "context.";

    private final Map<String, Object> newRow;
    private final Map<String, Object> oldRow;
    private final Map<String, Object> key;
    private final Map<String, Object> context;
    private final List<Map<String, Object>> rows;
    private final Set<String> redacted;

    private Columns(
            Map<String, Object> newRow,
            Map<String, Object> oldRow,
            Map<String, Object> key,
            Map<String, Object> context,
            Set<String> redacted) {
        this.newRow = newRow;
        this.oldRow = oldRow;
        this.key = key;
        this.context = context == null ? Map.of() : context;
        this.redacted = redacted;
        rows = Stream.of(newRow, oldRow, key).filter(Objects::nonNull).toList();
    }

    static Columns ofFrame(String frameJson) {
        Map<String, Object> frame = ChangeJson.readRow(frameJson);
        Map<String, Object> event = object(frame.get("event"));
        if (event == null) {
            return NONE;
        }
        var redacted = new HashSet<String>();
        if (event.get("redacted_columns") instanceof RawJson names) {
            JsonTexts.strings(names).forEach(redacted::add);
        }
        return new Columns(
                object(event.get("new")),
                object(event.get("old")),
                object(event.get("key")),
                object(frame.get("context")),
                redacted);
    }

    /** Null if it is no object. */
    private static Map<String, Object> object(Object value) {
        boolean isObject = value instanceof RawJson raw && raw.text().startsWith("{");
        return isObject ? ChangeJson.readRow(value.toString()) : null;
    }

    /** Null if the frame has none. */
    Map<String, Object> newRow() {
        return newRow;
    }

    /** Null if the frame has none. */
    Map<String, Object> oldRow() {
        return oldRow;
    }

    Map<String, Object> key() {
        return key;
    }

    Map<String, Object> context() {
        return context;
    }

    /** Whether the frame shows something else than the table has. */
    boolean isRedacted(String column) {
        return redacted.contains(column);
    }

    /** The named values as texts, null for a JSON null; null instead of a list if any is not there at all. */
    List<String> texts(List<String> names) {
        var texts = new ArrayList<String>(names.size());
        for (String name : names) {
            Object value = value(name);
            if (value == MISSING) {
                return null;
            }
            texts.add(value == null ? null : value.toString());
        }
        return texts;
    }

    /** {@link #MISSING} if there is none of that name. */
    Object value(String name) {
        for (Map<String, Object> row : rows) {
            if (row.containsKey(name)) {
                return row.get(name);
            }
        }
        String contextName = contextName(name);
        return context.containsKey(contextName) ? context.get(contextName) : MISSING;
    }

    private String contextName(String name) {
        boolean prefixed = name.startsWith(CONTEXT) && !context.containsKey(name);
        return prefixed ? name.substring(CONTEXT.length()) : name;
    }
}
