package io.walroute.slot;

import io.walroute.change.Lsn;
import java.sql.Connection;
import java.sql.SQLException;

/** A message in the WAL that comes back through the slot: proof that the whole way from write to read works. Needs no table. */
public final class Heartbeat {
    /** The message's prefix, by which the reader knows it. */
    public static final String PREFIX = "walroute.heartbeat";

    private Heartbeat() {}

    /**
     * Not transactional: the message is in the WAL at once, even if the connection's transaction is rolled back.
     *
     * @return where it stands
     */
    public static Lsn emit(Connection connection, String content) throws SQLException {
        try (var statement = connection.prepareStatement("SELECT pg_logical_emit_message(false, ?, ?::text)")) {
            statement.setString(1, PREFIX);
            statement.setString(2, content);
            try (var row = statement.executeQuery()) {
                row.next();
                return Lsn.parse(row.getString(1));
            }
        }
    }
}
