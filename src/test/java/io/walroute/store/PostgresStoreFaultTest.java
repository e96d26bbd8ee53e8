package io.walroute.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.demo.PostgresServer;
import io.walroute.demo.TemporaryFolder;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Postgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A store in a server that goes, comes back, falls silent, or is written by two at a time: each row once. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class PostgresStoreFaultTest {
    private static final String TABLE = "CREATE TABLE IF NOT EXISTS t"
            + " (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer NOT NULL UNIQUE, by_whom text)";
    private static final Duration LONG = Duration.ofSeconds(60);

    private static void write(Store store, int n, AtomicInteger written) {
        store.submit(
                session -> {
                    var insert = session.batch("INSERT INTO t (n, by_whom) VALUES (?, ?) ON CONFLICT (n) DO NOTHING");
                    insert.setInt(1, n);
                    insert.setString(2, Thread.currentThread().getName());
                    insert.addBatch();
                },
                written::incrementAndGet,
                refused -> {
                    throw new AssertionError(refused);
                });
    }

    private static String one(String url, String sql) throws Exception {
        try (var connection = DriverManager.getConnection(url);
                var statement = connection.createStatement();
                var rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"fast", "immediate"})
    void a_server_that_stops_and_starts_again_loses_nothing_and_repeats_nothing(String mode) throws Exception {
        Path folder = Files.createTempDirectory("walroute-store-server-");
        var server = PostgresServer.start(folder, Map.of());
        try (Store store = Store.open(new Store.Settings(server.jdbcUrl("postgres")))) {
            store.define(TABLE);
            var written = new AtomicInteger();
            for (int n = 0; n < 20_000; n++) {
                write(store, n, written);
            }
            await().until(() -> written.get() > 0);
            server.stop(mode);
            for (int n = 20_000; n < 21_000; n++) {
                write(store, n, written);
            }
            await().atMost(LONG).until(() -> store.problem().isPresent());
            assertThat(store.problem().get()).containsAnyOf("doesn't answer", "is stopping or starting");
            server.start();
            await().atMost(LONG).until(() -> written.get() == 21_000);
            assertThat(store.problem()).isEmpty();
            assertThat(one(server.jdbcUrl("postgres"), "SELECT count(*) || ' ' || count(DISTINCT n) FROM t"))
                    .isEqualTo("21000 21000");
        } finally {
            server.close();
            TemporaryFolder.delete(folder);
        }
    }

    @Test
    void a_commit_whose_answer_is_lost_is_repeated_without_a_second_row() throws Exception {
        var database = Postgres.newDatabase();
        try (var proxy = new FaultProxy(database.port())) {
            String url = "jdbc:postgresql://127.0.0.1:" + proxy.port() + "/" + database.name()
                    + "?user=postgres&password=postgres&socketTimeout=2&connectTimeout=2&loginTimeout=3";
            try (Store store = Store.open(new Store.Settings(url))) {
                store.define(TABLE);
                var written = new AtomicInteger();
                write(store, 1, written);
                await().atMost(LONG).until(() -> written.get() == 1);
                proxy.holdToClient();
                for (int n = 2; n <= 50; n++) {
                    write(store, n, written);
                }
                await().atMost(LONG).until(() -> store.problem().isPresent());
                assertThat(written).hasValue(1);
                proxy.heal();
                await().atMost(LONG).until(() -> written.get() == 50);
                assertThat(store.problem()).isEmpty();
            }
        }
        assertThat(database.query("SELECT count(*) FROM t")).isEqualTo("50");
    }

    @Test
    void two_that_write_the_same_rows_in_opposite_order_end_with_each_once() throws Exception {
        var database = Postgres.newDatabase();
        try (Store one = Store.open(new Store.Settings(database.jdbcUrl()));
                Store other = Store.open(new Store.Settings(database.jdbcUrl()))) {
            one.define(TABLE);
            var written = new AtomicInteger();
            int rows = 10_000;
            // Their transactions wait for each other's keys; PostgreSQL ends that by failing one of them.
            for (int n = 0; n < rows; n++) {
                write(one, n, written);
                write(other, rows - 1 - n, written);
            }
            await().atMost(LONG).until(() -> written.get() == 2 * rows);
            assertThat(one.problem()).isEmpty();
            assertThat(other.problem()).isEmpty();
        }
        assertThat(database.query("SELECT count(*) FROM t")).isEqualTo("10000");
    }
}
