package io.walroute.service;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.walroute.settings.DatabaseUrl;
import io.walroute.source.TextConverter;

/** The pool that routes query and write back through: the bean {@code walroute}. */
final class Databases {
    private static final int CONNECTIONS = 8;

    private Databases() {}

    static HikariDataSource pool(DatabaseUrl url) {
        var config = new HikariConfig();
        config.setPoolName("walroute");
        config.setJdbcUrl(url.jdbcUrl());
        url.properties().forEach(config::addDataSourceProperty);
        // Values as the stream gives them, whatever the role's or the database's settings say.
        config.addDataSourceProperty("options", TextConverter.DRIVER_OPTIONS);
        config.addDataSourceProperty("binaryTransfer", "false");
        // A parameter's type is what its column says: bigint keys and timestamps come as text.
        config.addDataSourceProperty("stringtype", "unspecified");
        config.setMaximumPoolSize(CONNECTIONS);
        config.setMinimumIdle(0);
        config.setConnectionTimeout(5_000);
        // A database that is away for a moment must not stop the start: whoever needs it gets the error, and tries
        // again.
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }
}
