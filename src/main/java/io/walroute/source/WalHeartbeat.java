package io.walroute.source;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.UUID;

/**
 * Writes marks into the WAL, which must come back through the stream: proof that a change would get through, and what moves
 * the slot of an idle database beside a busy one. Needs no table and no privilege.
 *
 * <p>Used from one thread; {@link #returned} from the stream's.
 */
final class WalHeartbeat implements AutoCloseable {
    static final String PREFIX = "walroute.heartbeat";
    private static final String CANNOT_CONNECT_NOW = "57P03";

    private final TableCatalog.Connector connector;
    // Another instance's heartbeats come through the same slot, and prove nothing about this one.
    private final String sender = UUID.randomUUID().toString();
    private Connection connection;
    private long sent;
    // Before the statement, so that a mark which is back before that returns has its time too.
    private volatile long sendingAtNanos;
    private volatile long sentAtNanos;
    private volatile long returned;
    private volatile long returnedAtNanos;
    private volatile long roundTripNanos;

    WalHeartbeat(TableCatalog.Connector connector) {
        this.connector = connector;
    }

    /** Blocks until the mark is on the server's disk. */
    void send() throws SQLException {
        if (connection == null || connection.isClosed()) {
            connection = connector.connect();
        }
        // Transactional: its commit flushes the WAL. A message outside a transaction may lie unflushed, and so unsent,
        // for
        // many seconds on an idle server.
        try (var statement = connection.prepareStatement("SELECT pg_logical_emit_message(true, ?, ?)")) {
            statement.setString(1, PREFIX);
            statement.setString(2, sender + ":" + (sent + 1));
            sendingAtNanos = System.nanoTime();
            statement.setQueryTimeout(10);
            statement.executeQuery().close();
            sent++;
            sentAtNanos = System.nanoTime();
        } catch (SQLException e) {
            close();
            throw e;
        }
    }

    /** Whether the server is on its way down: it has ended this connection and takes no other. */
    boolean isServerShuttingDown() {
        try {
            if (connection == null || !connection.isValid(5)) {
                close();
                connection = connector.connect();
            }
            return false;
        } catch (SQLException e) {
            return CANNOT_CONNECT_NOW.equals(e.getSQLState());
        }
    }

    void returned(String content) {
        int colon = content.lastIndexOf(':');
        if (colon > 0 && content.substring(0, colon).equals(sender)) {
            returned = Long.parseLong(content.substring(colon + 1));
            returnedAtNanos = System.nanoTime();
            roundTripNanos = returnedAtNanos - sendingAtNanos;
        }
    }

    boolean hasReturned() {
        return returned > 0;
    }

    /** Nanoseconds since the newest mark came back; meaningless before {@link #hasReturned()}. */
    long nanosSinceReturn() {
        return System.nanoTime() - returnedAtNanos;
    }

    /** Nanoseconds since the newest mark was sent, whether it came back or not. */
    long nanosSinceSend() {
        return System.nanoTime() - sentAtNanos;
    }

    /** From writing the newest mark that came back until it did; if another was sent meanwhile, from that one's writing. */
    long roundTripNanos() {
        return roundTripNanos;
    }

    boolean isUnderway() {
        return sent > returned;
    }

    @Override
    public void close() {
        if (connection != null) {
            try {
                connection.close();
            } catch (SQLException e) {
                // Broken already: there is nothing left to give back.
            }
            connection = null;
        }
    }
}
