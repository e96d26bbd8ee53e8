package io.walroute.backfill;

import io.walroute.slot.TableName;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which rows are read again.
 *
 * @param tables one after another; empty for all that go to the cache
 * @param where a condition on the one table, as SQL has it; null for all rows
 * @param rate rows a second at most; 0 for no limit
 * @param prune whether entries whose rows are gone are removed from the cache afterwards; only for all rows of a table
 */
public record BackfillRequest(List<TableName> tables, String where, int rate, boolean prune) {
    public static final int DEFAULT_RATE = 2_000;

    private static final Set<String> MEMBERS = Set.of("tables", "where", "rate", "prune", "dry_run", "by");

    public BackfillRequest {
        tables = List.copyOf(new LinkedHashSet<>(tables));
        if (where != null && tables.size() != 1) {
            throw new IllegalArgumentException("--where is a condition on one table: give --table once with it");
        }
        if (where != null && where.indexOf(';') >= 0) {
            throw new IllegalArgumentException(
                    "--where holds a semicolon, but is one condition, as in: status = 'active'. Write chr(59) for one in a text");
        }
        if (where != null && prune) {
            throw new IllegalArgumentException(
                    "--prune needs all rows of the table: it removes entries of rows that were not read. Leave out --where");
        }
        if (rate < 0) {
            throw new IllegalArgumentException("--rate " + rate + " is below 0, which already means: no limit");
        }
    }

    /** All tables that go to the cache, whole. */
    public static BackfillRequest all() {
        return new BackfillRequest(List.of(), null, DEFAULT_RATE, true);
    }

    /** @throws IllegalArgumentException naming the member that can't be used, in one line */
    public static BackfillRequest of(Map<String, ?> json) {
        for (String member : json.keySet()) {
            if (!MEMBERS.contains(member)) {
                throw new IllegalArgumentException("unknown member " + member + " of a backfill");
            }
        }
        String where = text(json.get("where"));
        return new BackfillRequest(
                tables(json.get("tables")),
                where,
                json.get("rate") == null ? DEFAULT_RATE : rate(json.get("rate")),
                json.get("prune") == null ? where == null : flag(json.get("prune")));
    }

    private static List<TableName> tables(Object value) {
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof Collection<?> names)) {
            throw new IllegalArgumentException("tables is no list of names");
        }
        List<TableName> tables = new ArrayList<>();
        for (Object name : names) {
            tables.add(TableName.parse(String.valueOf(name).strip()));
        }
        return tables;
    }

    private static String text(Object value) {
        return value == null || value.toString().isBlank()
                ? null
                : value.toString().strip();
    }

    private static boolean flag(Object value) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw new IllegalArgumentException("prune=" + value + " is neither true nor false");
    }

    private static int rate(Object value) {
        try {
            return Integer.parseInt(value.toString());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("--rate " + value + " is not a whole number of rows a second", e);
        }
    }
}
