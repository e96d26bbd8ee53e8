package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Settlement;
import java.io.StringReader;
import java.lang.management.ManagementFactory;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.postgresql.PGConnection;

/** A walsender that dies, starves or is started anew: PostgreSQL sends again what was not confirmed, under the same ids. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class WalsenderFaultTest {
    private static final String TABLE = "CREATE TABLE t(id int PRIMARY KEY, v text)";
    private static final long SEED = System.nanoTime();

    private final Random random = new Random(SEED);
    private WalRig rig;

    @AfterEach
    void stop() {
        rig.close();
    }

    /**
     * The rows of a page that COPY fills share one LSN. An engine that goes on inside such a group by its LSN leaves out the
     * rest of it (Debezium's own retry does: dbz#1554).
     */
    @Test
    void copied_rows_that_share_an_lsn_outlive_a_dead_walsender_at_any_row() throws Exception {
        rig = new WalRig(TABLE);
        Set<Integer> kills = killsBelow(4_000, 3);
        startKillingAt(kills);
        copy(rig.db.connect(), 0, 4_000);
        awaitRows(4_000);
        assertThat(rig.changes.stream().map(ChangeEvent::lsn).distinct().count())
                .as("LSNs of 4,000 rows")
                .isLessThan(2_000);
        assertNothingIsDifferentWhenSentAgain(kills);
    }

    /** A COMMIT's end LSN equals the LSN of another transaction's next row (dbz#76, dbz#51). */
    @Test
    void interleaved_transactions_outlive_a_dead_walsender_between_them() throws Exception {
        rig = new WalRig(TABLE);
        String second = "second_" + rig.slot;
        rig.db.execute("SELECT pg_create_logical_replication_slot('" + second + "', 'pgoutput')");
        Set<Integer> kills = killsBelow(500, 4);
        startKillingAt(kills);
        List<Long> inCommitOrder = interleave(100);
        awaitRows(inCommitOrder.size());
        assertNothingIsDifferentWhenSentAgain(kills);
        assertThat(firstDeliveries()).as("seed %d", SEED).isEqualTo(inCommitOrder);
        assertThat(rowsAtCommitLsns(second)).isPositive();
        rig.db.query("SELECT pg_drop_replication_slot('" + second + "')");
    }

    @Test
    void a_large_transaction_comes_whole_though_its_walsender_dies_twice() throws Exception {
        rig = new WalRig(TABLE);
        Set<Integer> kills = killsBelow(20_000, 2);
        startKillingAt(kills);
        rig.db.execute("INSERT INTO t SELECT g, 'x' FROM generate_series(0, 19999) g");
        awaitRows(20_000);
        assertNothingIsDifferentWhenSentAgain(kills);
    }

    @Test
    void a_sink_slower_than_wal_sender_timeout_costs_no_connection() throws Exception {
        rig = new WalRig(TABLE).options("walSenderTimeout=1500&maxInFlight=100&walHeartbeat=500");
        var slow = new java.util.concurrent.CountDownLatch(1);
        rig.start(e -> {
            rig.collect(e);
            if (rig.changes.size() == 10) {
                slow.await(10, TimeUnit.SECONDS); // as a route does that waits for room in a lane
            }
        });
        rig.awaitStreaming();
        String walsender = walsender();
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(0, 29999) g");
        awaitRows(30_000);
        assertThat(slow.getCount()).as("it took the whole 10 s").isOne();
        await().until(rig::hasConfirmedAll);
        assertThat(rig.changes).hasSize(30_000);
        assertThat(rig.consumer().status().restarts()).isZero();
        assertThat(walsender()).isEqualTo(walsender);
    }

    @Test
    void an_unsettled_change_longer_than_wal_sender_timeout_costs_no_connection() throws Exception {
        rig = new WalRig(TABLE).options("walSenderTimeout=1000");
        var holds = new java.util.concurrent.CopyOnWriteArrayList<Settlement.Hold>();
        rig.start(e -> {
            rig.collect(e);
            holds.add(e.getProperty(Settlement.PROPERTY, Settlement.class).hold());
        });
        rig.make(1, "INSERT INTO t VALUES (0, 'held')");
        String walsender = walsender();
        await().pollDelay(Duration.ofSeconds(4)).until(() -> true);
        holds.forEach(Settlement.Hold::release);
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
        assertThat(walsender()).isEqualTo(walsender);
        assertThat(rig.changes).hasSize(1);
    }

    @Test
    void heartbeats_move_the_slot_of_an_idle_database_beside_a_busy_one() throws Exception {
        rig = new WalRig(TABLE).start();
        rig.awaitStreaming();
        var busy = new WalRig("CREATE TABLE noise(v text)");
        String before = slot("restart_lsn");
        String noise = "INSERT INTO noise SELECT repeat(md5(g::text), 30) FROM generate_series(1, 30000) g";
        busy.db.execute(noise);
        String position = rig.db.query("SELECT pg_current_wal_lsn()");
        await().atMost(Duration.ofSeconds(30)).until(() -> isPast("confirmed_flush_lsn", position));
        // A server writes such a record every 15 s by itself; restart_lsn can move to one that was confirmed.
        await().atMost(Duration.ofSeconds(40)).until(() -> {
            rig.db.query("SELECT pg_log_standby_snapshot()");
            return isPast("restart_lsn", position);
        });
        long bytes =
                Long.parseLong(rig.db.query("SELECT pg_wal_lsn_diff('" + position + "', '" + before + "')::bigint"));
        System.out.printf("idle beside busy, with heartbeats: restart_lsn moved past %,d bytes%n", bytes);
        assertThat(bytes).isGreaterThan(25_000_000);
        assertThat(rig.changes).isEmpty();
        busy.close();
    }

    /** The control: it is the heartbeat that moves the slot. */
    @Test
    void without_heartbeats_the_slot_of_an_idle_database_stays_where_it_is() throws Exception {
        rig = new WalRig(TABLE).options("walHeartbeat=3600000").start();
        rig.awaitStreaming();
        await().until(() -> unconfirmedBytes() < 5_000_000); // the first heartbeat; other databases write meanwhile
        var busy = new WalRig("CREATE TABLE noise(v text)");
        busy.db.execute("INSERT INTO noise SELECT repeat(md5(g::text), 30) FROM generate_series(1, 30000) g");
        await().pollDelay(Duration.ofSeconds(5)).until(() -> true);
        System.out.printf("idle beside busy, without heartbeats: %,d bytes unconfirmed%n", unconfirmedBytes());
        assertThat(unconfirmedBytes()).isGreaterThan(25_000_000);
        busy.close();
    }

    @Test
    void starting_again_and_again_leaves_nothing_behind() throws Exception {
        rig = new WalRig(TABLE).start();
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (0, 'x')");
        String before = whatIsHeld();
        for (int i = 1; i <= 3; i++) {
            rig.camel().getRouteController().stopRoute("source");
            rig.camel().getRouteController().startRoute("source");
            rig.awaitStreaming();
        }
        for (int i = 1; i <= 3; i++) {
            String walsender = walsender();
            rig.terminateWalsender();
            await().atMost(Duration.ofSeconds(20)).until(() -> {
                String now = walsender();
                return now != null && !now.equals(walsender);
            });
        }
        rig.make(1, "INSERT INTO t VALUES (1, 'x')");
        rig.awaitStreaming();
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(whatIsHeld()).isEqualTo(before));
        rig.camel().getRouteController().stopRoute("source");
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(whatIsHeld()).isEqualTo("connections 0, threads [], MBeans 0"));
    }

    @Test
    void changes_on_both_sides_of_a_schema_change_arrive_though_it_came_while_nobody_listened() throws Exception {
        rig = new WalRig(TABLE).start();
        rig.make(1, "INSERT INTO t VALUES (0, 'a')");
        await().until(rig::hasConfirmedAll);
        rig.close();
        rig.db.execute(
                "INSERT INTO t VALUES (1, 'old shape')",
                "ALTER TABLE t ADD COLUMN n int DEFAULT 7",
                "INSERT INTO t VALUES (2, 'one more', 8)",
                "ALTER TABLE t RENAME COLUMN v TO w",
                "ALTER TABLE t ALTER COLUMN n TYPE numeric(10,2)",
                "INSERT INTO t VALUES (3, 'renamed', 9.5)",
                "ALTER TABLE t DROP COLUMN w",
                "UPDATE t SET n = 10 WHERE id = 3",
                "CREATE TABLE made(id int PRIMARY KEY)",
                "INSERT INTO made VALUES (1)",
                "CREATE TABLE gone(id int PRIMARY KEY, v text)",
                "INSERT INTO gone VALUES (1, 'g')",
                "DROP TABLE gone",
                "ALTER TABLE t ADD COLUMN k int DEFAULT 5",
                "UPDATE t SET k = id",
                "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (k)",
                "INSERT INTO t VALUES (4, 1, 44)");
        rig.changes.clear();
        rig.start();
        await().atMost(Duration.ofSeconds(30)).until(() -> rig.changes.size() >= 11);
        await().until(rig::hasConfirmedAll);
        assertThat(rig.changes)
                .extracting(e -> e.table() + e.newRow())
                .containsExactly(
                        "t{id=1, v=old shape}",
                        "t{id=2, v=one more, n=8}",
                        "t{id=3, w=renamed, n=9.50}",
                        "t{id=3, n=10.00}",
                        "made{id=1}",
                        "gone{id=1, v=g}",
                        "t{id=0, n=7.00, k=0}",
                        "t{id=1, n=7.00, k=1}",
                        "t{id=2, n=8.00, k=2}",
                        "t{id=3, n=10.00, k=3}",
                        "t{id=4, n=1.00, k=44}");
    }

    // ---------------------------------------------------------------- workloads

    private Set<Integer> killsBelow(int changes, int kills) {
        Set<Integer> at = new TreeSet<>();
        while (at.size() < kills) {
            at.add(random.nextInt(changes));
        }
        return at;
    }

    /** Ends the walsender in the middle of each of these changes, counted over all deliveries. */
    private void startKillingAt(Set<Integer> kills) throws Exception {
        rig.start(e -> {
            if (kills.contains(rig.changes.size())) {
                rig.terminateWalsender();
            }
            rig.collect(e);
        });
        rig.awaitStreaming();
    }

    private static void copy(Connection connection, int from, int rows) throws Exception {
        var text = new StringBuilder();
        for (int i = from; i < from + rows; i++) {
            text.append(i).append("\tcopied\n");
        }
        try (connection) {
            connection
                    .unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyIn("COPY t FROM STDIN", new StringReader(text.toString()));
        }
    }

    /** Pairs of transactions, each of which commits between two rows of the other. @return the rows in commit order */
    private List<Long> interleave(int pairs) throws SQLException {
        List<Long> committed = new ArrayList<>();
        try (Connection a = rig.db.connect();
                Connection b = rig.db.connect();
                Statement one = a.createStatement();
                Statement other = b.createStatement()) {
            a.setAutoCommit(false);
            b.setAutoCommit(false);
            for (long first = 0; first < 7L * pairs; first += 7) {
                one.execute(insert(first));
                other.execute(insert(first + 1));
                other.execute(insert(first + 2));
                b.commit();
                one.execute(insert(first + 3)); // the first record behind the COMMIT
                other.execute(insert(first + 4));
                one.execute(insert(first + 5));
                a.commit();
                other.execute(insert(first + 6));
                b.commit();
                for (int later : List.of(1, 2, 0, 3, 5, 4, 6)) {
                    committed.add(first + later);
                }
            }
        }
        return committed;
    }

    private static String insert(long id) {
        return "INSERT INTO t VALUES (" + id + ", 'x')";
    }

    // ---------------------------------------------------------------- what arrived

    private void awaitRows(int rows) {
        await().atMost(Duration.ofSeconds(90))
                .untilAsserted(() -> assertThat(rowIds()).as("seed %d", SEED).hasSize(rows));
    }

    private Set<Long> rowIds() {
        return rig.changes.stream().map(WalsenderFaultTest::row).collect(Collectors.toSet());
    }

    private static long row(ChangeEvent event) {
        return (Long) event.newRow().get("id");
    }

    private List<Long> firstDeliveries() {
        return List.copyOf(
                rig.changes.stream().map(WalsenderFaultTest::row).collect(Collectors.toCollection(LinkedHashSet::new)));
    }

    private void assertNothingIsDifferentWhenSentAgain(Set<Integer> kills) {
        Map<Long, String> ids = new HashMap<>();
        Set<String> distinct = new HashSet<>();
        for (ChangeEvent event : rig.changes) {
            distinct.add(event.id());
            assertThat(ids.merge(row(event), event.id(), (first, again) -> first.equals(again) ? first : "another"))
                    .as("id of row %d each time, seed %d", row(event), SEED)
                    .isEqualTo(event.id());
        }
        assertThat(distinct).as("one id for each row").hasSameSizeAs(ids.keySet());
        // The faults came about: a kill whose number was passed within what the connection had delivered already still
        // counts.
        assertThat(rig.consumer().status().restarts())
                .as("streams ended by kills at %s, seed %d", kills, SEED)
                .isBetween(1L, (long) kills.size());
        await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
    }

    // ---------------------------------------------------------------- what the server says

    /** By a second slot's decoding: rows whose LSN is the end of another transaction's COMMIT. */
    private long rowsAtCommitLsns(String slot) {
        String decoded = "pg_logical_slot_peek_binary_changes('" + slot
                + "', NULL, NULL, 'proto_version', '1', 'publication_names', 'pub')";
        return Long.parseLong(
                rig.db.query("WITH decoded AS MATERIALIZED (SELECT lsn, xid::text, get_byte(data, 0) AS kind FROM "
                        + decoded
                        + ") SELECT count(*) FROM decoded r JOIN decoded c USING (lsn) WHERE r.kind = ascii('I')"
                        + " AND c.kind = ascii('C') AND r.xid <> c.xid"));
    }

    private String slot(String column) {
        return rig.db.query("SELECT " + column + " FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'");
    }

    private String walsender() {
        return slot("active_pid");
    }

    private boolean isPast(String column, String lsn) {
        return "t".equals(slot(column + " >= '" + lsn + "'::pg_lsn"));
    }

    private long unconfirmedBytes() {
        return Long.parseLong(slot("pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint"));
    }

    /** Connections to the rig's database but for the one that asks, threads of ours and Debezium's, Debezium's MBeans. */
    private String whatIsHeld() throws Exception {
        String connections = rig.db.query("SELECT count(*) FROM pg_stat_activity WHERE datname = '" + rig.db.name()
                + "' AND pid <> pg_backend_pid()");
        List<String> threads = Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("wal-") || name.startsWith("debezium-") || name.contains("-postgres"))
                .map(name -> name.replaceAll("\\d+", "N"))
                .sorted()
                .toList();
        int mbeans = ManagementFactory.getPlatformMBeanServer()
                .queryNames(new javax.management.ObjectName("debezium.*:*"), null)
                .size();
        return "connections " + connections + ", threads " + threads + ", MBeans " + mbeans;
    }
}
