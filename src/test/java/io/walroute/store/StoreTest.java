package io.walroute.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.Postgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class StoreTest {
    private static final String TABLE = "CREATE TABLE IF NOT EXISTS t (n integer PRIMARY KEY, text text NOT NULL)";
    private static final String INSERT = "INSERT INTO t (n, text) VALUES (?, ?) ON CONFLICT (n) DO NOTHING";

    @TempDir
    Path folder;

    private Store store;

    @AfterEach
    void close() {
        if (store != null) {
            store.close();
        }
    }

    private Store open(String kind) throws SQLException {
        String url = kind.equals("sqlite")
                ? "jdbc:sqlite:" + folder.resolve("data/walroute.db")
                : Postgres.newDatabase().jdbcUrl();
        return openUrl(url);
    }

    private Store openUrl(String url) throws SQLException {
        store = Store.open(new Store.Settings(url));
        store.define(TABLE);
        return store;
    }

    private static Store.Write insert(int n, String text) {
        return session -> {
            var insert = session.batch(INSERT);
            insert.setInt(1, n);
            insert.setString(2, text);
            insert.addBatch();
        };
    }

    private List<Integer> numbers() throws SQLException {
        return store.read(c -> {
            try (var rows = c.createStatement().executeQuery("SELECT n FROM t ORDER BY n")) {
                var found = new ArrayList<Integer>();
                while (rows.next()) {
                    found.add(rows.getInt(1));
                }
                return found;
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void writes_are_reported_in_order_and_only_when_others_can_read_them(String kind) throws Exception {
        open(kind);
        var reported = Collections.synchronizedList(new ArrayList<Integer>());
        var missing = new AtomicInteger();
        for (int i = 0; i < 5000; i++) {
            int n = i;
            store.submit(insert(n, "x"), () -> {
                reported.add(n);
                if (n % 500 == 0 && !exists(n)) {
                    missing.incrementAndGet();
                }
            });
        }
        await().until(() -> reported.size() == 5000);
        assertThat(reported).isSorted();
        assertThat(missing).hasValue(0);
        assertThat(store.pending()).isZero();
    }

    private boolean exists(int n) {
        try {
            return store.read(c -> {
                try (var rows = c.createStatement().executeQuery("SELECT 1 FROM t WHERE n = " + n)) {
                    return rows.next();
                }
            });
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_write_that_the_database_refuses_is_told_so_and_the_others_go_through(String kind) throws Exception {
        open(kind);
        var refused = Collections.synchronizedList(new ArrayList<String>());
        var written = Collections.synchronizedList(new ArrayList<Integer>());
        for (int i = 0; i < 1000; i++) {
            int n = i;
            boolean poison = n == 10 || n == 500;
            store.submit(
                    insert(n, poison ? null : "x"),
                    () -> written.add(n),
                    reason -> refused.add(n + " " + reason.getMessage()));
        }
        store.submit(
                session -> {
                    throw new IllegalStateException("its own mistake");
                },
                () -> written.add(-1),
                reason -> refused.add(reason.getMessage()));
        await().until(() -> written.size() == 998 && refused.size() == 3);
        assertThat(refused.get(0)).startsWith("10 ").containsIgnoringCase("null");
        assertThat(refused.get(1)).startsWith("500 ");
        assertThat(refused.get(2)).isEqualTo("its own mistake");
        assertThat(numbers()).hasSize(998).doesNotContain(10, 500);
        assertThat(store.problem()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void rows_that_share_a_statement_keep_their_order_and_fail_alone(String kind) throws Exception {
        open(kind);
        String seq = kind.equals("sqlite")
                ? "integer PRIMARY KEY AUTOINCREMENT"
                : "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
        store.define("CREATE TABLE IF NOT EXISTS shared (seq " + seq
                + ", n bigint NOT NULL UNIQUE, odd text, text text NOT NULL)");
        var into = new Store.Insert(
                "INSERT " + (kind.equals("sqlite") ? "OR FAIL " : "") + "INTO shared (n, odd, text) VALUES",
                "(?, ?, ?)",
                "ON CONFLICT (n) DO NOTHING");
        String large = "x".repeat(300_000);
        var done = new AtomicInteger();
        var refused = Collections.synchronizedList(new ArrayList<Long>());
        for (long i = 0; i < 5_000; i++) {
            long n = i;
            String text = n == 1_777 ? null : n % 1_000 == 999 ? large : "text " + n;
            Store.Write write = session -> session.insert(into, n, n % 2 == 0 ? null : "odd", text);
            store.submit(write, done::incrementAndGet, reason -> refused.add(n));
            if (n % 7 == 0) {
                store.submit(write, done::incrementAndGet, reason -> refused.add(-n)); // comes twice
            }
        }
        await().until(() -> done.get() + refused.size() == 5_000 + 715);
        assertThat(refused).containsExactly(1_777L);
        List<String> rows = store.read(c -> {
            try (var select = c.createStatement().executeQuery("SELECT n, odd, text FROM shared ORDER BY seq")) {
                var found = new ArrayList<String>();
                while (select.next()) {
                    found.add(select.getLong(1) + " " + select.getString(2) + " " + select.getString(3));
                }
                return found;
            }
        });
        assertThat(rows)
                .isEqualTo(LongStream.range(0, 5_000)
                        .filter(n -> n != 1_777)
                        .mapToObj(n -> n + (n % 2 == 0 ? " null " : " odd ") + (n % 1_000 == 999 ? large : "text " + n))
                        .toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void closing_writes_what_is_queued(String kind) throws Exception {
        open(kind);
        var written = new AtomicInteger();
        IntStream.range(0, 10_000).forEach(n -> store.submit(insert(n, "x"), written::incrementAndGet));
        store.close();
        assertThat(written).hasValue(10_000);
        var refused = new AtomicReference<Exception>();
        store.submit(insert(1, "x"), () -> {}, refused::set);
        assertThat(refused.get()).hasMessageContaining("is closed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void rows_that_refer_to_others_are_sent_after_them(String kind) throws Exception {
        open(kind);
        store.define("CREATE TABLE IF NOT EXISTS follower (n integer, seen integer)");
        var done = new AtomicInteger();
        for (int i = 0; i < 3000; i++) {
            int n = i;
            store.submit(insert(n, "x"), () -> {});
            store.submit(
                    session -> {
                        var follow = session.batchAfter(
                                "INSERT INTO follower (n, seen) VALUES (?, (SELECT n FROM t WHERE t.n = ?))");
                        follow.setInt(1, n);
                        follow.setInt(2, n);
                        follow.addBatch();
                    },
                    done::incrementAndGet);
        }
        await().until(() -> done.get() == 3000);
        int blind = store.read(c -> {
            try (var rows = c.createStatement().executeQuery("SELECT count(*) FROM follower WHERE seen IS NULL")) {
                rows.next();
                return rows.getInt(1);
            }
        });
        assertThat(blind).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void the_epoch_rises_and_outlives_a_restart(String kind) throws Exception {
        open(kind);
        assertThat(store.epoch()).isEqualTo(1);
        assertThat(store.raiseEpoch()).isEqualTo(2);
        store.setMeta("colour", "green");
        assertThat(store.meta("colour")).isEqualTo("green");
        assertThat(store.meta("size")).isNull();
        if (kind.equals("sqlite")) {
            store.close();
            open(kind);
            assertThat(store.epoch()).isEqualTo(2);
            assertThat(store.meta("colour")).isEqualTo("green");
        }
    }

    @Test
    void while_another_process_locks_the_file_nothing_is_reported_and_the_problem_is_told() throws Exception {
        open("sqlite");
        var written = new AtomicInteger();
        try (var other = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("data/walroute.db"));
                var lock = other.createStatement()) {
            lock.execute("BEGIN EXCLUSIVE");
            store.submit(insert(1, "x"), written::incrementAndGet);
            await().atMost(Duration.ofSeconds(20)).until(() -> store.problem().isPresent());
            assertThat(store.problem().get()).contains("walroute.db", "another process has held its lock");
            assertThat(written).hasValue(0);
            lock.execute("ROLLBACK");
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> written.get() == 1);
        assertThat(store.problem()).isEmpty();
    }

    @Test
    void a_file_that_vanishes_under_the_service_is_made_again_with_its_tables() throws Exception {
        open("sqlite");
        var written = new AtomicInteger();
        store.submit(insert(1, "x"), written::incrementAndGet);
        await().until(() -> written.get() == 1);
        for (String suffix : List.of("", "-wal", "-shm")) {
            Files.deleteIfExists(folder.resolve("data/walroute.db" + suffix));
        }
        store.submit(insert(2, "x"), written::incrementAndGet);
        await().until(() -> written.get() == 2);
        try (var other = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("data/walroute.db"));
                var rows = other.createStatement().executeQuery("SELECT n FROM t")) {
            assertThat(rows.next()).isTrue();
            assertThat(rows.getInt(1)).isEqualTo(2);
        }
    }

    @Test
    void an_idle_store_keeps_no_other_writer_out() throws Exception {
        open("sqlite");
        store.write(insert(1, "ours"), Duration.ofSeconds(5));

        try (var other = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("data/walroute.db"));
                var statement = other.createStatement()) {
            statement.execute("PRAGMA busy_timeout=100");
            statement.execute("INSERT INTO t (n, text) VALUES (2, 'theirs')");
        }
        store.define("CREATE TABLE IF NOT EXISTS later (n integer)");
        store.write(insert(3, "ours"), Duration.ofSeconds(5));

        assertThat(numbers()).containsExactly(1, 2, 3);
    }
}
