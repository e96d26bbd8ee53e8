package io.walroute.backfill;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * Some rows of a table in key order, read in one snapshot.
 *
 * @param lastKey PostgreSQL's texts of the last row's key; null if there is no row
 * @param bytes of the rows' texts
 * @param last whether there was nothing behind them
 */
record Chunk(
        Table table, List<Map<String, Object>> rows, List<String> lastKey, long bytes, boolean last, Instant readAt) {}
