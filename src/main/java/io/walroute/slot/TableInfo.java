package io.walroute.slot;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One table, partitioned table or partition as the catalog shows it.
 *
 * @param kind {@code pg_class.relkind}
 * @param persistence {@code pg_class.relpersistence}
 * @param replicaIdentity {@code pg_class.relreplident}
 * @param identityIndex the index of replica identity {@code i}, or null
 * @param hasPrimaryKey of its own: a partition has one where its root has
 */
record TableInfo(
        TableName name,
        char kind,
        char persistence,
        char replicaIdentity,
        String identityIndex,
        boolean hasPrimaryKey) {
    private static final String SELECT = """
            SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
                   (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                     WHERE i.indrelid = c.oid AND i.indisreplident),
                   EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            """;

    static Optional<TableInfo> find(Connection connection, TableName name) throws SQLException {
        return list(connection, SELECT + " WHERE n.nspname = ? AND c.relname = ?", name.schema(), name.table()).stream()
                .findFirst();
    }

    /** The table itself, and all its partitions if it is partitioned. */
    static List<TableInfo> withPartitions(Connection connection, TableName name) throws SQLException {
        // pg_partition_tree is empty for a table that is neither partitioned nor a partition.
        return list(
                connection,
                SELECT + " WHERE c.oid = ?::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree(?::regclass))"
                        + " ORDER BY c.oid",
                name.sql(),
                name.sql());
    }

    /** What {@code FOR ALL TABLES} means, partitioned tables by their partitions. */
    static List<TableInfo> allOfDatabase(Connection connection) throws SQLException {
        return list(
                connection,
                SELECT + " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema'"
                        + " AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2");
    }

    private static List<TableInfo> list(Connection connection, String sql, String... parameters) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setString(i + 1, parameters[i]);
            }
            try (var rows = statement.executeQuery()) {
                List<TableInfo> tables = new ArrayList<>();
                while (rows.next()) {
                    tables.add(read(rows));
                }
                return tables;
            }
        }
    }

    private static TableInfo read(ResultSet row) throws SQLException {
        return new TableInfo(
                new TableName(row.getString(1), row.getString(2)),
                row.getString(3).charAt(0),
                row.getString(4).charAt(0),
                row.getString(5).charAt(0),
                row.getString(6),
                row.getBoolean(7));
    }

    boolean isPartitioned() {
        return kind == 'p';
    }

    boolean has(ReplicaIdentity identity) {
        return replicaIdentity == identity.kind().letter()
                && (identity.kind() != ReplicaIdentity.Kind.INDEX
                        || identity.index().equals(identityIndex));
    }

    /** PostgreSQL refuses UPDATE and DELETE of such a table as soon as it is published. */
    boolean isFrozenByPublishing() {
        return !isPartitioned()
                && switch (replicaIdentity) {
                    case 'f' -> false;
                    case 'i' -> identityIndex == null;
                    case 'd' -> !hasPrimaryKey;
                    default -> true;
                };
    }

    /** Why it can't be in a publication; empty if it can. */
    Optional<String> whyNotPublishable() {
        if (kind != 'r' && kind != 'p') {
            return Optional.of(
                    switch (kind) {
                        case 'v' -> "a view";
                        case 'm' -> "a materialized view";
                        case 'f' -> "a foreign table";
                        case 'S' -> "a sequence";
                        case 'i', 'I' -> "an index";
                        default -> "not a table";
                    });
        }
        if (name.schema().equals("information_schema") || name.schema().startsWith("pg_")) {
            return Optional.of("a system table");
        }
        return switch (persistence) {
            case 'u' -> Optional.of("unlogged");
            case 't' -> Optional.of("temporary");
            default -> Optional.empty();
        };
    }
}
