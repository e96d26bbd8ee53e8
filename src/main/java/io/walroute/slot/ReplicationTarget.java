package io.walroute.slot;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;

/**
 * Which slot of which database, and how to get there.
 *
 * @param jdbcUrl without user and password
 * @param properties pgjdbc's, {@code user} and {@code password} among them
 * @param failover whether a slot that is made may be one that the server copies to its standbys (from 17 on)
 */
public record ReplicationTarget(
        String jdbcUrl, Map<String, String> properties, String slot, String publication, boolean failover) {
    private static final String CONNECT_TIMEOUT_S = "10";
    // A server that stops answering in the middle must not hold up whoever asks how it is.
    private static final String SOCKET_TIMEOUT_S = "60";

    public ReplicationTarget {
        properties = Map.copyOf(properties);
    }

    public ReplicationTarget(String jdbcUrl, Map<String, String> properties, String slot, String publication) {
        this(jdbcUrl, properties, slot, publication, true);
    }

    /** @throws SlotException if the database can't be reached; says why */
    public Connection connect() throws SlotException {
        var all = new Properties();
        all.put("connectTimeout", CONNECT_TIMEOUT_S);
        all.put("loginTimeout", CONNECT_TIMEOUT_S);
        all.put("socketTimeout", SOCKET_TIMEOUT_S);
        all.putAll(properties);
        try {
            return DriverManager.getConnection(jdbcUrl, all);
        } catch (SQLException e) {
            throw new SlotException(ConnectFailure.explain(this, e), e);
        }
    }

    /** {@code host:port}. */
    public String server() {
        String rest = jdbcUrl.substring("jdbc:postgresql://".length());
        return rest.substring(0, rest.indexOf('/'));
    }

    String host() {
        String server = server();
        return server.substring(0, server.lastIndexOf(':'));
    }

    String user() {
        return properties.get("user");
    }

    @Override
    public String toString() {
        return "ReplicationTarget[" + jdbcUrl + ", user=" + user() + ", slot=" + slot + ", publication=" + publication
                + "]";
    }
}
