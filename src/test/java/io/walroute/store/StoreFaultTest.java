package io.walroute.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.Postgres;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is told as written is there, whatever happens to the process, the disk or the server. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class StoreFaultTest {
    private static final String TABLE = "CREATE TABLE IF NOT EXISTS t (n integer PRIMARY KEY, text text NOT NULL)";
    private static final String INSERT = "INSERT INTO t (n, text) VALUES (?, ?) ON CONFLICT (n) DO NOTHING";
    private static final Duration LONG = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    private Store store;

    @AfterEach
    void close() {
        if (store != null) {
            store.close();
        }
    }

    private String sqliteUrl() {
        return "jdbc:sqlite:" + folder.resolve("walroute.db");
    }

    private void open(String url) throws SQLException {
        store = Store.open(new Store.Settings(url));
        store.define(TABLE);
    }

    private static Store.Write insert(int n) {
        return session -> {
            var insert = session.batch(INSERT);
            insert.setInt(1, n);
            insert.setString(2, "x".repeat(200));
            insert.addBatch();
        };
    }

    private static int count(Connection connection, String what) throws SQLException {
        try (var statement = connection.createStatement();
                var rows = statement.executeQuery("SELECT count(*) FROM t " + what)) {
            rows.next();
            return rows.getInt(1);
        }
    }

    /** Writes for ever, and prints each number once its row is told to be on disk. */
    static final class Child {
        public static void main(String[] args) throws Exception {
            Store store = Store.open(new Store.Settings(args[0]));
            store.define(TABLE);
            var room = new Semaphore(3000);
            for (int n = 0; ; n++) {
                int number = n;
                room.acquire();
                store.submit(insert(n), () -> {
                    System.out.println(number);
                    room.release();
                });
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void every_write_that_was_reported_survives_a_kill(String kind) throws Exception {
        String url =
                kind.equals("sqlite") ? sqliteUrl() : Postgres.newDatabase().jdbcUrl();
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process child = new ProcessBuilder(
                        java, "-cp", System.getProperty("java.class.path"), Child.class.getName(), url)
                .redirectError(folder.resolve("stderr").toFile())
                .start();
        String line;
        try (var lines = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            do {
                line = lines.readLine();
            } while (line != null && !line.equals("7000"));
            child.destroyForcibly().waitFor();
        }
        assertThat(line).as(Files.readString(folder.resolve("stderr"))).isEqualTo("7000");
        try (var connection = DriverManager.getConnection(url)) {
            assertThat(count(connection, "WHERE n <= 7000")).isEqualTo(7001);
        }
    }

    @Test
    void a_full_disk_holds_all_writes_back_and_says_so_until_there_is_room() throws Exception {
        open(sqliteUrl());
        var pages = new AtomicLong(10);
        var written = new AtomicInteger();
        for (int i = 0; i < 5000; i++) {
            int n = i;
            store.submit(
                    session -> {
                        // The limit of the writer's file stands for the disk's: SQLite reports both alike.
                        try (var rows = session.statement("PRAGMA max_page_count=" + pages)
                                .executeQuery()) {
                            rows.next();
                        }
                        insert(n).apply(session);
                    },
                    written::incrementAndGet);
        }
        await().atMost(LONG).until(() -> store.problem().isPresent());
        assertThat(store.problem().get()).contains(folder.toString(), "the disk is full. Free some space");
        int before = written.get();
        assertThat(store.pending()).isPositive();
        assertThat(before).isLessThan(5000);

        pages.set(1_000_000);
        await().atMost(LONG).until(() -> written.get() == 5000);
        assertThat(store.problem()).isEmpty();
        assertThat(store.<Integer>read(c -> count(c, ""))).isEqualTo(5000);
    }

    @Test
    void a_server_that_ends_the_connection_loses_nothing() throws Exception {
        var database = Postgres.newDatabase();
        open(database.jdbcUrl());
        var written = new AtomicInteger();
        for (int round = 0; round < 5; round++) {
            for (int n = 0; n < 2000; n++) {
                store.submit(insert(round * 2000 + n), written::incrementAndGet);
            }
            Postgres.Database other = database;
            assertThat(other.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                            + " WHERE datname = current_database() AND pid <> pg_backend_pid()"))
                    .isNotNull();
        }
        await().atMost(LONG).until(() -> written.get() == 10_000);
        assertThat(database.query("SELECT count(*) FROM t")).isEqualTo("10000");
        assertThat(store.problem()).isEmpty();
    }

    @Test
    void while_the_server_is_away_the_problem_names_it_without_its_password() throws Exception {
        var database = Postgres.newDatabase();
        var admin = new Postgres.Database(database.host(), database.port(), "postgres");
        open(database.jdbcUrl());
        String renamed = database.name() + "_away";
        String end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database.name() + "'";
        await().atMost(LONG).until(() -> {
            try {
                admin.execute(end, "ALTER DATABASE " + database.name() + " RENAME TO " + renamed);
                return true;
            } catch (IllegalStateException stillConnected) {
                return false;
            }
        });
        var written = new AtomicInteger();
        store.submit(insert(1), written::incrementAndGet);
        await().atMost(LONG).until(() -> store.problem().orElse("").contains("the database is missing"));
        assertThat(store.problem().get())
                .contains("postgresql://localhost", database.name())
                .doesNotContain("password");
        assertThat(written).hasValue(0);
        admin.execute("ALTER DATABASE " + renamed + " RENAME TO " + database.name());
        await().atMost(LONG).until(() -> written.get() == 1);
        assertThat(store.problem()).isEmpty();
    }

    @Test
    void others_read_a_whole_picture_while_the_service_writes() throws Exception {
        open(sqliteUrl());
        var written = new AtomicInteger();
        IntStream.range(0, 30_000).forEach(n -> store.submit(insert(n), written::incrementAndGet));
        try (var other = DriverManager.getConnection(sqliteUrl())) {
            while (written.get() < 30_000) {
                int told = written.get();
                assertThat(count(other, "")).isGreaterThanOrEqualTo(told);
            }
            // A reader that never ends its transaction holds back no write.
            other.setAutoCommit(false);
            assertThat(count(other, "")).isEqualTo(30_000);
            store.submit(insert(30_000), written::incrementAndGet);
            await().atMost(LONG).until(() -> written.get() == 30_001);
            assertThat(count(other, "")).isEqualTo(30_000);
            other.rollback();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_command_opens_and_writes_the_same_store_while_the_service_does(String kind) throws Exception {
        String url =
                kind.equals("sqlite") ? sqliteUrl() : Postgres.newDatabase().jdbcUrl();
        open(url);
        var submitted = new AtomicInteger();
        var written = new AtomicInteger();
        var problems = new AtomicInteger();
        var going = new AtomicBoolean(true);
        var service = new Thread(() -> {
            while (going.get()) {
                int n = submitted.getAndIncrement();
                // Reads before it writes, as a redrive does: what another process commits in between must not matter.
                store.submit(
                        session -> {
                            try (var rows =
                                    session.statement("SELECT count(*) FROM t").executeQuery()) {
                                rows.next();
                            }
                            insert(n).apply(session);
                        },
                        written::incrementAndGet);
                while (store.pending() > 5) {
                    problems.addAndGet(store.problem().isPresent() ? 1 : 0);
                    Thread.onSpinWait();
                }
            }
        });
        service.start();
        try {
            for (int i = 0; i < 15; i++) {
                try (Store command = Store.open(new Store.Settings(url))) {
                    command.define(TABLE);
                    command.setMeta("command", Integer.toString(i));
                    assertThat(command.meta("command")).isEqualTo(Integer.toString(i));
                }
            }
        } finally {
            going.set(false);
            service.join();
        }
        await().atMost(LONG).until(() -> written.get() == submitted.get());
        assertThat(problems).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_commands_mistake_ends_the_command_and_stops_nobody_else(String kind) throws Exception {
        open(kind.equals("sqlite") ? sqliteUrl() : Postgres.newDatabase().jdbcUrl());
        var written = new AtomicInteger();
        store.submit(insert(1), written::incrementAndGet);
        assertThatThrownBy(() -> store.write(
                        session -> session.statement("SELECT nonsense").executeQuery(), LONG))
                .isInstanceOf(SQLException.class)
                .hasMessageContaining("nonsense");
        store.submit(insert(2), written::incrementAndGet);
        await().atMost(LONG).until(() -> written.get() == 2);
        assertThat(store.problem()).isEmpty();
    }

    @Test
    void reading_connections_can_not_write() throws Exception {
        open(sqliteUrl());
        assertThatThrownBy(() -> store.read(c -> c.createStatement().executeUpdate("DELETE FROM t")))
                .hasMessageContaining("readonly");
    }

    @Test
    void a_store_that_can_not_be_opened_says_why_in_one_line() throws Exception {
        Path file = folder.resolve("noise.db");
        Files.writeString(file, "this is no database ".repeat(100));
        assertThatThrownBy(() -> open("jdbc:sqlite:" + file))
                .hasMessageContaining("it is damaged or not an SQLite database");
        assertThatThrownBy(() -> open("jdbc:sqlite:" + file + "/data/walroute.db"))
                .hasMessageContaining("its folder can't be made");
        assertThatThrownBy(() -> open("jdbc:mysql://host/db")).hasMessageContaining("write jdbc:sqlite:FILE or");
        assertThatThrownBy(() -> open("jdbc:sqlite::memory:")).hasMessageContaining("must name a plain file");
        var database = Postgres.newDatabase();
        assertThatThrownBy(() -> open("jdbc:postgresql://localhost:1/none?user=a&password=geheim"))
                .hasMessageContaining("the server doesn't answer")
                .hasMessageNotContaining("geheim");
        assertThatThrownBy(() -> open(database.jdbcUrl().replace(database.name(), "none")))
                .hasMessageContaining("the database is missing");
    }
}
