package io.walroute.store;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * The database that the service keeps its own history in: the audit log, the dead letters, the frame log. One writer thread
 * takes queued writes in order, many to a transaction (group commit), and tells each when it is on disk.
 *
 * <p>A transaction that fails is tried again, whole and with backoff, until it succeeds or the store is closed: meanwhile
 * {@link #problem()} says why and nothing is reported as written. Writes must therefore be repeatable (ON CONFLICT DO
 * NOTHING). The one exception is a write that the database refuses for its data (a constraint, a value too long): it would
 * fail for ever, so it is left out, told so, and the others go through.
 *
 * <p>The queue itself has no bound: callers bound what they submit (the changes in flight are counted by the source).
 */
public final class Store implements AutoCloseable {
    /** Where the store is: {@code jdbc:sqlite:FILE} or {@code jdbc:postgresql://…}. */
    public record Settings(String jdbcUrl) {}

    /** One queued change of the database. Called on the writer's thread, possibly again after a failed transaction. */
    @FunctionalInterface
    public interface Write {
        void apply(Session session) throws SQLException;
    }

    /** Statements of the current transaction, prepared once and kept. */
    public interface Session {
        /**
         * A statement whose rows the writer adds to a batch: set parameters, call addBatch, nothing else. Rows of the same
         * statement keep their order; rows of different statements may be sent in any order.
         */
        PreparedStatement batch(String sql) throws SQLException;

        /** One row more, as with {@link #batch}; {@code values} are String, Long, byte[], OffsetDateTime or null. */
        void insert(Insert into, Object... values) throws SQLException;

        /**
         * As {@link #batch}, for rows that refer to those (a dead letter to its audit row): they are sent after all that were
         * batched before, and among each other in order.
         */
        PreparedStatement batchAfter(String sql) throws SQLException;

        /** A statement that is executed at once, after all batched ones before it. Close its result sets. */
        PreparedStatement statement(String sql) throws SQLException;
    }

    /**
     * An INSERT of which several rows may go in one statement.
     *
     * @param head up to and with VALUES
     * @param row one row's placeholders, in brackets
     * @param tail what follows the rows
     */
    public record Insert(String head, String row, String tail) {
        String sql(int rows) {
            return head + " " + String.join(", ", Collections.nCopies(rows, row)) + " " + tail;
        }
    }

    @FunctionalInterface
    public interface Query<T> {
        T run(Connection connection) throws SQLException;
    }

    private static final Duration DRAIN_AT_CLOSE = Duration.ofSeconds(10);
    private static final String EPOCH = "epoch";
    private static final String PUT_META = "INSERT INTO walroute_meta (key, value) VALUES (?, ?)"
            + " ON CONFLICT (key) DO UPDATE SET value = excluded.value";

    private static final String RAISE_EPOCH =
            "UPDATE walroute_meta SET value = ? WHERE key = '" + EPOCH + "' AND CAST(value AS bigint) < ?";

    private final Database database;
    private final HikariDataSource readers;
    private final Writer writer;

    private volatile long epoch;

    private Store(Database database) throws SQLException {
        this.database = database;
        database.define(List.of(
                "CREATE TABLE IF NOT EXISTS walroute_meta (key text PRIMARY KEY, value text NOT NULL)",
                "INSERT INTO walroute_meta (key, value) VALUES ('" + EPOCH + "', '1') ON CONFLICT DO NOTHING"));
        readers = readers(database);
        try {
            epoch = Long.parseLong(meta(EPOCH));
        } catch (SQLException | RuntimeException e) {
            readers.close();
            throw e;
        }
        writer = new Writer(database);
    }

    /**
     * Opens the database, which is made if it is a file that doesn't exist yet, and starts the writer.
     *
     * @throws SQLException if it can't be reached or written; the message is one line that says why and what to do
     * @throws IllegalArgumentException if the URL names neither SQLite nor PostgreSQL
     */
    public static Store open(Settings settings) throws SQLException {
        var database = Database.of(settings.jdbcUrl());
        try {
            return new Store(database);
        } catch (SQLException e) {
            throw new SQLException(database.explain(e), e.getSQLState(), e.getErrorCode(), e);
        }
    }

