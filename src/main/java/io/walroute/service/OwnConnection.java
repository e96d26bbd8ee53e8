package io.walroute.service;

import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.SlotException;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * A connection for looking at the slot every few seconds, so that no pool's exhaustion hides what becomes of it. It is opened when it is needed and
 * stays until it is dropped. For one thread at a time.
 */
final class OwnConnection {
    private final ReplicationTarget target;
    private Connection connection;

    OwnConnection(ReplicationTarget target) {
        this.target = target;
    }

    Connection get() throws SlotException, SQLException {
        if (connection == null) {
            connection = target.connect();
        }
        return connection;
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
