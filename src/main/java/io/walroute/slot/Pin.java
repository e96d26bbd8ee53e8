package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Something else that makes the server keep WAL, or rows that nobody needs any more.
 *
 * @param name the slot's, the transaction's; for people
 * @param keptBytes how much WAL; null if that is not known
 * @param age for how long; null if that is not known
 * @param detail what else is worth knowing, for people
 */
public record Pin(Kind kind, String name, Long keptBytes, Duration age, String detail) {
    public enum Kind {
        /** A logical slot. */
        SLOT,
        /** A physical slot: a standby's or a backup's. */
        STANDBY_SLOT,
        /** A standby that reports its oldest snapshot (hot_standby_feedback). */
        STANDBY_FEEDBACK,
        /** Keeps every logical slot's restart_lsn where it began. */
        TRANSACTION,
        PREPARED_TRANSACTION,
        /** WAL that can't be archived is kept. */
        ARCHIVER
    }

    private static final String SLOTS = """
            SELECT s.slot_name, s.slot_type = 'physical', pg_wal_lsn_diff(w.now, s.restart_lsn)::bigint,
                   concat_ws(', ', CASE WHEN s.active THEN 'active' ELSE 'inactive' END, s.database,
                     to_jsonb(s) ->> 'wal_status', 'xmin age ' || age(coalesce(s.xmin, s.catalog_xmin)))
              FROM pg_replication_slots s,
                   (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) w(now)
             WHERE s.slot_name <> ? AND (s.restart_lsn IS NOT NULL OR s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL)
             ORDER BY s.restart_lsn
            """;
    private static final String FEEDBACK = """
            SELECT coalesce(nullif(application_name, ''), 'process ' || pid), 'xmin age ' || age(backend_xmin)
              FROM pg_stat_replication WHERE backend_xmin IS NOT NULL ORDER BY age(backend_xmin) DESC
            """;
    private static final String TRANSACTIONS = """
            SELECT 'process ' || pid, extract(epoch FROM now() - xact_start)::bigint,
                   concat_ws(', ', usename, nullif(application_name, ''), datname, state,
                     CASE WHEN backend_xid IS NULL THEN 'reads only' END)
              FROM pg_stat_activity
             WHERE (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL) AND pid <> pg_backend_pid()
               AND backend_type = 'client backend' AND now() - xact_start >= make_interval(secs => ?)
             ORDER BY xact_start LIMIT 10
            """;
    private static final String PREPARED = "SELECT gid, extract(epoch FROM now() - prepared)::bigint,"
            + " concat_ws(', ', owner, database) FROM pg_prepared_xacts ORDER BY prepared LIMIT 10";
    private static final String ARCHIVER = """
            SELECT last_failed_wal, extract(epoch FROM now() - coalesce(last_archived_time, last_failed_time))::bigint,
                   'failed ' || failed_count || ' times'
              FROM pg_stat_archiver
             WHERE current_setting('archive_mode') <> 'off'
               AND last_failed_time > coalesce(last_archived_time, '-infinity')
            """;

    private interface Reader {
        Pin read(java.sql.ResultSet row) throws SQLException;
    }

    /** @param longTransaction transactions that are younger are left out */
    static List<Pin> list(Connection connection, String ownSlot, Duration longTransaction) throws SQLException {
        List<Pin> pins = new ArrayList<>();
        add(
                pins,
                connection,
                SLOTS,
                ownSlot,
                row -> new Pin(
                        row.getBoolean(2) ? Kind.STANDBY_SLOT : Kind.SLOT,
                        row.getString(1),
                        row.getObject(3, Long.class),
                        null,
                        row.getString(4)));
        add(
                pins,
                connection,
                FEEDBACK,
                null,
                row -> new Pin(Kind.STANDBY_FEEDBACK, row.getString(1), null, null, row.getString(2)));
        double seconds = longTransaction.toMillis() / 1000.0;
        add(pins, connection, TRANSACTIONS, seconds, row -> aged(Kind.TRANSACTION, row));
        add(pins, connection, PREPARED, null, row -> aged(Kind.PREPARED_TRANSACTION, row));
        add(pins, connection, ARCHIVER, null, row -> aged(Kind.ARCHIVER, row));
        return pins;
    }

    private static Pin aged(Kind kind, java.sql.ResultSet row) throws SQLException {
        return new Pin(kind, row.getString(1), null, Duration.ofSeconds(row.getLong(2)), row.getString(3));
    }

    private static void add(List<Pin> pins, Connection connection, String sql, Object parameter, Reader reader)
            throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            if (parameter != null) {
                statement.setObject(1, parameter);
            }
            try (var rows = statement.executeQuery()) {
                while (rows.next()) {
                    pins.add(reader.read(rows));
                }
            }
        }
    }
}
