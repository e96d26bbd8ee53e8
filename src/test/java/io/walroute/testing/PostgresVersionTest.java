package io.walroute.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class PostgresVersionTest {
    @ParameterizedTest
    @EnumSource
    void each_version_starts_crashes_and_starts_again(PostgresVersion version, @TempDir Path folder) throws Exception {
        try (var server = version.start(folder.resolve("server"), Map.of("wal_level", "logical"))) {
            server.stop("immediate");
            server.start();
            try (var c = DriverManager.getConnection(server.jdbcUrl("postgres"));
                    var s = c.createStatement();
                    var rows = s.executeQuery("SHOW server_version_num")) {
                rows.next();
                assertThat(rows.getString(1)).startsWith(version.name().substring(1));
            }
        }
    }
}
