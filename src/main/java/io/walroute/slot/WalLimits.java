package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;

/**
 * Up to where the server keeps WAL for a slot that nobody reads.
 *
 * @param maxSlotWalKeepBytes {@code max_slot_wal_keep_size}; null: until the disk is full
 * @param idleTimeout {@code idle_replication_slot_timeout} (from 18 on); null: never
 */
public record WalLimits(Long maxSlotWalKeepBytes, Duration idleTimeout) {
    private static final String SQL = """
            SELECT (SELECT nullif(setting, '-1')::bigint * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
                   extract(epoch FROM nullif(current_setting('idle_replication_slot_timeout', true), '0')::interval)::bigint
            """;

    public static WalLimits read(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery(SQL)) {
            row.next();
            Long idle = row.getObject(2, Long.class);
            return new WalLimits(row.getObject(1, Long.class), idle == null ? null : Duration.ofSeconds(idle));
        }
    }
}
