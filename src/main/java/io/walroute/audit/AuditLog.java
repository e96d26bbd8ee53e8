package io.walroute.audit;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.store.Store;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * The table {@code audit_log}: every committed change once, in commit order ({@code seq}).
 *
 * <p>Everything that means "after" goes by {@code seq}: LSNs rise along one row but not across rows. Safe to use from any
 * thread; the reading methods block.
 */
public final class AuditLog {
    /** An audited change and its place in commit order. */
    public record Audited(long seq, ChangeEvent event) {}

    /**
     * Which changes a reader wants; a null member doesn't restrict.
     *
     * @param schema the schema's name
     * @param table the table's name, without schema
     * @param key the primary key as one text ({@link ChangeEvent#keyText()}), or as the JSON object of the column {@code key}
     * @param since commit time of the earliest
     */
    public record Filter(String schema, String table, String key, Instant since) {
        public static final Filter ALL = new Filter(null, null, null, null);
    }

    /** Takes changes in commit order. */
    @FunctionalInterface
    public interface Visitor {
        /** Returns whether to go on. */
        boolean visit(Audited change) throws SQLException;
    }

    /** As many rows as one look into the table takes at most, and as many bytes of events. */
    private static final int PAGE_ROWS = 500;

    private static final long PAGE_BYTES = 8 << 20;

    private final Store store;
    private final boolean sqlite;
    private final Store.Insert insert;

    /** Creates the table if it is missing. */
    public AuditLog(Store store) throws SQLException {
        this.store = store;
        sqlite = store.isSqlite();
        // SQLite takes the event's UTF-8 bytes as they are: decoding them only to encode them again costs a tenth.
        insert = new Store.Insert(
                "INSERT INTO audit_log (event_id, xid, lsn, committed_at, schema_name, table_name, operation, key, event)"
                        + " VALUES",
                "(?, ?, ?, ?, ?, ?, ?, ?, " + (sqlite ? "CAST(? AS TEXT)" : "?::json") + ")",
                "ON CONFLICT (event_id) DO NOTHING");
        store.define(sqlite ? SQLITE_TABLE : POSTGRES_TABLE);
    }

    /**
     * The index by key goes by parts of the log. Over the whole log, each new row would change another of its pages, which are
     * then written one for each row, and the more of them the longer the log; the newest part's are few, and change many times
     * over before they are written.
     */
    private static final String PART = "seq >> 16";

    /** The keys that changes gave up for another: {@code audit_log} has them under the new key. */
    private static final String KEY_CHANGES = """
            CREATE TABLE IF NOT EXISTS audit_key_changes (
              seq %s PRIMARY KEY,
              schema_name text NOT NULL,
              table_name text NOT NULL,
              old_key text NOT NULL)""";

    /** From the part of a {@code seq} on, one after the other. */
    private static final String IN_PARTS = "WITH RECURSIVE part (number) AS (SELECT CAST(? AS bigint) >> 16 UNION ALL"
            + " SELECT number + 1 FROM part WHERE number < (SELECT max(seq) FROM audit_log) >> 16)"
            + " SELECT 1 FROM part CROSS JOIN audit_log WHERE (" + PART + ") = part.number";

    private static final String LATER_TRUNCATE = IN_PARTS
            + " AND key IS NULL AND substr(key, 1, 200) IS NULL AND table_name = ? AND schema_name = ?"
            + " AND operation = 'TRUNCATE' AND seq > ? LIMIT 1";

    private static final String LATER_OF_KEY = IN_PARTS
            + " AND key = ? AND substr(key, 1, 200) = substr(?, 1, 200) AND table_name = ? AND schema_name = ?"
            + " AND seq > ? LIMIT 1";

    private static final String INSERT_KEY_CHANGE =
            "INSERT INTO audit_key_changes (seq, schema_name, table_name, old_key)"
                    + " SELECT seq, ?, ?, ? FROM audit_log WHERE event_id = ? ON CONFLICT (seq) DO NOTHING";

