package io.walroute.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * The writer's connection with its prepared statements and what is batched on them. Used by the writer's thread only.
 *
 * <p>Two sets of batches: {@code first} in any order, then {@code after}, of which only one statement is open at a time so
 * that its rows keep their order with those of other statements.
 */
final class Transaction implements Store.Session {
    private final Database database;
    private final Connection connection;
    private final Statement begin;
    private final int batchRows;
    private final Map<String, PreparedStatement> prepared = new HashMap<>();
    private final Map<PreparedStatement, Integer> first = new LinkedHashMap<>();
    private final Map<Store.Insert, String> singles = new HashMap<>();
    private final Map<Store.Insert, GatheredRows> inserts = new LinkedHashMap<>();
    private PreparedStatement after;
    private int afterRows;

    Transaction(Database database) throws SQLException {
        this.database = database;
        // Each row holds its values in memory until it is sent.
        batchRows = database.batchRows();
        connection = database.connectToWrite();
        begin = connection.createStatement();
    }

    void begin() throws SQLException {
        database.begin(connection, begin, true);
    }

    @Override
    public PreparedStatement batch(String sql) throws SQLException {
        PreparedStatement statement = prepare(sql);
        int rows = first.merge(statement, 1, Integer::sum);
        if (rows > batchRows) {
            statement.executeBatch();
            first.put(statement, 1);
        }
        return statement;
    }

    @Override
    public void insert(Store.Insert into, Object... values) throws SQLException {
        int together = database.rowsPerInsert();
        if (together == 1) {
            GatheredRows.add(batch(singles.computeIfAbsent(into, insert -> insert.sql(1))), values);
            return;
        }
        GatheredRows rows = inserts.get(into);
        if (rows == null) {
            rows = new GatheredRows(prepare(into.sql(1)), prepare(into.sql(together)), together);
            inserts.put(into, rows);
        }
        rows.add(values);
    }

    @Override
    public PreparedStatement batchAfter(String sql) throws SQLException {
        PreparedStatement statement = prepare(sql);
        if (statement != after || afterRows >= batchRows) {
            flush();
            after = statement;
        }
        afterRows++;
        return statement;
    }

    @Override
    public PreparedStatement statement(String sql) throws SQLException {
        flush();
        return prepare(sql);
    }

    private PreparedStatement prepare(String sql) throws SQLException {
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            prepared.put(sql, statement);
        }
        return statement;
    }

    private void flush() throws SQLException {
        for (GatheredRows rows : inserts.values()) {
            rows.flush();
        }
        for (PreparedStatement statement : first.keySet()) {
            statement.executeBatch();
        }
        first.clear();
        if (after != null) {
            after.executeBatch();
            after = null;
            afterRows = 0;
        }
    }

    /**
     * Applies one write whole or not at all, within a transaction that goes on.
     *
     * @param isEnd whether a failure of this write is its end; any other failure is thrown, as the transaction's
     * @return null if it was applied, else why not
     */
    Exception applyOrUndo(Store.Write write, Predicate<Exception> isEnd) throws SQLException {
        Savepoint before = connection.setSavepoint();
        try {
            write.apply(this);
            flush();
            connection.releaseSavepoint(before);
            return null;
        } catch (SQLException | RuntimeException e) {
            if (!isEnd.test(e)) {
                throw e;
            }
            forget();
            connection.rollback(before);
            return e;
        }
    }

    void commit() throws SQLException {
        flush();
        connection.commit();
    }

    void rollback() throws SQLException {
        forget();
        connection.rollback();
    }

    private void forget() throws SQLException {
        for (PreparedStatement statement : prepared.values()) {
            statement.clearBatch();
        }
        inserts.values().forEach(GatheredRows::forget);
        first.clear();
        after = null;
        afterRows = 0;
    }

    /** Never fails: whatever is wrong with this connection, the next one shows. */
    void close() {
        try {
            connection.rollback();
        } catch (SQLException closedAnyway) {
            // An open transaction ends with its connection.
        }
        try {
            connection.close();
        } catch (SQLException e) {
            // As above.
        }
    }
}
