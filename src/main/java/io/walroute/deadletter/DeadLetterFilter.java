package io.walroute.deadletter;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * Which dead letters are meant; a null member doesn't restrict.
 *
 * @param table the table's name, without schema or as {@code schema.table}
 * @param key the primary key as one text, or as the JSON object of the column {@code key}
 * @param since those that failed last at this time or later
 * @param cause a part of the cause's text; upper and lower case are the same
 * @param ids at most a few hundred; databases bound a statement's parameters
 */
public record DeadLetterFilter(
        String sink,
        String route,
        String table,
        String key,
        Instant since,
        String cause,
        DeadLetter.State state,
        List<Long> ids) {
    public static final DeadLetterFilter ALL = new DeadLetterFilter(null, null, null, null, null, null, null);

    public DeadLetterFilter(
            String sink, String route, String table, String key, Instant since, String cause, DeadLetter.State state) {
        this(sink, route, table, key, since, cause, state, null);
    }

    public static DeadLetterFilter ofSink(String sink) {
        return new DeadLetterFilter(sink, null, null, null, null, null, null);
    }

    /** The conditions as SQL, {@code true} if there are none; adds their values in order. */
    String where(List<Object> values) {
        var conditions = new ArrayList<String>(List.of("1 = 1"));
        add(conditions, values, "sink = ?", sink);
        add(conditions, values, "route = ?", route);
        if (table != null) {
            conditions.add("(table_name = ? OR schema_name || '.' || table_name = ?)");
            values.add(table);
            values.add(table);
        }
        if (key != null) {
            conditions.add("(key_text = ? OR key = ?)");
            values.add(key);
            values.add(key);
        }
        add(conditions, values, "last_failure >= ?", since);
        if (cause != null) {
            conditions.add("lower(cause) LIKE ? ESCAPE '!'");
            values.add("%" + cause.toLowerCase(java.util.Locale.ROOT).replaceAll("[!%_]", "!$0") + "%");
        }
        add(conditions, values, "state = ?", state == null ? null : state.text());
        if (ids != null) {
            conditions.add(ids.isEmpty() ? "1 = 0" : "id IN (" + "?, ".repeat(ids.size() - 1) + "?)");
            values.addAll(ids);
        }
        return String.join(" AND ", conditions);
    }

    private static void add(List<String> conditions, List<Object> values, String condition, Object value) {
        if (value != null) {
            conditions.add(condition);
            values.add(value);
        }
    }
}
