package io.walroute.backfill;

import io.walroute.change.PgType;
import io.walroute.slot.TableName;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A table as far as its rows are published, and the queries that read them.
 *
 * @param only whether rows of tables that inherit from it are left out: they are published as rows of their own table
 * @param columns those that are published, in the table's order
 * @param key the primary key's columns, in key order
 * @param rowFilter which rows are published; null for all
 */
record Table(TableName name, boolean only, List<Column> columns, List<Column> key, String rowFilter) {
    /**
     * @param type what the stream calls its type: decides how values are converted
     * @param sqlType as a cast has it
     */
    record Column(String name, PgType type, String sqlType) {
        String sql() {
            return '"' + name.replace("\"", "\"\"") + '"';
        }
    }

    List<String> keyNames() {
        return key.stream().map(Column::name).toList();
    }

    /**
     * The rows behind a key, in key order. The condition stands in a query of its own: whatever it holds, it restricts, and can't
     * reach the order.
     *
     * @param where null for all rows
     * @param after null for the first rows
     * @param limit 0 for all
     */
    String select(String where, List<String> after, int limit) {
        return "SELECT " + list(columns) + from(where)
                + (after == null ? "" : " WHERE " + behind(after))
                + " ORDER BY " + list(key)
                + (limit == 0 ? "" : " LIMIT " + limit);
    }

    private String from(String where) {
        List<String> conditions = new ArrayList<>();
        if (rowFilter != null) {
            conditions.add("(" + rowFilter + ")");
        }
        if (where != null) {
            conditions.add("(\n" + where + "\n)"); // a comment at its end must not take the bracket along
        }
        return " FROM (SELECT * FROM " + (only ? "ONLY " : "") + name.sql()
                + (conditions.isEmpty() ? "" : " WHERE " + String.join(" AND ", conditions)) + ") AS r";
    }

    /** As constants, since pgjdbc would take question marks in a condition for parameters. */
    private String behind(List<String> after) {
        Iterator<String> values = after.iterator();
        String constants = key.stream()
                .map(column -> "CAST(" + literal(values.next()) + " AS " + column.sqlType() + ")")
                .collect(Collectors.joining(", "));
        return "(" + list(key) + ") > (" + constants + ")";
    }

    private static String list(List<Column> columns) {
        return columns.stream().map(Column::sql).collect(Collectors.joining(", "));
    }

    /** For sessions with {@code standard_conforming_strings}, the default since PostgreSQL 9.1 and set for ours. */
    static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    /** Whether all columns of the key are published. */
    boolean hasWholeKey() {
        Set<String> names = columns.stream().map(Column::name).collect(Collectors.toSet());
        return names.containsAll(keyNames());
    }
}
