package io.walroute.slot;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;

/** A PostgreSQL server with settings that the shared one must not have. */
final class OwnServer implements AutoCloseable {
    private final EmbeddedPostgres server;
    private final Path folder;

    /** @param settings of postgresql.conf */
    OwnServer(Map<String, String> settings) throws IOException {
        folder = Files.createTempDirectory("walroute-own-server-");
        var builder = EmbeddedPostgres.builder()
                .setDataDirectory(folder.resolve("data"))
                .setServerConfig("fsync", "off");
        settings.forEach(builder::setServerConfig);
        server = builder.start();
    }

    ReplicationTarget target(String slot) {
        return target("postgres", null, slot);
    }

    ReplicationTarget target(String user, String password, String slot) {
        return new ReplicationTarget(
                "jdbc:postgresql://localhost:" + server.getPort() + "/postgres",
                password == null ? Map.of("user", user) : Map.of("user", user, "password", password),
                slot,
                "pub");
    }

    Connection connect() throws SQLException {
        return server.getPostgresDatabase().getConnection();
    }

    void execute(String... statements) throws SQLException {
        try (Connection connection = connect();
                var statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** From now on this line of pg_hba.conf counts before all others. */
    void allowFirst(String line) throws IOException, SQLException {
        Path file = folder.resolve("data/pg_hba.conf");
        Files.writeString(file, line + "\n" + Files.readString(file));
        execute("SELECT pg_reload_conf()");
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