    private static final String[] SQLITE_TABLE = {
        """
        CREATE TABLE IF NOT EXISTS audit_log (
          seq integer PRIMARY KEY AUTOINCREMENT,
          event_id text NOT NULL UNIQUE,
          xid integer NOT NULL,
          lsn text NOT NULL,
          committed_at text NOT NULL,
          schema_name text NOT NULL,
          table_name text NOT NULL,
          operation text NOT NULL,
          key text,
          event text NOT NULL)""",
        "DROP INDEX IF EXISTS audit_log_by_key", // of earlier versions
        "CREATE INDEX IF NOT EXISTS audit_log_by_part_and_key ON audit_log (" + PART + ", key, table_name)",
        // What ANALYZE would find: with it a query by key alone, somebody's own, looks into each part instead of every
        // row.
        "ANALYZE sqlite_master",
        """
        INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT 'audit_log', 'audit_log_by_part_and_key', '10000000 65536 8 8'
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_stat1 WHERE idx = 'audit_log_by_part_and_key')""",
        "CREATE INDEX IF NOT EXISTS audit_log_by_lsn ON audit_log (" + Position.SQLITE_LSN + ")",
        KEY_CHANGES.formatted("integer"),
        "CREATE INDEX IF NOT EXISTS audit_key_changes_by_key ON audit_key_changes (table_name, old_key, schema_name, seq)"
    };

    private static final String[] POSTGRES_TABLE = {
        """
        CREATE TABLE IF NOT EXISTS audit_log (
          seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
          event_id text NOT NULL UNIQUE,
          xid bigint NOT NULL,
          lsn text NOT NULL,
          committed_at timestamptz NOT NULL,
          schema_name text NOT NULL,
          table_name text NOT NULL,
          operation text NOT NULL,
          key text,
          event json NOT NULL)""",
        "DROP INDEX IF EXISTS audit_log_by_key", // of earlier versions
        // A key may be longer than an index entry: its beginning finds it.
        "CREATE INDEX IF NOT EXISTS audit_log_by_part_and_key ON audit_log" + " ((" + PART
                + "), substr(key, 1, 200), table_name)",
        "CREATE INDEX IF NOT EXISTS audit_log_by_lsn ON audit_log (" + Position.POSTGRES_LSN + ")",
        KEY_CHANGES.formatted("bigint"),
        "CREATE INDEX IF NOT EXISTS audit_key_changes_by_key ON audit_key_changes"
                + " (table_name, substr(old_key, 1, 200), schema_name, seq)"
    };

    /** Audit {@code event}; a change that is there already is left as it is. */
    Store.Write insertion(ChangeEvent event) {
        return session -> {
            byte[] json = event.toJson();
            session.insert(
                    insert,
                    event.id(),
                    event.xid(),
                    event.lsnText(),
                    time(event.timestamp()),
                    event.schema(),
                    event.table(),
                    event.operation().name(),
                    event.key() == null ? null : ChangeJson.writeRow(event.key()),
                    sqlite ? json : new String(json, StandardCharsets.UTF_8));
            if (event.keyChanged()) {
                PreparedStatement keyChange = session.batchAfter(INSERT_KEY_CHANGE);
                keyChange.setString(1, event.schema());
                keyChange.setString(2, event.table());
                keyChange.setString(3, event.oldKeyText());
                keyChange.setString(4, event.id());
                keyChange.addBatch();
            }
        };
    }

    private Object time(Instant time) {
        return sqlite ? ChangeJson.timestamp(time) : OffsetDateTime.ofInstant(time, ZoneOffset.UTC);
    }

    /** The first change in commit order whose LSN is at or past {@code lsn}: where a replay from there begins. */
    public OptionalLong firstSeqFrom(Lsn lsn) throws SQLException {
        String sql = sqlite
                ? "SELECT min(seq) FROM audit_log WHERE " + Position.SQLITE_LSN + " >= ?"
                : "SELECT min(seq) FROM audit_log WHERE " + Position.POSTGRES_LSN + " >= ?::pg_lsn";
        return number(sql, sqlite ? Position.text(lsn) : lsn.toString());
    }

