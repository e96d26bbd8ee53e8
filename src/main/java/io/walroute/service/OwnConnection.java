package io.walroute.service;

import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.SlotException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A connection for looking at the slot every few seconds, so that no pool's exhaustion hides what becomes of it. It is opened when it is needed and
 * stays until it is dropped. For one thread at a time, but for {@link #closeAfter}.
 */
final class OwnConnection {
    private final ReplicationTarget target;
    private volatile Connection connection;

    OwnConnection(ReplicationTarget target) {
        this.target = target;
    }

    Connection get() throws SlotException, SQLException {
        if (connection == null) {
            connection = target.connect();
        }
        return connection;
    }

    /** Ends the thread that looks, and then this. A look at a server that doesn't answer is cut off: no interrupt reaches it. */
    void closeAfter(ExecutorService looks) {
        looks.shutdownNow();
        try {
            if (!looks.awaitTermination(1, TimeUnit.SECONDS)) {
                Connection hanging = connection;
                if (hanging != null) {
                    hanging.abort(Runnable::run);
                }
                looks.awaitTermination(1, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (SQLException e) {
            // It is left to the end of the process.
        }
        drop();
    }

    /** For after a failure, and for the end; {@link #get} opens another one. */
    void drop() {
        try {
            if (connection != null) {
                connection.close();
            }
        } catch (SQLException e) {
            // Broken already.
        }
        connection = null;
    }
}
