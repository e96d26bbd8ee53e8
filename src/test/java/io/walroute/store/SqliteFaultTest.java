package io.walroute.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** While its file can't be written the store reports nothing, says why, and afterwards goes on with all that waited. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SqliteFaultTest {
    private static final String TABLE = "CREATE TABLE IF NOT EXISTS t (n integer PRIMARY KEY, text text NOT NULL)";
    private static final Duration LONG = Duration.ofSeconds(40);

    @TempDir
    Path folder;

    private Store store;
    private final AtomicInteger written = new AtomicInteger();
    private final List<String> refused = new ArrayList<>();

    @AfterEach
    void close() {
        if (store != null) {
            store.close();
        }
    }

    private Path file() {
        return folder.resolve("walroute.db");
    }

    private String url() {
        return "jdbc:sqlite:" + file();
    }

    private void open() throws SQLException {
        store = Store.open(new Store.Settings(url()));
        store.define(TABLE);
    }

    private void write(int from, int to) {
        for (int i = from; i < to; i++) {
            int n = i;
            store.submit(
                    session -> {
                        var insert = session.batch("INSERT INTO t (n, text) VALUES (?, ?) ON CONFLICT (n) DO NOTHING");
                        insert.setInt(1, n);
                        insert.setString(2, "x".repeat(200));
                        insert.addBatch();
                    },
                    written::incrementAndGet,
                    reason -> refused.add(reason.getMessage()));
        }
    }

    private void awaitWritten(int count) {
        await().atMost(LONG).until(() -> written.get() == count);
    }

    private String awaitProblem(String part) {
        await().atMost(LONG).until(() -> store.problem().orElse("").contains(part));
        return store.problem().orElseThrow();
    }

    private int count() throws SQLException {
        try (Connection connection = DriverManager.getConnection(url());
                var statement = connection.createStatement();
                var rows = statement.executeQuery("SELECT count(*) FROM t")) {
            return rows.getInt(1);
        }
    }

    @Test
    void a_lock_held_for_longer_than_anybody_waits_loses_nothing_and_repeats_nothing() throws Exception {
        open();
        write(0, 100);
        awaitWritten(100);
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            write(100, 2000);
            assertThat(awaitProblem("another process has held its lock")).contains("fuser " + file());
            assertThat(written).hasValue(100);
            assertThat(store.pending()).isEqualTo(1900);
            statement.execute("COMMIT");
        }
        awaitWritten(2000);
        assertThat(store.problem()).isEmpty();
        assertThat(refused).isEmpty();
        assertThat(count()).isEqualTo(2000);
    }

    @Test
    void a_damaged_file_is_named_and_once_a_copy_is_back_all_that_waited_is_written() throws Exception {
        open();
        write(0, 5000);
        awaitWritten(5000);
        Path copy = folder.resolve("copy.db");
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute("VACUUM INTO '" + copy + "'");
            statement.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        damage();
        write(5000, 6000);
        assertThat(awaitProblem("it is damaged")).contains(file().toString(), "restore a copy");
        assertThat(written).hasValue(5000);

        // Without a restart: what the operator puts in its place is found.
        Files.deleteIfExists(folder.resolve("walroute.db-wal"));
        Files.deleteIfExists(folder.resolve("walroute.db-shm"));
        Files.move(copy, file(), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        awaitWritten(6000);
        assertThat(store.problem()).isEmpty();
        assertThat(count()).isEqualTo(6000);
    }

    /** All pages but the first, so that the file still looks like a database when it is opened. */
    private void damage() throws Exception {
        try (var bytes = new RandomAccessFile(file().toFile(), "rw")) {
            byte[] noise = new byte[4096];
            new java.util.Random(1).nextBytes(noise);
            for (long at = 4096; at < bytes.length(); at += noise.length) {
                bytes.seek(at);
                bytes.write(noise);
            }
        }
    }

    @Test
    void a_file_overwritten_with_something_else_is_named() throws Exception {
        open();
        write(0, 10);
        awaitWritten(10);
        Path other = folder.resolve("other");
        Files.writeString(other, "this is no database ".repeat(1000));
        Files.deleteIfExists(folder.resolve("walroute.db-wal"));
        Files.deleteIfExists(folder.resolve("walroute.db-shm"));
        Files.move(other, file(), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        write(10, 20);
        awaitProblem("it is damaged or not an SQLite database");
        assertThat(written).hasValue(10);
        Files.delete(file());
        awaitWritten(20);
        assertThat(count()).as("in the new file").isEqualTo(10);
    }

    @Test
    void a_table_that_somebody_dropped_holds_its_writes_back_until_it_is_there_again() throws Exception {
        open();
        write(0, 10);
        awaitWritten(10);
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute("DROP TABLE t");
        }
        write(10, 20);
        // It defines its tables anew with each new connection: by itself.
        awaitWritten(20);
        assertThat(count()).isEqualTo(10);
    }

    /** Writes what it is told to, and prints each number that is on disk, each problem, and the end of it. */
    static final class Child {
        public static void main(String[] args) throws Exception {
            Store store = Store.open(new Store.Settings(args[0]));
            store.define(TABLE);
            var written = new AtomicInteger();
            int all = Integer.parseInt(args[1]);
            for (int i = 0; i < all; i++) {
                int n = i;
                store.submit(
                        session -> {
                            var insert = session.batch("INSERT INTO t (n, text) VALUES (?, ?) ON CONFLICT DO NOTHING");
                            insert.setInt(1, n);
                            insert.setString(2, "x".repeat(200));
                            insert.addBatch();
                        },
                        written::incrementAndGet);
            }
            String said = "";
            while (written.get() < all) {
                String problem = store.problem().orElse("");
                if (!problem.equals(said)) {
                    System.out.println("PROBLEM " + written.get() + " " + problem);
                    said = problem;
                }
                Thread.sleep(20);
            }
            System.out.println("DONE " + written + " " + store.problem().orElse("well"));
        }
    }

    @Test
    void a_disk_that_takes_no_more_in_the_middle_of_a_write_holds_back_until_it_does() throws Exception {
        // The kernel refuses to let the process' files grow beyond 2 MB; raised later, as by an operator who frees
        // space.
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process child = new ProcessBuilder(
                        "bash",
                        "-c",
                        "ulimit -S -f 2000; exec \"$@\"",
                        "bash",
                        java,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName(),
                        url(),
                        "20000")
                .redirectError(folder.resolve("stderr").toFile())
                .start();
        try (var lines = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            String problem = lines.readLine();
            assertThat(problem)
                    .as(() -> read(folder.resolve("stderr")))
                    .startsWith("PROBLEM ")
                    .contains("The store " + file() + " can't be written: the disk");
            assertThat(Integer.parseInt(problem.split(" ")[1])).isLessThan(20_000);
            Process raise = new ProcessBuilder("prlimit", "--fsize=unlimited:unlimited", "--pid", "" + child.pid())
                    .inheritIO()
                    .start();
            assertThat(raise.waitFor()).isZero();
            Stream<String> rest = lines.lines();
            assertThat(rest.filter(line -> line.startsWith("DONE")).findFirst()).contains("DONE 20000 well");
        } finally {
            child.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
        assertThat(count()).isEqualTo(20_000);
    }

    private static String read(Path path) {
        try {
            return Files.readString(path);
        } catch (java.io.IOException e) {
            return e.toString();
        }
    }
}
