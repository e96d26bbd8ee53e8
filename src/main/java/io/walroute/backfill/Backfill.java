package io.walroute.backfill;

import io.walroute.change.Version;
import io.walroute.slot.TableName;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One table's backfill as the store keeps it.
 *
 * @param batch the id of the first backfill that was asked for together with this one
 * @param where null for all rows
 * @param marker what the cache's marker said when all its tables were asked for; null if they weren't
 * @param keyColumns of the table when {@code lastKey} was read; null before the first rows
 * @param lastKey PostgreSQL's texts of the key up to which all rows are delivered or parked; null before the first rows
 * @param rows delivered or parked so far, those read twice because of a restart counted once
 * @param filtered of these, how many no route led to the cache
 * @param pruned how many entries were removed since their rows are gone
 * @param estimatedRows PostgreSQL's estimate at the start
 * @param start the version of the first rows: whatever exists has at least this one afterwards; null before
 * @param error why it failed; null unless it did
 * @param by who asked for it
 * @param startedAt null as long as it is queued
 * @param endedAt null until then
 */
public record Backfill(
        long id,
        long batch,
        State state,
        TableName table,
        String where,
        int rate,
        boolean prune,
        String marker,
        List<String> keyColumns,
        List<String> lastKey,
        long rows,
        long filtered,
        long pruned,
        long estimatedRows,
        Version start,
        String error,
        String by,
        Instant askedAt,
        Instant startedAt,
        Instant updatedAt,
        Instant endedAt) {

    /** What has become of a backfill. */
    public enum State {
        QUEUED,
        RUNNING,
        DONE,
        CANCELLED,
        FAILED;

        public boolean isEnd() {
            return this == DONE || this == CANCELLED || this == FAILED;
        }
    }

    /** A part of the ids of the rows that it reads. */
    String name() {
        return "backfill-" + id;
    }

    /** As the commands print it with {@code --json}. @param problem what holds it up now; null if nothing does */
    public Map<String, Object> toJson(String problem) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", id);
        json.put("state", state.name().toLowerCase(Locale.ROOT));
        json.put("table", table.toString());
        json.put("where", where);
        json.put("rate", rate);
        json.put("prune", prune);
        json.put("rows", rows);
        json.put("estimated_rows", estimatedRows);
        json.put("filtered", filtered);
        json.put("pruned", pruned);
        json.put("last_key", lastKey);
        json.put("problem", state.isEnd() ? null : problem);
        json.put("error", error);
        json.put("by", by);
        json.put("asked_at", askedAt.toString());
        json.put("started_at", startedAt == null ? null : startedAt.toString());
        json.put("updated_at", updatedAt.toString());
        json.put("ended_at", endedAt == null ? null : endedAt.toString());
        return json;
    }
}
