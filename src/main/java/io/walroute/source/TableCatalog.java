package io.walroute.source;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What the replication stream doesn't tell of a table: its primary key in key order, and what its replica identity covers.
 *
 * <p>Read from the catalog as it is now, while changes may be older; callers must cope with a table that has changed since
 * or is gone.
 */
final class TableCatalog implements AutoCloseable {
    /** The columns of an index, in index order; empty if there is no such index. */
    private static final String COLUMNS = """
            coalesce((SELECT array_agg(a.attname::text ORDER BY k.ord)
              FROM pg_index i
              CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, ord)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              WHERE i.indrelid = c.oid AND i.%s AND k.ord <= i.indnkeyatts), '{}')""";

    private static final String QUERY = "SELECT c.relreplident::text, " + COLUMNS.formatted("indisprimary") + ", "
            + COLUMNS.formatted("indisreplident")
            + " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ?";

    /**
     * @param primaryKey columns in key order; empty if the table has none
     * @param full whether old rows come whole (REPLICA IDENTITY FULL)
     * @param identity the columns that old rows have otherwise
     */
    record Table(List<String> primaryKey, boolean full, List<String> identity) {}

    /** Opens a connection to the database whose changes are read. */
    @FunctionalInterface
    interface Connector {
        Connection connect() throws SQLException;
    }

    private final Connector connector;
    private Connection connection;

    TableCatalog(Connector connector) {
        this.connector = connector;
    }

    /** Empty if there is no such table (any more). One query; not cached. */
    Optional<Table> read(String schema, String table) throws SQLException {
        if (connection == null || !connection.isValid(5)) {
            connection = connector.connect();
        }
        try (var statement = connection.prepareStatement(QUERY)) {
            statement.setString(1, schema);
            statement.setString(2, table);
            try (ResultSet rows = statement.executeQuery()) {
                if (!rows.next()) {
                    return Optional.empty();
                }
                List<String> primaryKey = names(rows, 2);
                String identity = rows.getString(1);
                return Optional.of(
                        switch (identity) {
                            case "f" -> new Table(primaryKey, true, List.of());
                            case "i" -> new Table(primaryKey, false, names(rows, 3));
                            case "n" -> new Table(primaryKey, false, List.of());
                            default -> new Table(primaryKey, false, primaryKey);
                        });
            }
        }
    }

    private static List<String> names(ResultSet rows, int column) throws SQLException {
        return Arrays.asList((String[]) rows.getArray(column).getArray());
    }

    @Override
    public void close() {
        if (connection != null) {
            try {
                connection.close();
            } catch (SQLException e) {
                // The connection may be broken already: there is nothing left to give back.
            }
            connection = null;
        }
    }
}
