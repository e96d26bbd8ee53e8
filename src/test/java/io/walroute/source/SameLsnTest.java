package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.Lsn;
import io.walroute.change.Settlement;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;

/**
 * Changes whose LSN doesn't tell them apart, and streams that break between them. Debezium's own restart, which looks for its
 * place by LSN, loses rows here; a new engine on the slot alone must not.
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class SameLsnTest {
    private static final int KILLS = 3;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final WalRig rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)");
    /** Event id by row; a row that comes again must bring the same one. */
    private final Map<Object, String> idOfRow = new ConcurrentHashMap<>();

    private final Map<String, Object> rowOfId = new ConcurrentHashMap<>();
    private final Set<Object> contradictions = ConcurrentHashMap.newKeySet();
    private final AtomicInteger received = new AtomicInteger();
    private final Set<Lsn> endsOfCommits = ConcurrentHashMap.newKeySet();
    private volatile boolean someSettledLate;
    private volatile Set<Integer> killAfter = Set.of();

    @AfterEach
    void stop() {
        rig.close();
    }

    @ParameterizedTest(name = "some settled late: {0}")
    @ValueSource(booleans = {false, true})
    void walsenders_terminated_in_the_middle_of_a_copy_lose_no_row_of_a_page(boolean late) throws Exception {
        int rows = 6_000;
        killAtRandomAmong(rows);
        someSettledLate = late;
        rig.start(this::take);
        rig.awaitStreaming();
        copy(rows);

        assertThatAllArrived(rows);
        assertThat(rig.changes.stream().map(c -> c.lsn()).distinct().count())
                .as("LSNs of %,d rows", rows)
                .isLessThan(rows / 10);
    }

    @ParameterizedTest(name = "some settled late: {0}")
    @ValueSource(booleans = {false, true})
    void rows_at_the_end_of_another_transactions_commit_are_not_taken_for_its_repeats(boolean late) throws Exception {
        int rounds = 700;
        killAtRandomAmong(3 * rounds);
        someSettledLate = late;
        rig.start(this::take);
        rig.awaitStreaming();
        interleave(rounds);

        assertThatAllArrived(3 * rounds);
        assertThat(rowsAtACommit())
                .as("rows whose LSN is the end of the commit before")
                .isGreaterThan(rounds / 3);
    }

    /** Settled late, some make confirmations stop at random places, too. */
    private void take(Exchange exchange) {
        rig.collect(exchange);
        var change = rig.changes.get(rig.changes.size() - 1);
        Object row = change.newRow().get("id");
        String before = idOfRow.putIfAbsent(row, change.id());
        Object other = rowOfId.putIfAbsent(change.id(), row);
        if (before != null && !before.equals(change.id()) || other != null && !other.equals(row)) {
            contradictions.add(row + " as " + change.id() + ", before " + before + "; that id was of " + other);
        }
        if (someSettledLate && random.nextInt(50) == 0) {
            var hold =
                    exchange.getProperty(Settlement.PROPERTY, Settlement.class).hold();
            CompletableFuture.delayedExecutor(random.nextInt(200), TimeUnit.MILLISECONDS)
                    .execute(hold::release);
        }
        if (killAfter.contains(received.incrementAndGet())) {
            rig.terminateWalsender();
        }
    }

    private void killAtRandomAmong(int rows) {
        Set<Integer> points = new TreeSet<>();
        while (points.size() < KILLS) {
            points.add(1 + random.nextInt(rows));
        }
        killAfter = points;
        System.out.println("seed " + seed + ": walsender terminated after changes " + points);
    }

    private void assertThatAllArrived(int rows) {
        await().atMost(Duration.ofSeconds(90))
                .untilAsserted(
                        () -> assertThat(idOfRow).as("seed %d: rows", seed).hasSize(rows));
        await().atMost(Duration.ofSeconds(30)).until(rig::hasConfirmedAll);
        assertThat(contradictions).as("seed %d", seed).isEmpty();
        assertThat(rowOfId).as("seed %d: ids", seed).hasSize(rows);
        long restarts = rig.consumer().status().restarts();
        System.out.printf(
                "%,d rows, %,d deliveries, %d restarts, %,d rows at a commit's end%n",
                rows, received.get(), restarts, rowsAtACommit());
        assertThat(restarts).as("seed %d: restarts", seed).isBetween(1L, (long) KILLS);
    }

    private void copy(int rows) throws Exception {
        var text = new StringBuilder();
        for (int i = 0; i < rows; i++) {
            text.append(i).append("\tcopied\n");
        }
        try (Connection connection = rig.db.connect()) {
            connection
                    .unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyIn("COPY t FROM STDIN", new StringReader(text.toString()));
        }
    }

    /** Each long transaction writes a row before and one right after the commit of a short one. */
    private void interleave(int rounds) throws SQLException {
        try (Connection long_ = rig.db.connect();
                Connection short_ = rig.db.connect();
                var inLong = long_.prepareStatement("INSERT INTO t VALUES (?, 'long')");
                var inShort = short_.prepareStatement("INSERT INTO t VALUES (?, 'short')")) {
            long_.setAutoCommit(false);
            short_.setAutoCommit(false);
            for (int i = 0; i < rounds; i++) {
                insert(inLong, 3 * i);
                insert(inShort, 3 * i + 1);
                short_.commit();
                endsOfCommits.add(endOfWal(short_));
                insert(inLong, 3 * i + 2);
                if (i % 2 == 1) {
                    long_.commit();
                }
            }
            long_.commit();
        }
    }

    private long rowsAtACommit() {
        return rig.changes.stream()
                .filter(change -> endsOfCommits.contains(change.lsn()))
                .map(change -> change.id())
                .distinct()
                .count();
    }

    private static Lsn endOfWal(Connection connection) throws SQLException {
        try (var s = connection.createStatement();
                var row = s.executeQuery("SELECT pg_current_wal_insert_lsn()")) {
            row.next();
            return Lsn.parse(row.getString(1));
        }
    }

    private static void insert(java.sql.PreparedStatement statement, int id) throws SQLException {
        statement.setInt(1, id);
        statement.executeUpdate();
    }
}
