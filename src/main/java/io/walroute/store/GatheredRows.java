package io.walroute.store;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Arrays;

/** Rows of one INSERT: as many to a statement as it has room for, what is left one by one. */
final class GatheredRows {
    /** The database copies each value before the statement runs: larger rows than these go one by one. */
    private static final int MOST_BYTES = 256 * 1024;

    private final PreparedStatement one;
    private final PreparedStatement many;
    private final Object[][] rows;
    private int count;
    private long bytes;

    GatheredRows(PreparedStatement one, PreparedStatement many, int rowsOfMany) {
        this.one = one;
        this.many = many;
        rows = new Object[rowsOfMany][];
    }

    void add(Object[] row) throws SQLException {
        rows[count++] = row;
        for (Object value : row) {
            bytes += value instanceof byte[] array ? array.length : value instanceof String text ? text.length() : 0;
        }
        if (bytes > MOST_BYTES) {
            flush();
        } else if (count == rows.length) {
            int index = 0;
            for (Object[] each : rows) {
                index = set(many, index, each);
            }
            many.addBatch();
            many.executeBatch();
            forget();
        }
    }

    void flush() throws SQLException {
        if (count > 0) {
            for (int i = 0; i < count; i++) {
                add(one, rows[i]);
            }
            one.executeBatch();
            forget();
        }
    }

    void forget() {
        Arrays.fill(rows, 0, count, null);
        count = 0;
        bytes = 0;
    }

    static void add(PreparedStatement statement, Object[] row) throws SQLException {
        set(statement, 0, row);
        statement.addBatch();
    }

    private static int set(PreparedStatement statement, int before, Object[] row) throws SQLException {
        int index = before;
        for (Object value : row) {
            index++;
            if (value == null || value instanceof String) {
                statement.setString(index, (String) value);
            } else if (value instanceof Long number) {
                statement.setLong(index, number);
            } else if (value instanceof byte[] array) {
                statement.setBytes(index, array);
            } else {
                statement.setObject(index, value);
            }
        }
        return index;
    }
}