    /** The last change in commit order whose LSN is at or before {@code lsn}: where a replay up to there ends. */
    public OptionalLong lastSeqUpTo(Lsn lsn) throws SQLException {
        String sql = sqlite
                ? "SELECT max(seq) FROM audit_log WHERE " + Position.SQLITE_LSN + " <= ?"
                : "SELECT max(seq) FROM audit_log WHERE " + Position.POSTGRES_LSN + " <= ?::pg_lsn";
        return number(sql, sqlite ? Position.text(lsn) : lsn.toString());
    }

    /** The {@code seq} of the first change committed at or after {@code time}. */
    public OptionalLong firstSeqSince(Instant time) throws SQLException {
        return number("SELECT min(seq) FROM audit_log WHERE committed_at >= ?", time);
    }

    /** The first change that the log still holds. */
    public Optional<Audited> first() throws SQLException {
        return one("SELECT seq, event FROM audit_log ORDER BY seq LIMIT 1");
    }

    /** Whether the log holds any change of the table. */
    public boolean knows(String schema, String table) throws SQLException {
        return number("SELECT 1 FROM audit_log WHERE table_name = ? AND schema_name = ? LIMIT 1", table, schema)
                .isPresent();
    }

    /** The tables of which the log holds changes, without {@code public.}, sorted. */
    public Set<String> tables() throws SQLException {
        return store.read(connection -> {
            Set<String> tables = new TreeSet<>();
            try (var select = connection.prepareStatement("SELECT DISTINCT schema_name, table_name FROM audit_log");
                    ResultSet rows = select.executeQuery()) {
                while (rows.next()) {
                    tables.add((rows.getString(1).equals("public") ? "" : rows.getString(1) + ".") + rows.getString(2));
                }
            }
            return tables;
        });
    }

    /** The {@code seq} of the last audited change. */
    public OptionalLong lastSeq() throws SQLException {
        return number("SELECT max(seq) FROM audit_log");
    }

    public OptionalLong seqOf(String eventId) throws SQLException {
        return number("SELECT seq FROM audit_log WHERE event_id = ?", eventId);
    }

    /** The last audited change. */
    public Optional<Audited> last() throws SQLException {
        return one("SELECT seq, event FROM audit_log ORDER BY seq DESC LIMIT 1");
    }

    public Optional<Audited> find(String eventId) throws SQLException {
        return one("SELECT seq, event FROM audit_log WHERE event_id = ?", eventId);
    }

    /**
     * Whether the same row has a later audited change than the one at {@code seq}, or its table a later TRUNCATE: then what
     * {@code event} says of the row is no longer so. A later change of this key into another counts, too.
     */
    public boolean hasLater(ChangeEvent event, long seq) throws SQLException {
        String key = event.key() == null ? null : ChangeJson.writeRow(event.key());
        return store.read(connection -> exists(connection, LATER_TRUNCATE, seq, event.table(), event.schema(), seq)
                || key != null
                        && (keyWasChanged(connection, event, seq)
                                || exists(
                                        connection, LATER_OF_KEY, seq, key, key, event.table(), event.schema(), seq)));
    }

    private boolean keyWasChanged(Connection connection, ChangeEvent event, long seq) throws SQLException {
        return exists(
                connection,
                "SELECT 1 FROM audit_key_changes WHERE table_name = ? AND substr(old_key, 1, 200) = substr(?, 1, 200)"
                        + " AND old_key = ? AND schema_name = ? AND seq > ? LIMIT 1",
                event.table(),
                event.keyText(),
                event.keyText(),
                event.schema(),
                seq);
    }

    /**
     * Hands out the changes from {@code fromSeq} on that the filter lets through, in commit order, until the visitor says
     * stop or the log's end. Reads a page at a time: no transaction stays open while the visitor works.
     */
    public void forEach(long fromSeq, Filter filter, Visitor visitor) throws SQLException {
        long from = fromSeq;
        while (true) {
            List<Audited> page = page(from, filter);
            for (Audited change : page) {
                if (matches(change.event(), filter) && !visitor.visit(change)) {
                    return;
                }
            }
            if (page.isEmpty()) {
                return;
            }
            from = page.get(page.size() - 1).seq() + 1;
        }
    }

