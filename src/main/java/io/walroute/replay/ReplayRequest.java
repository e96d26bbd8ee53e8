package io.walroute.replay;

import io.walroute.change.Lsn;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Which past changes are sent again, and where to. Every member but the rate may be null, which restricts nothing; {@code lsn} or
 * {@code since} must be there.
 *
 * @param lsn from the first change in commit order whose LSN is at or past it
 * @param toLsn up to the last change in commit order whose LSN is at or before it
 * @param since committed at or after it
 * @param until committed at or before it
 * @param table {@code table} or {@code schema.table}
 * @param key the primary key as the cache's keys have it ({@code 42}, {@code 7:blue}), or as a JSON object
 * @param route the lane that gets the changes, as {@code hook}; null for all
 * @param rate changes a second at most; 0 for no limit
 */
public record ReplayRequest(
        Lsn lsn, Lsn toLsn, Instant since, Instant until, String table, String key, String route, int rate) {
    public static final int DEFAULT_RATE = 500;

    private static final Set<String> MEMBERS =
            Set.of("lsn", "to_lsn", "since", "until", "table", "key", "route", "rate", "dry_run", "by");

    /**
     * @param json as {@link #toJson()} makes it
     * @throws IllegalArgumentException naming the member that can't be used, in one line
     */
    public static ReplayRequest of(Map<String, ?> json) {
        for (String member : json.keySet()) {
            if (!MEMBERS.contains(member)) {
                throw new IllegalArgumentException("unknown member " + member + " of a replay");
            }
        }
        var request = new ReplayRequest(
                lsn(json, "lsn"),
                lsn(json, "to_lsn"),
                time(json, "since"),
                time(json, "until"),
                text(json, "table"),
                text(json, "key"),
                text(json, "route"),
                json.get("rate") == null ? DEFAULT_RATE : rate(json.get("rate")));
        if (request.lsn == null && request.since == null) {
            throw new IllegalArgumentException("a replay needs a start: --lsn or --since");
        }
        if (request.key != null && request.table == null) {
            throw new IllegalArgumentException("--key needs --table: keys are a table's own");
        }
        if (request.lsn != null && request.toLsn != null && request.toLsn.compareTo(request.lsn) < 0) {
            throw new IllegalArgumentException("--to-lsn " + request.toLsn + " lies before --lsn " + request.lsn);
        }
        if (request.since != null && request.until != null && request.until.isBefore(request.since)) {
            throw new IllegalArgumentException("--until " + request.until + " lies before --since " + request.since);
        }
        return request;
    }

    private static String text(Map<String, ?> json, String name) {
        Object value = json.get(name);
        if (value == null || value instanceof String text && text.isBlank()) {
            return null;
        }
        return value.toString().strip();
    }

    private static Lsn lsn(Map<String, ?> json, String name) {
        String text = text(json, name);
        try {
            return text == null ? null : Lsn.parse(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "--" + name.replace('_', '-') + " " + text + " is not an LSN. Write it as 0/17D5A48", e);
        }
    }

    private static Instant time(Map<String, ?> json, String name) {
        String text = text(json, name);
        try {
            return text == null ? null : OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(
                    "--" + name + " " + text + " is not a time with zone. Write it as 2026-01-31T12:00:00Z", e);
        }
    }

    private static int rate(Object value) {
        int rate;
        try {
            rate = Integer.parseInt(value.toString());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("--rate " + value + " is not a whole number of changes a second", e);
        }
        if (rate < 0) {
            throw new IllegalArgumentException("--rate " + rate + " is below 0, which already means: no limit");
        }
        return rate;
    }

    String schema() {
        return table == null ? null : table.contains(".") ? table.substring(0, table.indexOf('.')) : "public";
    }

    String tableName() {
        return table == null ? null : table.substring(table.indexOf('.') + 1);
    }

    public Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("lsn", lsn == null ? null : lsn.toString());
        json.put("to_lsn", toLsn == null ? null : toLsn.toString());
        json.put("since", since == null ? null : since.toString());
        json.put("until", until == null ? null : until.toString());
        json.put("table", table);
        json.put("key", key);
        json.put("route", route);
        json.put("rate", rate);
        return json;
    }
}