    private static HikariDataSource readers(Database database) {
        var config = new HikariConfig();
        config.setPoolName("store-readers");
        config.setDataSource(database.readers());
        if (database.isSqlite()) {
            // A read must not become a second writer by mistake: SQLite has only one.
            config.setConnectionInitSql("PRAGMA query_only=ON");
        }
        config.setMaximumPoolSize(4);
        config.setMinimumIdle(0);
        config.setConnectionTimeout(Duration.ofSeconds(10).toMillis());
        config.setIdleTimeout(Duration.ofSeconds(60).toMillis());
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    /**
     * As {@link #submit(Write, Runnable, Consumer)}, for a write that can't be refused; should it be, a warning is logged and
     * {@code onDisk} never runs.
     */
    public void submit(Write write, Runnable onDisk) {
        submit(write, onDisk, Writer::warnOfRefusal);
    }

    /**
     * Queues a write. Never blocks.
     *
     * @param onDisk runs once the write's transaction is committed, never if it isn't; in the order of the writes, on a
     *     thread of its own beside the writer's, so that a slow one delays the following callbacks but no commit
     * @param onRefused runs instead, with the reason, if the database refuses this very write for its data, or if the store
     *     is closed before the write is on disk; on that same thread, or on the caller's if the store is closed already
     */
    public void submit(Write write, Runnable onDisk, Consumer<Exception> onRefused) {
        writer.submit(new Writer.Entry(write, onDisk, onRefused, true));
    }

    /**
     * Queues a write and waits until it is on disk; for commands and settings, not for changes.
     *
     * @throws SQLException if it fails, which is not tried again, or isn't on disk in time (it may still get there); the
     *     message says why
     */
    public void write(Write write, Duration timeout) throws SQLException {
        var done = new CompletableFuture<Void>();
        writer.submit(new Writer.Entry(write, () -> done.complete(null), done::completeExceptionally, false));
        try {
            done.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new SQLException(database.explain(e.getCause()), e.getCause());
        } catch (TimeoutException e) {
            throw new SQLException(
                    problem().orElse("the store " + database + " did not answer in " + timeout.toSeconds() + " s"), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SQLException("interrupted while writing to the store " + database, e);
        }
    }

    /** Reads by a connection of its own, beside the writer. Blocks. */
    public <T> T read(Query<T> query) throws SQLException {
        try (Connection connection = readers.getConnection()) {
            return query.run(connection);
        }
    }

    /**
     * Creates tables and indexes that are missing; for components at start. The statements must be repeatable (IF NOT
     * EXISTS): the writer runs them again when it finds a new, empty file. Blocks.
     */
    public void define(String... ddl) throws SQLException {
        try {
            database.define(List.of(ddl));
        } catch (SQLException e) {
            throw new SQLException(database.explain(e), e.getSQLState(), e.getErrorCode(), e);
        }
    }

    public boolean isSqlite() {
        return database.isSqlite();
    }

    /** Rises when LSNs may be used again; kept in the store, at least 1. */
    public long epoch() {
        return epoch;
    }

    /** Makes {@link #epoch()} one higher, for good: versions and ids made from now on differ from all before. */
    public long raiseEpoch() throws SQLException {
        return raiseEpoch(readEpoch() + 1, session -> {});
    }

    /**
     * Makes {@link #epoch()} at least {@code next}, and writes what belongs to that in the same transaction.
     *
     * @return the epoch from now on
     */
    public synchronized long raiseEpoch(long next, Write along) throws SQLException {
        write(
                session -> {
                    var raise = session.statement(RAISE_EPOCH);
                    raise.setString(1, Long.toString(next));
                    raise.setLong(2, next);
                    raise.executeUpdate();
                    along.apply(session);
                },
                DRAIN_AT_CLOSE);
        return readEpoch();
    }

    /** {@link #epoch()}, after another process may have raised it. */
    public synchronized long readEpoch() throws SQLException {
        epoch = Long.parseLong(meta(EPOCH));
        return epoch;
    }

    /** A value that {@link #setMeta} kept; null if there is none. */
    public String meta(String key) throws SQLException {
        return read(connection -> {
            try (var select = connection.prepareStatement("SELECT value FROM walroute_meta WHERE key = ?")) {
                select.setString(1, key);
                try (var rows = select.executeQuery()) {
                    return rows.next() ? rows.getString(1) : null;
                }
            }
        });
    }

    /** Keeps a value under a name, over restarts; on disk when this returns. */
    public void setMeta(String key, String value) throws SQLException {
        write(
                session -> {
                    var put = session.statement(PUT_META);
                    put.setString(1, key);
                    put.setString(2, value);
                    put.executeUpdate();
                },
                DRAIN_AT_CLOSE);
    }

    /** Why writes don't get through at present, in one line with the fix; empty while they do. */
    public Optional<String> problem() {
        return writer.problem();
    }

    /** How many writes are queued or in the current transaction. */
    public int pending() {
        return writer.pending();
    }

    /** The database's name as it may be shown: the file, or the URL without user and password. */
    @Override
    public String toString() {
        return database.toString();
    }

    /** Writes what is queued, for at most ten seconds; what isn't on disk then is refused. */
    @Override
    public void close() {
        writer.close(DRAIN_AT_CLOSE);
        readers.close();
    }
}
