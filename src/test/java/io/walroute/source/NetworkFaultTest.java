package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.testing.FaultProxy;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A network that swallows, cuts, delays and crumbles what goes between the source and PostgreSQL. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class NetworkFaultTest {
    private final WalRig rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)");
    private final FaultProxy proxy = new FaultProxy(rig.db.port());

    @AfterEach
    void stop() {
        proxy.heal();
        rig.close();
        proxy.close();
    }

    @Test
    void a_half_open_connection_is_told_within_a_minute_and_goes_on_where_it_was_when_healed() throws Exception {
        rig.through(proxy.port()).start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'before')");
        proxy.blackHole();
        rig.db.execute("INSERT INTO t VALUES (1, 'meanwhile')");
        awaitState(WalStatus.State.DOWN);
        assertThat(rig.consumer().status().message()).contains("heartbeat");
        assertThat(rig.changes).hasSize(1);
        proxy.heal();
        rig.db.execute("INSERT INTO t VALUES (2, 'after')");
        awaitRows(3);
        rig.awaitStreaming();
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
    }

    @Test
    void a_host_that_vanishes_holds_the_slot_until_wal_sender_timeout_and_then_another_takes_over() throws Exception {
        rig.options("walSenderTimeout=4000").through(proxy.port()).start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'before')");
        proxy.blackHole();
        try (var second = WalRig.standbyOf(rig).start()) {
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> second.consumer().status().state() == WalStatus.State.STANDBY);
            assertThat(second.consumer().status().message()).contains("is in use by process");
            rig.db.execute("INSERT INTO t VALUES (1, 'meanwhile')");
            await().atMost(Duration.ofSeconds(40)).until(() -> !second.changes.isEmpty());
            second.awaitStreaming();
            assertThat(second.changes).extracting(e -> e.newRow().get("v")).containsExactly("meanwhile");

            proxy.reset(); // as a host answers that knows nothing of the connection
            proxy.heal();
            awaitState(WalStatus.State.STANDBY);
            second.make(1, "INSERT INTO t VALUES (2, 'after')");
            assertThat(rig.changes).extracting(e -> e.newRow().get("v")).containsExactly("before");
            assertThat(second.consumer().status().restarts()).isZero();
        }
        awaitState(WalStatus.State.STREAMING);
    }

    @Test
    void a_stop_does_not_wait_for_a_network_that_swallows_everything() throws Exception {
        rig.options("drainTimeout=20000").through(proxy.port()).start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'before')");
        proxy.blackHole();
        await().pollDelay(Duration.ofSeconds(4)).until(() -> true); // so long is silence no proof
        long begun = System.nanoTime();
        rig.consumer().stop();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void a_cut_network_is_told_at_once_and_nothing_is_missing_afterwards() throws Exception {
        rig.through(proxy.port()).start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'before')");
        proxy.cut();
        awaitState(WalStatus.State.DOWN);
        rig.db.execute("INSERT INTO t SELECT g, 'meanwhile' FROM generate_series(1, 500) g");
        proxy.heal();
        awaitRows(501);
        rig.awaitStreaming();
        assertThat(rig.consumer().status().restarts()).isPositive();
    }

    @Test
    void a_slow_network_that_delivers_byte_by_byte_only_takes_longer() throws Exception {
        try (var crumbs = new Crumbs(rig.db.port())) {
            rig.through(crumbs.port()).start();
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> rig.consumer().status().state() == WalStatus.State.STREAMING);
            var made = rig.make(20, "INSERT INTO t SELECT g, 'ä€😀' FROM generate_series(1, 20) g");
            assertThat(made).extracting(e -> e.newRow().get("v")).containsOnly("ä€😀");
            assertThat(made).extracting(ChangeEvent::id).doesNotHaveDuplicates();
            await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
            assertThat(rig.consumer().status().restarts()).isZero();
            rig.close();
        }
    }

    private void awaitState(WalStatus.State state) {
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.consumer().status().state() == state);
    }

    private void awaitRows(int rows) {
        await().atMost(Duration.ofSeconds(60))
                .untilAsserted(() -> assertThat(rig.changes.stream()
                                .map(e -> e.newRow().get("id"))
                                .distinct()
                                .count())
                        .isEqualTo(rows));
    }

    /** Passes the server's bytes on one by one, each in a packet of its own, with a pause now and then. */
    private static final class Crumbs implements AutoCloseable {
        private final ServerSocket listener;
        private final int targetPort;

        Crumbs(int targetPort) throws IOException {
            this.targetPort = targetPort;
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            thread(this::accept);
        }

        int port() {
            return listener.getLocalPort();
        }

        private void accept() throws IOException {
            while (!listener.isClosed()) {
                Socket client = listener.accept();
                var server = new Socket(InetAddress.getLoopbackAddress(), targetPort);
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
                thread(() -> pass(client, server, false));
                thread(() -> pass(server, client, true));
            }
        }

        private static void pass(Socket from, Socket to, boolean crumbled) throws IOException {
            try (from;
                    to) {
                var in = from.getInputStream();
                var out = to.getOutputStream();
                byte[] buffer = new byte[crumbled ? 1 : 4_096];
                int count = 0;
                for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                    out.write(buffer, 0, n);
                    if (crumbled && ++count % 50 == 0) {
                        java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
                    }
                }
            }
        }

        private static void thread(Work work) {
            var thread = new Thread(() -> {
                try {
                    work.run();
                } catch (IOException closed) {
                    // the end of a connection, or of the test
                }
            });
            thread.setDaemon(true);
            thread.start();
        }

        private interface Work {
            void run() throws IOException;
        }

        @Override
        public void close() throws IOException {
            listener.close();
        }
    }
}
