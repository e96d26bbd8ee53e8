package io.walroute.backfill;

import io.walroute.change.PgType;
import io.walroute.slot.TableName;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.sql.DataSource;

/**
 * Reads published tables in key order, with the same values that the stream would give. Every query runs in a transaction that
 * can't write. Stateless; its methods block.
 */
final class TableReader {
    private static final long MOST_BYTES = 4 << 20;
    private static final long FETCH_BYTES = 1 << 20;
    /** Before it is known how large rows are. */
    private static final int FIRST_FETCH = 10;

    private static final int FILTERS_SINCE = 15;
    private static final Pattern PLAN_ROWS = Pattern.compile("\"Plan Rows\": (\\d+)");

    private static final String COLUMNS = """
            SELECT a.attname::text, t.typname::text, format_type(a.atttypid, -1), a.attgenerated::text,
                   (SELECT k.ord FROM pg_index i
                      CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, ord)
                     WHERE i.indrelid = a.attrelid AND i.indisprimary AND k.attnum = a.attnum
                       AND k.ord <= i.indnkeyatts)
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = ?::oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum""";

    private final DataSource database;
    private final String publication;

    /** @param database gives values in the stream's forms */
    TableReader(DataSource database, String publication) {
        this.database = database;
        this.publication = publication;
    }

    private interface Query<T> {
        T run(Connection connection) throws SQLException, BackfillException;
    }

    private <T> T inSnapshot(Query<T> query) throws SQLException, BackfillException {
        try (Connection connection = database.getConnection()) {
            connection.setReadOnly(true);
            connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            connection.setAutoCommit(false);
            try {
                return query.run(connection);
            } finally {
                connection.rollback();
            }
        }
    }

    // ---------------------------------------------------------------- which tables

    /** All published tables. */
    Set<TableName> published() throws SQLException, BackfillException {
        return inSnapshot(this::published);
    }

    private Set<TableName> published(Connection connection) throws SQLException {
        try (var select = connection.prepareStatement(
                "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = ? ORDER BY 1, 2")) {
            select.setString(1, publication);
            Set<TableName> names = new java.util.LinkedHashSet<>();
            try (var rows = select.executeQuery()) {
                while (rows.next()) {
                    names.add(new TableName(rows.getString(1), rows.getString(2)));
                }
            }
            return names;
        }
    }

    boolean hasKey(TableName name) throws SQLException, BackfillException {
        return inSnapshot(connection -> {
            try (var select = connection.prepareStatement("SELECT EXISTS (SELECT FROM pg_index i"
                    + " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
                    + " WHERE n.nspname = ? AND c.relname = ? AND i.indisprimary)")) {
                select.setString(1, name.schema());
                select.setString(2, name.table());
                try (var row = select.executeQuery()) {
                    row.next();
                    return row.getBoolean(1);
                }
            }
        });
    }

    /**
     * How many rows there are, by PostgreSQL's estimate; and whether they can be read at all.
     *
     * @throws BackfillException if the table can't be backfilled
     * @throws IllegalArgumentException if there is no such table, or the condition can't be used
     */
    long estimate(TableName name, String where) throws SQLException, BackfillException {
        return inSnapshot(connection -> {
            Table table = describe(connection, name);
            long all;
            try {
                all = estimate(connection, table, null);
            } catch (SQLException e) {
                if (!"42501".equals(e.getSQLState())) {
                    throw e;
                }
                throw new BackfillException(line(e) + ". Run: GRANT SELECT ON " + name.sql() + " TO "
                        + connection.getMetaData().getUserName());
            }
            if (where == null) {
                return all;
            }
            try {
                return estimate(connection, table, where);
            } catch (SQLException e) {
                throw new IllegalArgumentException("--where " + where + ": " + line(e), e);
            }
        });
    }

    private static long estimate(Connection connection, Table table, String where) throws SQLException {
        try (Statement explain = connection.createStatement()) {
            explain.setEscapeProcessing(false);
            try (var row = explain.executeQuery("EXPLAIN (FORMAT JSON) " + table.select(where, null, 0))) {
                row.next();
                Matcher rows = PLAN_ROWS.matcher(row.getString(1));
                return rows.find() ? Long.parseLong(rows.group(1)) : 0;
            }
        }
    }

    private Table describe(Connection connection, TableName name) throws SQLException, BackfillException {
        try (var select = connection.prepareStatement("SELECT c.oid::text, c.relkind::text FROM pg_class c"
                + " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ?")) {
            select.setString(1, name.schema());
            select.setString(2, name.table());
            try (var row = select.executeQuery()) {
                if (!row.next()) {
                    throw new IllegalArgumentException("There is no table " + name + " in the database. Published are: "
                            + names(published(connection)));
                }
                return describe(
                        connection, name, row.getString(1), row.getString(2).equals("r"));
            }
        }
    }

    private Table describe(Connection connection, TableName name, String oid, boolean only)
            throws SQLException, BackfillException {
        Optional<Published> published = published(connection, name);
        if (published.isEmpty()) {
            throw new BackfillException("Table " + name + " is not in publication " + publication
                    + ", so that its changes would not follow. Add it to walroute.tables and run: walroute setup. Published are: "
                    + names(published(connection)));
        }
        Map<Integer, Table.Column> key = new java.util.TreeMap<>();
        List<Table.Column> columns = new ArrayList<>();
        try (var select = connection.prepareStatement(COLUMNS)) {
            select.setString(1, oid);
            try (var rows = select.executeQuery()) {
                while (rows.next()) {
                    var column = new Table.Column(rows.getString(1), PgType.of(rows.getString(2)), rows.getString(3));
                    if (published.get().has(column.name(), !rows.getString(4).isEmpty())) {
                        columns.add(column);
                    }
                    if (rows.getString(5) != null) {
                        key.put(rows.getInt(5), column);
                    }
                }
            }
        }
        var table = new Table(
                name, only, columns, List.copyOf(key.values()), published.get().rowFilter());
        if (key.isEmpty() || !table.hasWholeKey()) {
            throw new BackfillException("Table " + name + " has no primary key"
                    + (key.isEmpty() ? "" : " that is published whole")
                    + ": its rows have no place in the cache. Add one: ALTER TABLE " + name.sql()
                    + " ADD PRIMARY KEY (…)");
        }
        return table;
    }

