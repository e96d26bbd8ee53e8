package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.Settlement;
import io.walroute.testing.FaultProxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sinks that take several times as long as PostgreSQL waits for a sign of life, with all buffers full. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class SlowSinkTest {
    private static final int ROWS = 3_000;
    private static final Duration SLOW = Duration.ofSeconds(6);

    private WalRig rig;
    private FaultProxy proxy;

    @BeforeEach
    void publish() {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)", "ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
        proxy = new FaultProxy(rig.db.port());
        rig.through(proxy.port()).option("walSenderTimeout", 2_000).option("maxInFlight", 10);
    }

    @AfterEach
    void stop() {
        rig.close();
        proxy.close();
    }

    /** A status every 5 s would be too late. */
    @Test
    void signs_of_life_come_in_time_whatever_interval_was_asked_for() throws Exception {
        var released = new CountDownLatch(1);
        rig.option("statusUpdateIntervalMs", 5_000).start(e -> {
            rig.collect(e);
            released.await();
        });
        assertThatNothingEnds(1, released::countDown);
    }

    @Test
    void a_stream_that_is_held_back_by_its_route_goes_on_giving_signs_of_life() throws Exception {
        var released = new CountDownLatch(1);
        rig.start(e -> {
            rig.collect(e);
            released.await();
        });
        assertThatNothingEnds(1, released::countDown);
    }

    @Test
    void a_stream_that_is_held_back_by_changes_in_flight_goes_on_giving_signs_of_life() throws Exception {
        List<Settlement.Hold> holds = new CopyOnWriteArrayList<>();
        var released = new CountDownLatch(1);
        rig.start(e -> {
            rig.collect(e);
            if (released.getCount() > 0) {
                holds.add(hold(e));
            }
        });
        assertThatNothingEnds(10, () -> {
            released.countDown();
            holds.forEach(Settlement.Hold::release);
        });
    }

    /** Shows that the limit is in force, and that it is the signs of life that the tests above live by. */
    @Test
    void without_signs_of_life_the_server_ends_the_stream() throws Exception {
        rig.start();
        rig.awaitStreaming();
        proxy.holdToServer();
        await().atMost(Duration.ofSeconds(20)).until(() -> walsender() == null);
        proxy.heal();
        rig.make(1, "INSERT INTO t VALUES (1, 'after')");
        assertThat(rig.consumer().status().restarts()).isPositive();
    }

    /** 60 MB: far more than flight, the engine's queue and the sockets hold. */
    private void assertThatNothingEnds(int inFlight, Runnable release) {
        rig.awaitStreaming();
        String walsender = walsender();
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 20000) FROM generate_series(1, " + ROWS + ") g");
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() >= inFlight);
        await().during(SLOW).atMost(SLOW.plusSeconds(60)).until(() -> rig.changes.size() == inFlight);

        assertThat(rig.consumer().status().held()).isGreaterThanOrEqualTo(inFlight);
        assertThat(walsender()).as("the walsender's process").isEqualTo(walsender);
        release.run();
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() >= ROWS);
        await().atMost(Duration.ofSeconds(60)).until(rig::hasConfirmedAll);
        assertThat(rig.changes).as("no change comes twice").hasSize(ROWS);
        assertThat(walsender()).as("the walsender's process").isEqualTo(walsender);
        assertThat(rig.consumer().status().restarts()).isZero();
    }

    private String walsender() {
        return rig.db.query("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'");
    }

    private static Settlement.Hold hold(Exchange exchange) {
        return exchange.getProperty(Settlement.PROPERTY, Settlement.class).hold();
    }
}
