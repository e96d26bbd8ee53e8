package io.walroute.slot;

import io.walroute.change.Lsn;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * Which server this is and what its settings and the user's role allow.
 *
 * @param version as {@code server_version_num}: 180004
 * @param systemIdentifier the same for a server and its physical standbys and restores; an unsigned number as text
 * @param timeline rises with every promotion and point-in-time restore
 * @param standby it is in recovery and takes no writes
 * @param mayReplicate the user's role may read slots
 * @param walPosition where the WAL ends now
 */
public record ServerInfo(
        int version,
        String systemIdentifier,
        int timeline,
        boolean standby,
        String walLevel,
        boolean mayReplicate,
        int maxSlots,
        int usedSlots,
        int maxWalSenders,
        int usedWalSenders,
        Lsn walPosition) {
    // pg_control_checkpoint() still shows the old timeline for a while after a promotion; a standby has nothing better.
    // rds_replication: on Amazon RDS roles can't be given REPLICATION, membership stands for it.
    private static final String SQL = """
            SELECT current_setting('server_version_num')::int,
                   (SELECT system_identifier FROM pg_control_system())::numeric
                     + CASE WHEN (SELECT system_identifier FROM pg_control_system()) < 0 THEN 18446744073709551616 ELSE 0 END,
                   CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
                   pg_is_in_recovery(),
                   current_setting('wal_level'),
                   (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
                     OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')),
                   current_setting('max_replication_slots')::int,
                   (SELECT count(*) FROM pg_replication_slots),
                   current_setting('max_wal_senders')::int,
                   (SELECT count(*) FROM pg_stat_replication),
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
            """;

    public static ServerInfo read(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery(SQL)) {
            row.next();
            return new ServerInfo(
                    row.getInt(1),
                    row.getString(2),
                    row.getInt(3),
                    row.getBoolean(4),
                    row.getString(5),
                    row.getBoolean(6),
                    row.getInt(7),
                    row.getInt(8),
                    row.getInt(9),
                    row.getInt(10),
                    Lsn.parse(row.getString(11)));
        }
    }

    int majorVersion() {
        return version / 10_000;
    }

    /** From 19 on, {@code replica} turns to logical by itself as soon as there is a logical slot. */
    boolean decodesLogically() {
        return walLevel.equals("logical") || majorVersion() >= 19 && walLevel.equals("replica");
    }
}
