package io.walroute.testing;

import io.walroute.demo.PostgresServer;
import io.walroute.demo.TemporaryFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

/**
 * The PostgreSQL server that tests share: one per JVM, with {@code wal_level=logical}, in a container or embedded (see
 * {@link Containers}). Each test makes databases of its own in it, so that no test sees another's tables or slots.
 */
public final class Postgres {
    private static final Map<String, String> SETTINGS = Map.of(
            "wal_level", "logical",
            "max_replication_slots", "400",
            "max_wal_senders", "40",
            "max_connections", "200",
            "fsync", "off");
    private static final AtomicInteger DATABASES = new AtomicInteger();
    private static Database maintenance;

    private Postgres() {}

    /** A new, empty database. */
    public static synchronized Database newDatabase() {
        if (maintenance == null) {
            maintenance = Containers.wanted() ? startContainer() : startEmbedded();
        }
        String name = "t" + DATABASES.incrementAndGet();
        maintenance.execute("CREATE DATABASE " + name);
        return new Database(maintenance.host(), maintenance.port(), name);
    }

    @SuppressWarnings("resource") // The container lives as long as the JVM; Testcontainers removes it then.
    private static Database startContainer() {
        List<String> command = new ArrayList<>(List.of("postgres"));
        SETTINGS.forEach((name, value) -> command.addAll(List.of("-c", name + "=" + value)));
        var container = new GenericContainer<>(Containers.POSTGRES)
                .withEnv("POSTGRES_PASSWORD", "postgres")
                .withCommand(command.toArray(String[]::new))
                .withExposedPorts(5432)
                // It starts once to initialise and once more to stay.
                .waitingFor(Wait.forLogMessage(".*ready to accept connections.*\\s", 2));
        container.start();
        return new Database(container.getHost(), container.getMappedPort(5432), "postgres");
    }

    private static Database startEmbedded() {
        try {
            Path folder = Files.createTempDirectory("walroute-test-postgres-");
            PostgresServer server = PostgresServer.start(folder, SETTINGS);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, folder)));
            return new Database("localhost", server.port(), "postgres");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void stop(PostgresServer server, Path folder) {
        try {
            server.close();
            TemporaryFolder.delete(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One database of the shared server, owned by the superuser {@code postgres}. */
    public record Database(String host, int port, String name) {
        /** As {@code DATABASE_URL} wants it. */
        public String url() {
            return "postgresql://postgres:postgres@" + host + ":" + port + "/" + name;
        }

        public String jdbcUrl() {
            return "jdbc:postgresql://" + host + ":" + port + "/" + name + "?user=postgres&password=postgres";
        }

        public Connection connect() throws SQLException {
            return DriverManager.getConnection(jdbcUrl());
        }

        /** Runs statements in one connection, each committed on its own. */
        public void execute(String... statements) {
            try (Connection c = connect();
                    var s = c.createStatement()) {
                for (String sql : statements) {
                    s.execute(sql);
                }
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }

        /** The first column of the first row as text; null if there is no row or it is NULL. */
        public String query(String sql) {
            try (Connection c = connect();
                    var s = c.createStatement();
                    var rows = s.executeQuery(sql)) {
                return rows.next() ? rows.getString(1) : null;
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
