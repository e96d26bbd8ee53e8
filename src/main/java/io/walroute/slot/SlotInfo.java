package io.walroute.slot;

import io.walroute.change.Lsn;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Optional;

/**
 * A replication slot as {@code pg_replication_slots} shows it at one moment.
 *
 * @param plugin null for a physical slot
 * @param database null for a physical slot
 * @param activePid the walsender that reads it; null if none does
 * @param activeClient what is known of who reads it (application, address); null if nothing
 * @param restartLsn from here on WAL is kept; null in a new or an invalidated slot
 * @param confirmedFlushLsn up to here everything was acknowledged; null for a physical slot
 * @param walStatus {@code reserved}, {@code extended}, {@code unreserved} or {@code lost}; null if not known
 * @param safeWalSize bytes that may still be written until the slot is in danger; null if there is no limit
 * @param keptBytes WAL kept for it; null without restartLsn
 * @param lagBytes WAL written since confirmedFlushLsn; null without
 * @param failover the server copies it to its standbys (from 17 on)
 * @param synced it is such a copy, on a standby
 * @param invalidationReason why it is lost; null if it isn't, or if the server (before 17) doesn't say
 * @param inactiveSince since when nobody reads it; null while somebody does, or if the server (before 17) doesn't say
 */
public record SlotInfo(
        String name,
        String plugin,
        String database,
        boolean temporary,
        boolean active,
        Integer activePid,
        String activeClient,
        Lsn restartLsn,
        Lsn confirmedFlushLsn,
        String walStatus,
        Long safeWalSize,
        Long keptBytes,
        Long lagBytes,
        boolean failover,
        boolean synced,
        String invalidationReason,
        Instant inactiveSince) {
    // to_jsonb: a column that an older server lacks is NULL instead of an error.
    private static final String SQL = """
            SELECT s.slot_name, s.plugin, s.database, s.temporary, s.active, s.active_pid,
                   (SELECT nullif(concat_ws(' ', nullif(a.application_name, ''), host(a.client_addr)), '')
                      FROM pg_stat_activity a WHERE a.pid = s.active_pid),
                   s.restart_lsn, s.confirmed_flush_lsn,
                   to_jsonb(s) ->> 'wal_status', (to_jsonb(s) ->> 'safe_wal_size')::bigint,
                   pg_wal_lsn_diff(w.now, s.restart_lsn)::bigint, pg_wal_lsn_diff(w.now, s.confirmed_flush_lsn)::bigint,
                   coalesce((to_jsonb(s) ->> 'failover')::boolean, false),
                   coalesce((to_jsonb(s) ->> 'synced')::boolean, false), to_jsonb(s) ->> 'invalidation_reason',
                   (to_jsonb(s) ->> 'inactive_since')::timestamptz
              FROM pg_replication_slots s,
                   (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) w(now)
             WHERE s.slot_name = ?
            """;

    /** @return empty if there is no such slot */
    public static Optional<SlotInfo> read(Connection connection, String slot) throws SQLException {
        try (var statement = connection.prepareStatement(SQL)) {
            statement.setString(1, slot);
            try (var row = statement.executeQuery()) {
                return row.next()
                        ? Optional.of(new SlotInfo(
                                row.getString(1),
                                row.getString(2),
                                row.getString(3),
                                row.getBoolean(4),
                                row.getBoolean(5),
                                row.getObject(6, Integer.class),
                                row.getString(7),
                                lsn(row.getString(8)),
                                lsn(row.getString(9)),
                                row.getString(10),
                                row.getObject(11, Long.class),
                                row.getObject(12, Long.class),
                                row.getObject(13, Long.class),
                                row.getBoolean(14),
                                row.getBoolean(15),
                                row.getString(16),
                                instant(row.getObject(17, OffsetDateTime.class))))
                        : Optional.empty();
            }
        }
    }

    private static Lsn lsn(String text) {
        return text == null ? null : Lsn.parse(text);
    }

    private static Instant instant(OffsetDateTime time) {
        return time == null ? null : time.toInstant();
    }

    /** It can never be read again. */
    public boolean isInvalidated() {
        return "lost".equals(walStatus) || invalidationReason != null;
    }
}
