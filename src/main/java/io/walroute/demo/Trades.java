package io.walroute.demo;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One connection's transactions: executes statements, remembers what they changed and what is to be believed once they
 * are committed. One thread's.
 */
final class Trades implements AutoCloseable {
    private final Connection connection;
    private final Map<String, PreparedStatement> prepared = new HashMap<>();
    private final List<String> kinds = new ArrayList<>();
    private final List<String> inserted = new ArrayList<>();
    private final List<Runnable> onCommit = new ArrayList<>();
    private final Set<Object> touched = new HashSet<>();

    Trades(Connection connection) throws SQLException {
        this.connection = connection;
        connection.setAutoCommit(false);
    }

    /** @param kind what the statement does to each row, as {@code listings.UPDATE} */
    int update(String kind, String sql, Object... parameters) throws SQLException {
        int rows = bind(sql, parameters).executeUpdate();
        note(kind, rows);
        return rows;
    }

    /** An INSERT … RETURNING id of one row. */
    long insert(String kind, String sql, Object... parameters) throws SQLException {
        try (var rows = bind(sql, parameters).executeQuery()) {
            rows.next();
            note(kind, 1);
            noteInserted(kind, rows.getLong(1));
            return rows.getLong(1);
        }
    }

    /** An INSERT … RETURNING id of many rows. */
    List<Long> insertAll(String kind, String sql, Object... parameters) throws SQLException {
        List<Long> ids = new ArrayList<>();
        try (var rows = bind(sql, parameters).executeQuery()) {
            while (rows.next()) {
                note(kind, 1);
                noteInserted(kind, rows.getLong(1));
                ids.add(rows.getLong(1));
            }
        }
        return ids;
    }

    private void noteInserted(String kind, long id) {
        inserted.add(kind.substring(0, kind.indexOf('.')) + ":" + id);
    }

    /** What this transaction does, once its statements are done; gives it an xid if it has none. */
    Simulator.Transaction describe(long lateNanos) throws SQLException {
        try (var row = bind("SELECT txid_current() & 4294967295").executeQuery()) {
            row.next();
            return new Simulator.Transaction(row.getLong(1), kinds.size(), List.copyOf(inserted), lateNanos);
        }
    }

    /** False if this transaction has to do with the row already. */
    boolean touch(Object row) {
        return touched.add(row);
    }

    void onCommit(Runnable belief) {
        onCommit.add(belief);
    }

    /** How many row changes the transaction holds so far. */
    int changes() {
        return kinds.size();
    }

    /** @return what was committed, one entry for each changed row */
    List<String> commit() throws SQLException {
        connection.commit();
        onCommit.forEach(Runnable::run);
        List<String> committed = List.copyOf(kinds);
        clear();
        return committed;
    }

    void rollback() throws SQLException {
        connection.rollback();
        clear();
    }

    /** Does something and takes it back, inside the transaction. */
    void takenBack(Step step) throws SQLException {
        int changesBefore = kinds.size();
        int insertedBefore = inserted.size();
        int beliefsBefore = onCommit.size();
        Savepoint savepoint = connection.setSavepoint();
        step.run();
        connection.rollback(savepoint);
        kinds.subList(changesBefore, kinds.size()).clear();
        inserted.subList(insertedBefore, inserted.size()).clear();
        onCommit.subList(beliefsBefore, onCommit.size()).clear();
    }

    @FunctionalInterface
    interface Step {
        void run() throws SQLException;
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }

    private void note(String kind, int rows) {
        for (int i = 0; i < rows; i++) {
            kinds.add(kind);
        }
    }

    private void clear() {
        kinds.clear();
        inserted.clear();
        onCommit.clear();
        touched.clear();
    }

    private PreparedStatement bind(String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            prepared.put(sql, statement);
        }
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i]);
        }
        return statement;
    }
}
