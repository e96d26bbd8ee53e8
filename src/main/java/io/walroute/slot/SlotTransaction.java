package io.walroute.slot;

import io.walroute.change.Lsn;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What one committed transaction changed in published tables.
 *
 * @param first the least LSN of its changes
 * @param commit of its commit record
 */
public record SlotTransaction(long xid, Lsn first, Lsn commit, Instant committedAt, List<Table> tables) {
    /** @param table {@code schema.table}, without {@code public.} */
    public record Table(String table, long inserts, long updates, long deletes, long truncates) {
        public Map<String, Object> toMap() {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("table", table);
            row.put("inserts", inserts);
            row.put("updates", updates);
            row.put("deletes", deletes);
            row.put("truncates", truncates);
            return row;
        }

        long changes() {
            return inserts + updates + deletes + truncates;
        }
    }

    /** A TRUNCATE counts as one of each table. */
    public long changes() {
        return tables.stream().mapToLong(Table::changes).sum();
    }

    public Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("xid", xid);
        json.put("commit_lsn", commit.toString());
        json.put("first_lsn", first.toString());
        json.put("committed_at", committedAt.toString());
        json.put("changes", changes());
        json.put("tables", tables.stream().map(Table::toMap).toList());
        return json;
    }
}
