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
}
