package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import io.walroute.change.Settlement;
import io.walroute.testing.FaultProxy;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.camel.component.debezium.DebeziumConstants;
import org.apache.kafka.connect.errors.RetriableException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class WalConsumerTest {
    private WalRig rig;
    private List<ChangeEvent> changes;

    private FaultProxy proxy;

    @BeforeEach
    void publish() {
        rig = new WalRig("CREATE TABLE listings(id bigserial PRIMARY KEY, title text, price numeric DEFAULT 7)");
        changes = rig.changes;
    }

    @AfterEach
    void stop() {
        rig.close();
        if (proxy != null) {
            proxy.close();
        }
    }

    @Test
    void changes_arrive_in_commit_order_with_headers_of_their_own_and_of_camel_debezium() throws Exception {
        rig.start();
        rig.db.execute(
                "INSERT INTO listings(title) VALUES ('a'),('b')",
                "UPDATE listings SET title='c' WHERE id=1",
                "DELETE FROM listings WHERE id=2",
                "TRUNCATE listings");
        await().atMost(Duration.ofSeconds(20)).until(() -> changes.size() == 5);
        assertThat(changes)
                .extracting(ChangeEvent::operation)
                .containsExactly(
                        Operation.INSERT, Operation.INSERT, Operation.UPDATE, Operation.DELETE, Operation.TRUNCATE);
        assertThat(changes).extracting(ChangeEvent::id).doesNotHaveDuplicates();
        assertThat(rig.headers.get(2))
                .containsEntry("table", "listings")
                .containsEntry("schema", "public")
                .containsEntry("operation", "UPDATE")
                .containsEntry("eventId", changes.get(2).id())
                .containsEntry(DebeziumConstants.HEADER_OPERATION, "u")
                .containsKeys("lsn", "xid", DebeziumConstants.HEADER_KEY, DebeziumConstants.HEADER_SOURCE_METADATA);
        Map<?, ?> source = (Map<?, ?>) rig.headers.get(2).get(DebeziumConstants.HEADER_SOURCE_METADATA);
        assertThat(source.get("table")).isEqualTo("listings");
        assertThat(source.get("lsn")).isEqualTo(changes.get(2).lsn().value());
        assertThat(source.get("txId")).isEqualTo(changes.get(2).xid());
        assertThat(source.get("ts_us"))
                .isEqualTo(
                        ChronoUnit.MICROS.between(Instant.EPOCH, changes.get(2).timestamp()));
        assertThat(source.get("sequence")).as("what README says is left out").isNull();
        assertThat(source.get("snapshot")).isEqualTo("false");
        await().atMost(Duration.ofSeconds(5)).until(rig::hasConfirmedAll);
        await().until(() -> rig.consumer().status().state() == WalStatus.State.STREAMING);
    }

    @Test
    void behind_a_sink_that_settles_nothing_as_many_changes_come_as_are_allowed_and_no_more() throws Exception {
        var holds = new CopyOnWriteArrayList<Settlement.Hold>();
        var open = new AtomicBoolean();
        rig.option("maxInFlight", 50).start(e -> {
            if (!open.get()) {
                holds.add(e.getProperty(Settlement.PROPERTY, Settlement.class).hold());
            }
            rig.collect(e);
        });
        rig.db.execute("INSERT INTO listings(title) SELECT 'a' FROM generate_series(1, 100)");
        await().atMost(Duration.ofSeconds(20)).until(() -> changes.size() >= 49); // BEGIN is held, too
        await().during(Duration.ofMillis(300)).until(() -> changes.size() <= 50);
        open.set(true);
        holds.forEach(Settlement.Hold::release);
        await().atMost(Duration.ofSeconds(20)).until(() -> changes.size() == 100);
        await().atMost(Duration.ofSeconds(5)).until(rig::hasConfirmedAll);
    }

    @Test
    void a_failed_change_is_not_acknowledged_but_sent_again() throws Exception {
        var failures = new AtomicInteger(3);
        rig.start(e -> {
            if (failures.getAndDecrement() > 0) {
                throw new RetriableException("a retriable Kafka exception, which the engine would swallow");
            }
            rig.collect(e);
        });
        rig.db.execute("INSERT INTO listings(title) VALUES ('a'),('b')");
        await().atMost(Duration.ofSeconds(30)).until(() -> changes.size() >= 2);
        assertThat(changes).extracting(e -> e.newRow().get("title")).contains("a", "b");
        assertThat(rig.consumer().status().restarts()).isGreaterThanOrEqualTo(1);
    }

    @Test
    void the_slot_waits_for_an_unsettled_change_and_moves_once_it_is_settled() throws Exception {
        var holds = new CopyOnWriteArrayList<Settlement.Hold>();
        rig.start(e -> {
            rig.collect(e);
            if (changes.size() == 1) {
                holds.add(e.getProperty(Settlement.PROPERTY, Settlement.class).hold());
            }
        });
        rig.db.execute("INSERT INTO listings(title) VALUES ('held')", "INSERT INTO listings(title) VALUES ('done')");
        await().atMost(Duration.ofSeconds(20)).until(() -> changes.size() == 2);
        String insert = changes.get(0).lsn().toString();
        await().pollDelay(Duration.ofSeconds(2)).atMost(Duration.ofSeconds(5)).until(() -> true);
        assertThat(rig.db.query("SELECT confirmed_flush_lsn <= '" + insert
                        + "'::pg_lsn FROM pg_replication_slots WHERE slot_name='" + rig.slot + "'"))
                .isEqualTo("t");
        holds.get(0).release();
        await().atMost(Duration.ofSeconds(5)).until(rig::hasConfirmedAll);
    }

    @ParameterizedTest
    @ValueSource(strings = {"transforms", "transforms.mask.type", "predicates", "queue.provider"})
    void a_setting_that_only_the_engine_would_heed_stops_the_stream_instead_of_being_ignored(String name)
            throws Exception {
        rig.option("additionalProperties." + name, "something").start(rig::collect);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.consumer().status().message().contains(name + " has no effect here"));
        rig.db.execute("INSERT INTO listings(title) VALUES ('secret')");
        assertThat(rig.consumer().status().state()).isNotEqualTo(WalStatus.State.STREAMING);
        assertThat(changes).isEmpty();
    }

    @Test
    void a_missing_slot_is_an_error_and_never_created_in_silence() throws Exception {
        rig.db.execute("SELECT pg_drop_replication_slot('" + rig.slot + "')");
        rig.start(rig::collect);
        await().atMost(Duration.ofSeconds(10))
                .until(() -> rig.consumer().status().state() == WalStatus.State.DOWN);
        assertThat(rig.consumer().status().message()).contains(rig.slot).contains("walroute setup");
        assertThat(rig.db.query("SELECT count(*) FROM pg_replication_slots WHERE slot_name='" + rig.slot + "'"))
                .isEqualTo("0");
    }

    @Test
    void a_terminated_walsender_in_the_middle_of_a_copy_loses_nothing() throws Exception {
        rig.start(e -> {
            rig.collect(e);
            if (changes.size() == 500) {
                rig.db.query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name='"
                        + rig.slot + "'");
            }
        });
        rig.db.execute("INSERT INTO listings(title) SELECT 'x' || g FROM generate_series(1, 3000) g");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> changes.stream().map(ChangeEvent::id).distinct().count() == 3000);
        assertThat(rig.consumer().status().restarts()).isGreaterThanOrEqualTo(1);
    }

    @Test
    void a_stream_that_postgresql_has_ended_without_a_word_is_begun_again() throws Exception {
        proxy = new FaultProxy(rig.db.port());
        rig.through(proxy.port()).option("walSenderTimeout", 1_000);
        rig.start();
        rig.make(1, "INSERT INTO listings(title) VALUES ('before')");
        proxy.holdToServerOf("replication\0database"); // no sign of life gets through: the walsender gives up
        await().atMost(Duration.ofSeconds(30))
                .until(() -> "f"
                        .equals(rig.db.query(
                                "SELECT active FROM pg_replication_slots WHERE slot_name='" + rig.slot + "'")));
        proxy.heal();
        rig.db.execute("INSERT INTO listings(title) VALUES ('after')");
        await().atMost(Duration.ofSeconds(30))
                .until(() ->
                        changes.stream().anyMatch(e -> "after".equals(e.newRow().get("title"))));
        assertThat(rig.consumer().status().restarts()).isPositive();
    }

    @Test
    void a_stop_waits_for_what_is_in_flight_and_a_new_start_repeats_nothing() throws Exception {
        rig.start(e -> {
            rig.collect(e);
            Settlement.Hold hold =
                    e.getProperty(Settlement.PROPERTY, Settlement.class).hold();
            java.util.concurrent.CompletableFuture.delayedExecutor(500, java.util.concurrent.TimeUnit.MILLISECONDS)
                    .execute(hold::release);
        });
        rig.db.execute("INSERT INTO listings(title) SELECT 'x' || g FROM generate_series(1, 100) g");
        await().atMost(Duration.ofSeconds(20)).until(() -> changes.size() == 100);
        rig.close();
        // The server's process ends a moment after the connection.
        await().until(() ->
                "f".equals(rig.db.query("SELECT active FROM pg_replication_slots WHERE slot_name='" + rig.slot + "'")));
        changes.clear();
        rig.start(rig::collect);
        rig.db.execute("INSERT INTO listings(title) VALUES ('after')");
        await().atMost(Duration.ofSeconds(20)).until(() -> !changes.isEmpty());
        assertThat(changes).hasSize(1);
    }

    @Test
    void a_start_behind_a_stop_that_hangs_waits_for_the_former_stream_to_end() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)");
        var stuck = new java.util.concurrent.CountDownLatch(1);
        rig.start(exchange -> {
            boolean interrupted = false;
            while (stuck.getCount() > 0) { // a route that heeds no interrupt
                try {
                    stuck.await();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            rig.collect(exchange);
        });
        try {
            await().until(() -> rig.consumer().status().state() == WalStatus.State.STREAMING);
            rig.db.execute("INSERT INTO t VALUES (1)");
            await().until(() -> rig.consumer().status().received() == 1);
            ((WalEndpoint) rig.consumer().getEndpoint()).setDrainTimeout(100);
            rig.consumer().stop();
            rig.consumer().start();
            await().until(() -> rig.consumer().status().message().contains("hasn't ended yet"));
            assertThat(rig.consumer().status().restarts()).isZero();
        } finally {
            stuck.countDown();
        }
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.consumer().status().state() == WalStatus.State.STREAMING);
        rig.db.execute("INSERT INTO t VALUES (2)");
        await().atMost(Duration.ofSeconds(30)).until(rig::hasConfirmedAll);
        assertThat(rig.changes).extracting(c -> c.key().get("id").toString()).contains("1", "2");
        assertThat(Thread.getAllStackTraces().keySet().stream()
                        .filter(t -> t.getName().startsWith("wal-supervisor-source"))
                        .count())
                .isEqualTo(1);
    }

    private static final String TWENTY_THOUSAND = "INSERT INTO t SELECT g FROM generate_series(1, 20000) g";

    @Test
    void what_was_settled_when_the_connection_broke_is_not_worked_on_again() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)");
        rig.start();
        rig.make(1, "INSERT INTO t VALUES (0)");
        rig.db.execute(TWENTY_THOUSAND);
        await().until(() -> rig.changes.size() > 1_000);
        rig.db.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '"
                + rig.slot + "'");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.consumer().status().restarts() == 1);
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() >= 20_001);
        await().atMost(Duration.ofSeconds(30)).until(rig::hasConfirmedAll);
        assertThat(rig.changes)
                .extracting(ChangeEvent::id)
                .doesNotHaveDuplicates()
                .hasSize(20_001);
        assertThat(rig.consumer().getPassedOver()).isPositive();
    }

    @Test
    void a_change_that_was_not_settled_when_the_connection_broke_is_worked_on_again() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)");
        var held = new CopyOnWriteArrayList<Settlement.Hold>();
        rig.start(exchange -> {
            rig.collect(exchange);
            if (rig.changes.size() == 500) {
                held.add(exchange.getProperty(Settlement.PROPERTY, Settlement.class)
                        .hold());
            }
        });
        ((WalEndpoint) rig.consumer().getEndpoint()).setDrainTimeout(300);
        rig.db.execute("INSERT INTO t SELECT g FROM generate_series(1, 5000) g");
        await().until(() -> rig.changes.size() > 1_000);
        rig.db.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '"
                + rig.slot + "'");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.consumer().status().restarts() == 1);
        String unsettled = rig.changes.get(499).id();
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.changes.stream()
                                .filter(c -> c.id().equals(unsettled))
                                .count()
                        == 2);
        await().atMost(Duration.ofSeconds(60)).until(rig::hasConfirmedAll);
        assertThat(rig.changes.stream().map(ChangeEvent::id).distinct()).hasSize(5_000);
    }

    @Test
    void a_stop_in_the_middle_of_a_transaction_goes_on_there_at_the_next_start() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)");
        var kept = new java.util.concurrent.atomic.AtomicReference<String>();
        var keeper = new StopMark.Keeper() {
            @Override
            public StopMark last() {
                return kept.get() == null ? null : StopMark.parse(kept.get());
            }

            @Override
            public void keep(StopMark mark) {
                kept.set(mark.toText());
            }
        };
        rig.start();
        rig.camel().getComponent("wal", WalComponent.class).setStopMarks(keeper);
        rig.db.execute(TWENTY_THOUSAND);
        await().until(() -> rig.changes.size() > 1_000);
        rig.consumer().stop();
        assertThat(rig.changes.size()).isLessThan(20_000);
        assertThat(kept).hasValueMatching(text -> text != null);
        rig.consumer().start();
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() >= 20_000);
        await().atMost(Duration.ofSeconds(30)).until(rig::hasConfirmedAll);
        assertThat(rig.changes)
                .extracting(ChangeEvent::id)
                .doesNotHaveDuplicates()
                .hasSize(20_000);
    }
}