    private static String names(Set<TableName> names) {
        return names.isEmpty()
                ? "none"
                : names.stream().map(TableName::toString).collect(Collectors.joining(", "));
    }

    /** @param columns null where none are named, so that all but generated ones are published */
    private record Published(Set<String> columns, String rowFilter) {
        boolean has(String column, boolean generated) {
            return columns == null ? !generated : columns.contains(column);
        }
    }

    private Optional<Published> published(Connection connection, TableName name) throws SQLException {
        int version = connection.getMetaData().getDatabaseMajorVersion();
        boolean filters = version >= FILTERS_SINCE;
        try (var select = connection.prepareStatement(
                "SELECT " + (filters ? "attnames::text[], rowfilter" : "NULL::text[], NULL::text")
                        + " FROM pg_publication_tables WHERE pubname = ? AND schemaname = ? AND tablename = ?")) {
            select.setString(1, publication);
            select.setString(2, name.schema());
            select.setString(3, name.table());
            try (var row = select.executeQuery()) {
                if (!row.next()) {
                    return Optional.empty();
                }
                Set<String> columns = row.getArray(1) == null
                        ? null
                        : new HashSet<>(Arrays.asList((String[]) row.getArray(1).getArray()));
                return Optional.of(new Published(columns, row.getString(2)));
            }
        }
    }

    // ---------------------------------------------------------------- rows

    /** Transactions that were streamed lately, as the audit log has them. */
    @FunctionalInterface
    interface Streamed {
        Collection<Long> transactions() throws SQLException;
    }

    /**
     * Reads the next rows in a snapshot of their own.
     *
     * @param limit how many at most; fewer if they are large
     * @param rowBytes how large rows were so far; 0 if unknown
     * @return empty if the snapshot doesn't see all that was streamed: to be tried again in a moment
     */
    Optional<Chunk> read(Backfill backfill, int limit, long rowBytes, Streamed streamed)
            throws SQLException, BackfillException {
        return inSnapshot(connection -> {
            if (snapshot(connection).misses(streamed.transactions())) {
                return Optional.empty();
            }
            Table table = describe(connection, backfill.table());
            List<String> after = table.keyNames().equals(backfill.keyColumns()) ? backfill.lastKey() : null;
            return Optional.of(rows(connection, table, backfill.where(), after, limit, rowBytes));
        });
    }

    private static Snapshot snapshot(Connection connection) throws SQLException {
        try (var select = connection.createStatement();
                var row = select.executeQuery("SELECT (pg_snapshot_xmax(s)::text::bigint % 4294967296),"
                        + " ARRAY(SELECT x::text::bigint % 4294967296 FROM pg_snapshot_xip(s) x)"
                        + " FROM pg_current_snapshot() s")) {
            row.next();
            return new Snapshot(Set.of((Long[]) row.getArray(2).getArray()), row.getLong(1));
        }
    }

    private static Chunk rows(
            Connection connection, Table table, String where, List<String> after, int limit, long rowBytes)
            throws SQLException {
        Instant readAt = Instant.now();
        try (Statement select = connection.createStatement()) {
            select.setEscapeProcessing(false);
            select.setFetchSize(
                    rowBytes == 0
                            ? Math.min(limit, FIRST_FETCH)
                            : (int) Math.max(1, Math.min(limit, FETCH_BYTES / rowBytes)));
            List<Map<String, Object>> rows = new ArrayList<>();
            List<String> lastKey = null;
            long bytes = 0;
            try (ResultSet found = select.executeQuery(table.select(where, after, limit))) {
                while (bytes < MOST_BYTES && found.next()) {
                    Map<String, String> texts = texts(table, found);
                    lastKey = table.keyNames().stream().map(texts::get).toList();
                    bytes += texts.values().stream()
                            .mapToLong(text -> text == null ? 0 : text.length())
                            .sum();
                    rows.add(row(table, texts));
                }
            }
            return new Chunk(table, rows, lastKey, bytes, rows.size() < limit && bytes < MOST_BYTES, readAt);
        }
    }

    private static Map<String, String> texts(Table table, ResultSet row) throws SQLException {
        Map<String, String> texts = new LinkedHashMap<>();
        int i = 1;
        for (Table.Column column : table.columns()) {
            texts.put(column.name(), row.getString(i++));
        }
        return texts;
    }

    private static Map<String, Object> row(Table table, Map<String, String> texts) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (Table.Column column : table.columns()) {
            row.put(column.name(), column.type().convert(texts.get(column.name())));
        }
        return row;
    }

    /** PostgreSQL's message without severity and place: the statement is ours, so the place says nothing. */
    static String line(Exception e) {
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        String line = message.strip()
                .replaceAll("\\s*[\\r\\n]+\\s*", "; ")
                .replaceFirst("^(FATAL|ERROR|PANIC): ", "")
                .replaceFirst("; Position: \\d+$", "");
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    static String sorted(Collection<TableName> names) {
        return String.join(
                ", ", names.stream().map(TableName::toString).collect(Collectors.toCollection(TreeSet::new)));
    }
}
