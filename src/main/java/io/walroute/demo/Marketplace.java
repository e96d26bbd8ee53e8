package io.walroute.demo;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

/** The sample marketplace's four tables. */
public final class Marketplace {
    public static final List<String> TABLES = List.of("listings", "offers", "ens_names", "opensea_events");

    private Marketplace() {}

    /** As SQL for psql. */
    public static String schema() {
        try (InputStream in = Marketplace.class.getResourceAsStream("marketplace.sql")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Creates the tables that are missing. */
    public static void create(Connection connection) throws SQLException {
        try (var statement = connection.createStatement()) {
            statement.execute(schema());
        }
    }

    /**
     * What {@code walroute setup} does for these tables, in its simplest form: for tests and benchmarks that need no settings.
     */
    public static void publish(Connection connection, String publication, String slot) throws SQLException {
        try (var statement = connection.createStatement()) {
            statement.execute("CREATE PUBLICATION " + publication + " FOR TABLE " + String.join(", ", TABLES)
                    + " WITH (publish_via_partition_root = true)");
            statement.execute("ALTER TABLE listings REPLICA IDENTITY FULL");
            statement.execute("ALTER TABLE ens_names REPLICA IDENTITY FULL");
            statement.execute("SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
        }
    }
}
