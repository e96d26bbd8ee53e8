package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A publication as the catalog shows it.
 *
 * @param viaRoot changes of partitions are published under their root table's name
 * @param unpublished the operations that it leaves out, as INSERT
 * @param listed tables that were added by name
 * @param effective tables whose changes are published, however they got in
 */
public record Publication(
        String name,
        boolean allTables,
        boolean viaRoot,
        List<String> unpublished,
        Set<TableName> listed,
        Set<TableName> effective) {

    /** @return empty if there is no such publication */
    public static Optional<Publication> read(Connection connection, String name) throws SQLException {
        String sql = "SELECT puballtables, pubviaroot, array_to_string(array_remove(ARRAY["
                + "CASE WHEN NOT pubinsert THEN 'INSERT' END, CASE WHEN NOT pubupdate THEN 'UPDATE' END,"
                + " CASE WHEN NOT pubdelete THEN 'DELETE' END, CASE WHEN NOT pubtruncate THEN 'TRUNCATE' END], NULL), ',')"
                + " FROM pg_publication WHERE pubname = ?";
        try (var statement = connection.prepareStatement(sql)) {
            statement.setString(1, name);
            try (var row = statement.executeQuery()) {
                if (!row.next()) {
                    return Optional.empty();
                }
                String unpublished = row.getString(3);
                return Optional.of(new Publication(
                        name,
                        row.getBoolean(1),
                        row.getBoolean(2),
                        unpublished.isEmpty() ? List.of() : List.of(unpublished.split(",")),
                        listed(connection, name),
                        effective(connection, name)));
            }
        }
    }

    private static Set<TableName> listed(Connection connection, String name) throws SQLException {
        return tables(
                connection,
                name,
                "SELECT n.nspname, c.relname FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid"
                        + " JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
                        + " WHERE p.pubname = ? ORDER BY 1, 2");
    }

    private static Set<TableName> effective(Connection connection, String name) throws SQLException {
        return tables(
                connection,
                name,
                "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = ? ORDER BY 1, 2");
    }

    private static Set<TableName> tables(Connection connection, String name, String sql) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            statement.setString(1, name);
            try (var rows = statement.executeQuery()) {
                Set<TableName> tables = new LinkedHashSet<>();
                while (rows.next()) {
                    tables.add(new TableName(rows.getString(1), rows.getString(2)));
                }
                return tables;
            }
        }
    }
}
