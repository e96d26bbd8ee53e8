package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Settlement;
import io.walroute.demo.PostgresServer;
import io.walroute.testing.Postgres;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server that is stopped, crashes and comes back. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class ServerFaultTest {
    private static PostgresServer server;
    private static int databases;

    private WalRig rig;

    @BeforeAll
    static void startServer(@TempDir Path folder) throws Exception {
        server = PostgresServer.start(folder.resolve("server"), Map.of("wal_level", "logical"));
    }

    @AfterAll
    static void stopServer() throws Exception {
        server.close();
    }

    @BeforeEach
    void publish() throws Exception {
        String name = "d" + ++databases;
        server.createDatabase(name);
        rig = new WalRig(
                new Postgres.Database("127.0.0.1", server.port(), name), "CREATE TABLE t(id int PRIMARY KEY, v text)");
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    @Test
    void a_server_that_is_stopped_and_started_is_followed_on() throws Exception {
        rig.start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'before')");
        server.stop("fast");
        awaitDown();
        server.start();
        rig.db.execute("INSERT INTO t VALUES (1, 'after')");
        awaitRows(2);
        rig.awaitStreaming();
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
        assertThat(rig.changes).as("a clean stop: nothing is repeated").hasSize(2);
    }

    @Test
    void a_stop_of_the_server_is_not_held_up_by_a_change_that_no_sink_has_taken() throws Exception {
        var holds = new CopyOnWriteArrayList<Settlement.Hold>();
        rig.start(e -> {
            rig.collect(e);
            holds.add(e.getProperty(Settlement.PROPERTY, Settlement.class).hold());
        });
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'held')");
        long began = System.nanoTime();
        server.stop("fast"); // fails after 30 s
        System.out.printf("a fast stop beside a held change took %,d ms%n", (System.nanoTime() - began) / 1_000_000);
        awaitDown();
        server.start();
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() == 2);
        assertThat(rig.changes)
                .extracting(ChangeEvent::id)
                .hasSize(2)
                .containsOnly(rig.changes.get(0).id());
        holds.forEach(Settlement.Hold::release);
        rig.awaitStreaming();
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
    }

    /** A walsender goes only when all is sent, and one that nobody reads from would wait for ever. */
    @Test
    void a_stop_of_the_server_is_not_held_up_by_a_backlog_that_no_sink_takes() throws Exception {
        var stuck = new java.util.concurrent.CountDownLatch(1);
        rig.options("maxInFlight=10").start(e -> {
            stuck.await(60, TimeUnit.SECONDS);
            rig.collect(e);
        });
        rig.awaitStreaming();
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 5000) FROM generate_series(1, 15000) g");
        await().until(() -> rig.consumer().status().held() > 0);
        long began = System.nanoTime();
        try {
            server.stop("fast"); // fails after 30 s
        } finally {
            System.out.printf("a fast stop beside a backlog: %,d ms%n", (System.nanoTime() - began) / 1_000_000);
            stuck.countDown();
        }
        server.start();
        awaitRows(15_000);
    }

    @Test
    void a_crash_of_the_server_in_the_middle_of_a_transactions_delivery_loses_nothing() throws Exception {
        var crash = new Thread(() -> {
            try {
                server.stop("immediate");
                server.start();
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        rig.start(e -> {
            rig.collect(e);
            if (rig.changes.size() == 1_000) {
                crash.start();
            }
        });
        rig.awaitStreaming();
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 15000) g");
        awaitRows(15_000);
        crash.join();
        assertThat(rig.changes.stream().map(ChangeEvent::id).distinct()).hasSize(15_000);
        rig.awaitStreaming();
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
        assertThat(rig.consumer().status().restarts()).isPositive();
    }

    private void awaitDown() {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.consumer().status().state() == WalStatus.State.DOWN);
    }

    private void awaitRows(int rows) {
        await().atMost(Duration.ofSeconds(90))
                .untilAsserted(() -> assertThat(rig.changes.stream()
                                .map(e -> e.newRow().get("id"))
                                .distinct()
                                .count())
                        .isEqualTo(rows));
    }
}
