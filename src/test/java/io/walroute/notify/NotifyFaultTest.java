package io.walroute.notify;

import static io.walroute.notify.Service.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.store.Store;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A frame that isn't on disk was not announced: its exchange waits, or fails and can be parked. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class NotifyFaultTest {
    private static final String TOPIC = "listings.created";

    @TempDir
    Path folder;

    private Store store;
    private Service service;
    private WsClient client;

    @BeforeEach
    void start() throws Exception {
        store = Store.open(new Store.Settings(url()));
        service = new Service(store, NotifySettings.builder().port(0).build());
        client = WsClient.connect(service.port());
        client.subscribe("s1", TOPIC);
    }

    @AfterEach
    void close() throws Exception {
        client.close();
        service.close();
        store.close();
    }

    private String url() {
        return "jdbc:sqlite:" + folder.resolve("walroute.db");
    }

    private void execute(String sql) throws SQLException {
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute(sql);
        }
    }

    private static Exception outcome(CompletableFuture<Exchange> sent) throws Exception {
        return sent.get(20, TimeUnit.SECONDS).getException();
    }

    private static boolean isEventOf(com.fasterxml.jackson.databind.JsonNode frame, long id) {
        return frame.at("/event/key/id").asLong() == id;
    }

    @Test
    void a_frame_that_the_log_refuses_fails_its_exchange_and_no_other() throws Exception {
        execute("CREATE TRIGGER refuse BEFORE INSERT ON frames WHEN NEW.frame LIKE '%poison%'"
                + " BEGIN SELECT RAISE(ABORT, 'not this one'); END");
        var first = service.send(TOPIC, insert(1));
        var poisonous = service.send(TOPIC, insert(2, "t", "poison"));
        var last = service.send(TOPIC, insert(3));

        assertThat(outcome(first)).isNull();
        assertThat(outcome(poisonous)).hasMessageContaining("not this one");
        assertThat(outcome(last)).isNull();
        assertThat(client.until(frame -> isEventOf(frame, 3)))
                .noneMatch(frame -> isEventOf(frame, 2))
                .anyMatch(frame -> isEventOf(frame, 1));
        assertThat(service.component.problem()).isEmpty();

        execute("DROP TRIGGER refuse");
        assertThat(outcome(service.send(TOPIC, insert(2, "t", "poison")))).isNull();
        client.until(frame -> isEventOf(frame, 2));
    }

    @Test
    void while_the_log_can_not_be_written_nothing_is_announced_and_afterwards_all_of_it_once() throws Exception {
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            var sent = service.send(TOPIC, insert(1));
            assertThat(client.untilPong()).isEmpty(); // the hub still answers
            await().atMost(Duration.ofSeconds(20)).until(() -> store.problem().isPresent());
            assertThat(sent).isNotDone();
            assertThat(client.untilPong()).isEmpty();
            statement.execute("COMMIT");
            assertThat(outcome(sent)).isNull();
        }
        client.until(frame -> isEventOf(frame, 1));
        assertThat(client.untilPong()).isEmpty();
    }

    @Test
    void while_the_log_can_not_be_read_clients_still_connect_and_then_get_what_they_asked_for() throws Exception {
        var release = new CountDownLatch(1);
        var reading = new CountDownLatch(4);
        for (int i = 0; i < 4; i++) { // as many connections as there are
            new Thread(() -> {
                        try {
                            store.read(connection -> {
                                reading.countDown();
                                try {
                                    return release.await(60, TimeUnit.SECONDS);
                                } catch (InterruptedException e) {
                                    throw new SQLException(e);
                                }
                            });
                        } catch (SQLException e) {
                            throw new IllegalStateException(e);
                        }
                    })
                    .start();
        }
        assertThat(reading.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(outcome(service.send(TOPIC, insert(1)))).isNull();
        try (WsClient late = WsClient.connect(service.port())) {
            late.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> service.component.problem().isPresent());
            assertThat(service.component.problem()).get().asString().startsWith("The frame log can't be read: ");
            release.countDown();
            late.until(frame -> frame.path("type").asText().equals("subscribed"));
            client.until(frame -> isEventOf(frame, 1));
            await().until(() -> service.component.problem().isEmpty());
        }
    }

    @Test
    void a_step_that_blocks_behind_a_notification_holds_up_nobody_elses_write() throws Exception {
        var release = new CountDownLatch(1);
        try (Connection other = DriverManager.getConnection(url());
                var statement = other.createStatement()) {
            statement.execute("BEGIN IMMEDIATE"); // so that the step is there before the frame is
            service.send(TOPIC, insert(1)).thenRun(() -> {
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            statement.execute("COMMIT");
        }
        client.until(frame -> isEventOf(frame, 1));
        // The store tells of this write on the thread on which it told of the frame.
        store.write(session -> session.statement("SELECT 1").execute(), Duration.ofSeconds(20));
        assertThat(outcome(service.send(TOPIC, insert(2)))).isNull();
        release.countDown();
    }
}
