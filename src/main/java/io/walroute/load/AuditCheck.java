package io.walroute.load;

import io.walroute.settings.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/** The audit log as a run uses it: which changes were written since it began, and when there is none. Reads only; one thread's. */
final class AuditCheck implements AutoCloseable {
    /**
     * @param expected changes that the run committed
     * @param found of these, how many the audit log holds
     * @param missing of these, how many it lacks
     * @param repeated how many it holds too often
     */
    record Result(long expected, long found, long missing, long repeated) {
        boolean passed() {
            return missing == 0 && repeated == 0;
        }
    }

    private final Connection connection;
    private final PreparedStatement changed;
    private final long beginSeq;

    private AuditCheck() {
        connection = null;
        changed = null;
        beginSeq = 0;
    }

    private AuditCheck(Connection connection) throws SQLException {
        this.connection = connection;
        beginSeq = lastSeq();
        changed = connection.prepareStatement(
                "SELECT 1 FROM audit_log WHERE table_name = ? AND key = ? AND schema_name = 'public' AND seq > ? LIMIT 1");
    }

    /** From now on. */
    static AuditCheck open(Settings settings) throws LoadException {
        String url = settings.auditUrl();
        String prefix = "jdbc:sqlite:";
        // SQLite would make the file that it doesn't find.
        boolean lacksFile = url.startsWith(prefix)
                && !url.startsWith(prefix + "file:")
                && !Files.exists(Path.of(url.substring(prefix.length()).split("\\?", 2)[0]));
        try {
            if (lacksFile) {
                throw new SQLException("there is no such file");
            }
            return new AuditCheck(DriverManager.getConnection(url));
        } catch (SQLException e) {
            throw new LoadException(
                    "The audit log can't be read (walroute.audit.url): "
                            + String.valueOf(e.getMessage()).strip().replaceAll("\\s+", " ")
                            + ". Use the service's own --home and walroute.audit.url",
                    e);
        }
    }

    /** Of routes that keep none: every change counts as this run's. */
    static AuditCheck none() {
        return new AuditCheck();
    }

    long lastSeq() throws SQLException {
        if (connection == null) {
            return 0;
        }
        try (var select = connection.createStatement();
                var row = select.executeQuery("SELECT coalesce(max(seq), 0) FROM audit_log")) {
            row.next();
            return row.getLong(1);
        }
    }

    boolean changedSinceBegin(String table, String key) throws SQLException {
        if (connection == null) {
            return true;
        }
        changed.setString(1, table);
        changed.setString(2, key);
        changed.setLong(3, beginSeq);
        try (var row = changed.executeQuery()) {
            return row.next();
        }
    }

    /** Every transaction of the run with every change once. */
    Result compare(Transactions transactions) throws SQLException {
        Map<Long, Long> audited = new HashMap<>();
        long found = 0;
        try (var select =
                connection.prepareStatement("SELECT xid, count(*) FROM audit_log WHERE seq > ? GROUP BY xid")) {
            select.setLong(1, beginSeq);
            try (var rows = select.executeQuery()) {
                while (rows.next()) {
                    if (transactions.changes(rows.getLong(1)) >= 0) {
                        audited.put(rows.getLong(1), rows.getLong(2));
                        found += rows.getLong(2);
                    }
                }
            }
        }
        long expected = transactions.sum(transactions::changes);
        long missing = transactions.sum(xid -> Math.max(0, transactions.changes(xid) - audited.getOrDefault(xid, 0L)));
        long repeated = transactions.sum(xid -> Math.max(0, audited.getOrDefault(xid, 0L) - transactions.changes(xid)));
        return new Result(expected, found, missing, repeated);
    }

    @Override
    public void close() throws SQLException {
        if (connection != null) {
            connection.close();
        }
    }
}
