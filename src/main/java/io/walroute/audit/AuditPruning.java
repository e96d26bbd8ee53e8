package io.walroute.audit;

import io.walroute.change.Lsn;
import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;

/** One run over the old end of the audit log. */
final class AuditPruning {
    private static final int STEP_ROWS = 1000;
    /** Far longer than a step takes; a store that can't be written just ends the run. */
    private static final Duration STEP_LIMIT = Duration.ofSeconds(30);

    private final Store store;
    private final AuditLog log;
    private final String delete;

    AuditPruning(Store store, AuditLog log) throws SQLException {
        this.store = store;
        this.log = log;
        delete = "DELETE FROM audit_log WHERE seq >= ? AND seq < ?"
                + (deadLettersExist()
                        ? " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = audit_log.event_id)"
                        : "");
    }

    private boolean deadLettersExist() throws SQLException {
        String sql = store.isSqlite()
                ? "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'dead_letters'"
                : "SELECT count(to_regclass('dead_letters'))";
        return log.number(sql).orElse(0) > 0;
    }

    long prune(Instant before, Lsn unsettledFrom) throws SQLException {
        long end = end(before, unsettledFrom);
        long from = log.number("SELECT min(seq) FROM audit_log").orElse(end);
        long deleted = 0;
        while (from < end) {
            long to = Math.min(end, next(from, end));
            deleted += step(from, to);
            from = to;
        }
        return deleted;
    }

    /** The first {@code seq} that stays whatever comes behind it. */
    private long end(Instant before, Lsn unsettledFrom) throws SQLException {
        // Reads the old rows only: the first young one ends it.
        OptionalLong young =
                log.number("SELECT seq FROM audit_log WHERE committed_at >= ? ORDER BY seq LIMIT 1", (Object) before);
        long end = young.orElse(log.lastSeq().orElse(-1) + 1);
        if (unsettledFrom != null) {
            end = Math.min(end, log.firstSeqFrom(unsettledFrom).orElse(end));
        }
        return end;
    }

    private long next(long from, long end) throws SQLException {
        return log.number("SELECT seq FROM audit_log WHERE seq >= ? ORDER BY seq LIMIT 1 OFFSET " + STEP_ROWS, from)
                .orElse(end);
    }

    private long step(long from, long to) throws SQLException {
        var deleted = new AtomicLong();
        store.write(
                session -> {
                    var statement = session.statement(delete);
                    statement.setLong(1, from);
                    statement.setLong(2, to);
                    deleted.set(statement.executeUpdate());
                    // What they say is said of changes before them, which are gone by then.
                    var keyChanges = session.statement("DELETE FROM audit_key_changes WHERE seq >= ? AND seq < ?");
                    keyChanges.setLong(1, from);
                    keyChanges.setLong(2, to);
                    keyChanges.executeUpdate();
                    if (store.isSqlite()) {
                        vacuum(statement.getConnection());
                    }
                },
                STEP_LIMIT);
        return deleted.get();
    }

    /** Gives some free pages back to the file system. Deliberately not prepared: stepped by JDBC it frees one and hangs. */
    private static void vacuum(Connection connection) throws SQLException {
        try (var vacuum = connection.createStatement()) {
            vacuum.executeUpdate("PRAGMA incremental_vacuum(200)");
        }
    }
}
