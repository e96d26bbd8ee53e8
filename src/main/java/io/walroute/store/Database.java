package io.walroute.store;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.sql.DataSource;

/**
 * What differs between the two kinds of database that a {@link Store} can be: how to connect, which errors are a write's own
 * fault, and how each problem is told.
 *
 * <p>Keeps the table definitions that it was given, since a database that vanishes under a running service comes back empty.
 */
abstract class Database {
    private final List<String> definitions = new CopyOnWriteArrayList<>();

    static Database of(String jdbcUrl) {
        if (jdbcUrl.startsWith(SqliteDatabase.SCHEME)) {
            return new SqliteDatabase(jdbcUrl);
        }
        if (jdbcUrl.startsWith(PostgresDatabase.SCHEME)) {
            return new PostgresDatabase(jdbcUrl);
        }
        int end = Math.min(jdbcUrl.length(), Math.max(0, jdbcUrl.indexOf("//")));
        throw new IllegalArgumentException("The store's URL begins with '" + jdbcUrl.substring(0, end)
                + "': write jdbc:sqlite:FILE or jdbc:postgresql://HOST:PORT/DATABASE");
    }

    abstract boolean isSqlite();

    /** For the writer: without auto-commit, each commit on disk before it returns. */
    abstract Connection connectToWrite() throws SQLException;

    /** For statements that create tables and indexes; as {@link #connectToWrite} otherwise. */
    Connection connectToDefine() throws SQLException {
        return connectToWrite();
    }

    abstract DataSource readers();

    /** How many rows of a batch may wait in memory. */
    abstract int batchRows();

    /** How many rows go in one {@link Store.Insert} statement. */
    abstract int rowsPerInsert();

    /** Whether the open connection no longer writes where a new one would. */
    abstract boolean wasReplaced();

    /** One line: what is wrong with which database, and the fix. */
    abstract String explain(Throwable e);

    /**
     * Begins a transaction that writes.
     *
     * @param withTables whether the store's tables are there; else they are about to be created
     */
    abstract void begin(Connection connection, Statement statement, boolean withTables) throws SQLException;

    /** The database's name, without secrets. */
    @Override
    public abstract String toString();

    void define(List<String> statements) throws SQLException {
        execute(statements);
        for (String each : statements) {
            if (!definitions.contains(each)) {
                definitions.add(each);
            }
        }
    }

    void defineAgainIfNew() throws SQLException {
        execute(definitions);
    }

    private void execute(List<String> statements) throws SQLException {
        try (Connection connection = connectToDefine();
                var statement = connection.createStatement()) {
            begin(connection, statement, false);
            for (String each : statements) {
                statement.execute(each);
            }
            if (connection.getAutoCommit()) {
                statement.execute("COMMIT");
            } else {
                connection.commit();
            }
        }
    }

    /**
     * Whether a write can never succeed, whenever it is tried: its values break a constraint or a limit, or its own code
     * failed. Everything else (disk, network, locks, missing tables, privileges) may pass, and must not cost a change.
     */
    static boolean isRefusal(Exception e) {
        if (!(e instanceof SQLException sql)) {
            return true;
        }
        for (Throwable each = sql; each != null; each = each.getCause()) {
            if (each instanceof SQLException cause
                    && (SqliteDatabase.refuses(cause) || PostgresDatabase.refuses(cause))) {
                return true;
            }
        }
        return false;
    }

    static String oneLine(Throwable e) {
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }
}