    private List<Audited> page(long from, Filter filter) throws SQLException {
        var where = new StringBuilder("SELECT seq, event FROM audit_log WHERE seq >= ?");
        var values = new ArrayList<Object>(List.of(from));
        if (filter.schema() != null) {
            where.append(" AND schema_name = ?");
            values.add(filter.schema());
        }
        if (filter.table() != null) {
            where.append(" AND table_name = ?");
            values.add(filter.table());
        }
        if (filter.since() != null) {
            where.append(" AND committed_at >= ?");
            values.add(filter.since());
        }
        String sql = where.append(" ORDER BY seq LIMIT ").append(PAGE_ROWS).toString();
        return store.read(connection -> {
            // PostgreSQL's driver hands out a part at a time only inside a transaction.
            connection.setAutoCommit(sqlite);
            try (var select = connection.prepareStatement(sql)) {
                select.setFetchSize(sqlite ? 0 : 20);
                bind(select, values.toArray());
                return read(select);
            } finally {
                connection.setAutoCommit(true);
            }
        });
    }

    private static List<Audited> read(PreparedStatement select) throws SQLException {
        var page = new ArrayList<Audited>();
        long bytes = 0;
        try (ResultSet rows = select.executeQuery()) {
            while (bytes < PAGE_BYTES && rows.next()) {
                byte[] json = rows.getString(2).getBytes(StandardCharsets.UTF_8);
                page.add(new Audited(rows.getLong(1), ChangeEvent.fromJson(json)));
                bytes += json.length;
            }
        }
        return page;
    }

    private static boolean matches(ChangeEvent event, Filter filter) {
        if (filter.key() == null) {
            return true;
        }
        return filter.key().equals(event.keyText())
                || event.key() != null && filter.key().equals(ChangeJson.writeRow(event.key()));
    }

    /**
     * Deletes changes committed before {@code before}, up to the first that isn't, a thousand at a time so that new changes
     * wait for one such step at most. Never deleted: changes that stand in the dead letters, and those at or after the first
     * whose LSN is at or past {@code unsettledFrom}.
     *
     * @param unsettledFrom null if nothing is unsettled
     * @return how many were deleted
     */
    public long prune(Instant before, Lsn unsettledFrom) throws SQLException {
        return new AuditPruning(store, this).prune(before, unsettledFrom);
    }

    OptionalLong number(String sql, Object... values) throws SQLException {
        return store.read(connection -> {
            try (var select = connection.prepareStatement(sql)) {
                bind(select, values);
                try (ResultSet rows = select.executeQuery()) {
                    if (!rows.next()) {
                        return OptionalLong.empty();
                    }
                    long value = rows.getLong(1);
                    return rows.wasNull() ? OptionalLong.empty() : OptionalLong.of(value);
                }
            }
        });
    }

    private Optional<Audited> one(String sql, Object... values) throws SQLException {
        return store.read(connection -> {
            try (var select = connection.prepareStatement(sql)) {
                bind(select, values);
                return read(select).stream().findFirst();
            }
        });
    }

    private boolean exists(Connection connection, String sql, Object... values) throws SQLException {
        try (var select = connection.prepareStatement(sql)) {
            bind(select, values);
            try (ResultSet rows = select.executeQuery()) {
                return rows.next();
            }
        }
    }

    private void bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i] instanceof Instant time ? time(time) : values[i]);
        }
    }

    /** Whether the change belongs into the log: rows that a backfill read and replayed changes don't. */
    static boolean takes(ChangeEvent event) {
        return event.operation() != Operation.READ && !event.replayed();
    }

    /** How each database puts the column {@code lsn}, a text, into the order of positions; both are indexed. */
    private static final class Position {
        static final String POSTGRES_LSN = "(lsn::pg_lsn)";
        static final String SQLITE_LSN = "substr('0000000' || substr(lsn, 1, instr(lsn, '/') - 1), -8)"
                + " || substr('0000000' || substr(lsn, instr(lsn, '/') + 1), -8)";

        private Position() {}

        static String text(Lsn lsn) {
            return String.format("%016X", lsn.value());
        }
    }
}
