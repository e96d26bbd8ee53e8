package io.walroute.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Optional;

/**
 * The database that the service keeps its own history in: the audit log, the dead letters, the frame log. One writer thread
 * takes queued writes in order, many to a transaction (group commit), and tells each when it is on disk.
 *
 * <p>A transaction that fails is tried again, whole and with backoff, until it succeeds or the store is closed: meanwhile
 * {@link #problem()} says why and nothing is reported as written. Writes must therefore be repeatable (ON CONFLICT DO NOTHING).
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
        /** A statement whose rows the writer adds to a batch: set parameters, call addBatch, nothing else. */
        PreparedStatement batch(String sql) throws SQLException;

        /** A statement that is executed at once, after all batched ones before it. */
        PreparedStatement statement(String sql) throws SQLException;
    }

    @FunctionalInterface
    public interface Query<T> {
        T run(Connection connection) throws SQLException;
    }

    private Store() {}

    public static Store open(Settings settings) throws SQLException {
        throw new UnsupportedOperationException();
    }

    /** Queues a write; {@code onDisk} runs on the writer's thread once its transaction is committed, never if it isn't. */
    public void submit(Write write, Runnable onDisk) {
        throw new UnsupportedOperationException();
    }

    /** Reads by a connection of its own, beside the writer. Blocks. */
    public <T> T read(Query<T> query) throws SQLException {
        throw new UnsupportedOperationException();
    }

    /** Creates tables and indexes that are missing; for components at start. Blocks. */
    public void define(String... ddl) throws SQLException {
        throw new UnsupportedOperationException();
    }

    public boolean isSqlite() {
        throw new UnsupportedOperationException();
    }

    /** Rises when LSNs may be used again; kept in the store, at least 1. */
    public long epoch() {
        throw new UnsupportedOperationException();
    }

    /** Why writes don't get through at present; empty while they do. */
    public Optional<String> problem() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
}
