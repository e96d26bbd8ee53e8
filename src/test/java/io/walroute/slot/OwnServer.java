package io.walroute.slot;

import io.walroute.demo.PostgresServer;
import io.walroute.demo.TemporaryFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;

/** A PostgreSQL server with settings that the shared one must not have. */
final class OwnServer implements AutoCloseable {
    private final PostgresServer server;
    private final Path folder;

    /** @param settings of postgresql.conf */
    OwnServer(Map<String, String> settings) throws IOException {
        folder = Files.createTempDirectory("walroute-own-server-");
        server = PostgresServer.start(folder, settings);
    }

    ReplicationTarget target(String slot) {
        return new ReplicationTarget(
                "jdbc:postgresql://127.0.0.1:" + server.port() + "/postgres",
                Map.of("user", "postgres", "password", "postgres"),
                slot,
                "pub");
    }

    Connection connect() throws SQLException {
        return DriverManager.getConnection(server.jdbcUrl("postgres"));
    }

    void execute(String... statements) throws SQLException {
        try (Connection connection = connect();
                var statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        TemporaryFolder.delete(folder);
    }
}
