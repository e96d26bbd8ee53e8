package io.walroute.service;

import io.walroute.change.PgType;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.sql.DataSource;

/**
 * Single rows read from the database by their key, with the same values that the stream would give: for the cache, where the
 * WAL left columns out and nobody else knows them.
 */
final class DatabaseRows {
    private final DataSource database;

    /** @param database gives values in the stream's forms and takes parameters as their columns' types: {@link Databases#pool} */
    DatabaseRows(DataSource database) {
        this.database = database;
    }

    /** Empty if there is no such row any more. Blocks. */
    Optional<Map<String, Object>> read(String schema, String table, Map<String, Object> key) throws SQLException {
        String where =
                key.keySet().stream().map(column -> quote(column) + " = ?").collect(Collectors.joining(" AND "));
        String sql = "SELECT * FROM " + quote(schema) + "." + quote(table) + " WHERE " + where;
        try (var connection = database.getConnection();
                var statement = connection.prepareStatement(sql)) {
            int parameter = 1;
            for (Object value : key.values()) {
                statement.setString(parameter++, String.valueOf(value));
            }
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? Optional.of(row(rows)) : Optional.empty();
            }
        }
    }

    private static Map<String, Object> row(ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            String text = rows.getString(i);
            row.put(
                    columns.getColumnName(i),
                    text == null
                            ? null
                            : PgType.of(typeName(columns.getColumnTypeName(i))).convert(text));
        }
        return row;
    }

    /** The driver calls an integer with a sequence as CREATE TABLE does, though there is no such type. */
    private static String typeName(String byDriver) {
        return switch (byDriver) {
            case "smallserial" -> "int2";
            case "serial" -> "int4";
            case "bigserial" -> "int8";
            default -> byDriver;
        };
    }

    private static String quote(String identifier) {
        return '"' + identifier.replace("\"", "\"\"") + '"';
    }
}
