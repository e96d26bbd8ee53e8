package io.walroute.deadletter;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.RedriveTurn;
import io.walroute.change.Version;
import io.walroute.deadletter.DeadLetters.Outcome;
import io.walroute.deadletter.DeadLetters.Place;
import io.walroute.deadletter.DeadLetters.Taken;
import io.walroute.deadletter.RedriveQueue.Parked;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * Queue and table together, as the redrive uses them: whatever fails, is discarded, parked late or redriven by hand, of those
 * that share a key only the first by {@code seq} may be tried.
 */
class RedriveOrderPropertyTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Schedule SCHEDULE = Schedule.parse("1ms,1ms,1h");
    private static final Schedule FOR_EVER = Schedule.parse("1ms,...");

    private static Path folder;
    private static Store store;
    private static DeadLetters letters;

    private List<Integer> drawn;
    private int next;
    /** What must stand in the table, by seq. */
    private final TreeMap<Long, ChangeEvent> parked = new TreeMap<>();

    private final Set<Long> late = new HashSet<>();
    private long lastSeq;

    @BeforeContainer
    static void open() throws Exception {
        folder = Files.createTempDirectory("redrive");
        store = Store.open(new Store.Settings("jdbc:sqlite:" + folder.resolve("walroute.db")));
        store.define("CREATE TABLE IF NOT EXISTS audit_log (seq integer PRIMARY KEY, event_id text UNIQUE)");
        letters = new DeadLetters(store);
    }

    @AfterContainer
    static void close() throws Exception {
        store.close();
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    private int choose(int bound) {
        int i = next++;
        return (i < drawn.size() ? drawn.get(i) : i * 7 + i / 5) % bound;
    }

    @Property(tries = 40)
    void of_those_that_share_a_key_only_the_first_by_seq_is_tried(
            @ForAll @Size(min = 40, max = 300) List<@IntRange(min = 0, max = 9999) Integer> choices) throws Exception {
        drawn = choices;
        next = 0;
        parked.clear();
        late.clear();
        letters.discard(DeadLetterFilter.ALL);
        int before = 5 + choose(25);
        for (int i = 0; i < before; i++) {
            arrive(choose(4) == 0);
        }
        var queue = new AtomicReference<>(new RedriveQueue(Instant.MIN, Set.of()));
        Place upTo = null;
        for (int step = 0; step < drawn.size(); step++) {
            switch (choose(10)) {
                case 0 -> arrive(choose(3) == 0);
                case 1 -> parkLate();
                case 2 -> discard();
                case 3 -> {
                    var made = new RedriveQueue(Instant.now().plusSeconds(1), Set.of());
                    int most = 1 + choose(6); // a part that ends anywhere
                    var seen = new int[1];
                    upTo = letters.forEachParked(
                            "hook", upTo == null ? Place.START : upTo, row -> seen[0]++ < most && made.add(row));
                    queue.set(made);
                }
                default -> redrive(queue.get(), SCHEDULE);
            }
        }
        late.forEach(parked::remove); // never parked, never promised
        late.clear();
        drain();
    }

    /** Those of the sink that stay parked must all get through in the end. */
    private void drain() throws SQLException {
        letters.markDue(DeadLetterFilter.ALL);
        for (int round = 0; round < 5_000 && letters.count(DeadLetterFilter.ALL) > 0; round++) {
            var queue = new RedriveQueue(Instant.now().plusSeconds(1), Set.of());
            letters.forEachParked("hook", Place.START, queue::add);
            for (Parked one = queue.next(); one != null; one = queue.next()) {
                redriveOne(queue, one, FOR_EVER);
            }
            letters.markDue(DeadLetterFilter.ALL);
        }
        assertThat(letters.count(DeadLetterFilter.ALL)).isZero();
        assertThat(parked).isEmpty();
    }

    private void arrive(boolean parksLate) throws SQLException {
        long seq = ++lastSeq;
        ChangeEvent event = event(seq);
        store.write(
                session -> {
                    var row = session.statement("INSERT INTO audit_log (seq, event_id) VALUES (?, ?)");
                    row.setLong(1, seq);
                    row.setString(2, event.id());
                    row.executeUpdate();
                },
                LIMIT);
        parked.put(seq, event);
        if (parksLate) {
            late.add(seq); // the lane still holds it
        } else {
            park(event, false);
        }
    }

    private ChangeEvent event(long seq) {
        var version = new Version(1, new Lsn(seq), 0);
        int kind = choose(10);
        if (kind == 0) {
            return ChangeEvent.builder(Operation.TRUNCATE, "public", "t", Instant.EPOCH, version)
                    .build();
        }
        String key = "k" + choose(4);
        var builder = ChangeEvent.builder(Operation.UPDATE, "public", "t", Instant.EPOCH, version)
                .key("id", key)
                .newRow(new LinkedHashMap<>(Map.of("id", key)));
        if (kind == 1) {
            builder.oldRow(new LinkedHashMap<>(Map.of("id", "k" + choose(4))));
        }
        return builder.build();
    }

    private void park(ChangeEvent event, boolean redrive) throws SQLException {
        var failure = new Failure(redrive ? 1 : 0, "away", "hook", null);
        store.write(letters.parking("hook", event, "{}", failure, Instant.now(), redrive), LIMIT);
    }

    private void parkLate() throws SQLException {
        if (!late.isEmpty()) {
            long seq = late.stream().sorted().toList().get(choose(late.size()));
            late.remove(seq);
            park(parked.get(seq), false);
        }
    }

    private void discard() throws SQLException {
        List<DeadLetter> all = letters.list(DeadLetterFilter.ALL, 100);
        if (!all.isEmpty()) {
            DeadLetter one = all.get(choose(all.size()));
            if (choose(2) == 0) {
                letters.discard(one.id());
                parked.remove(one.seq());
            } else {
                letters.markDue(one.id());
            }
        }
    }

    private void redrive(RedriveQueue queue, Schedule schedule) throws SQLException {
        Parked one = queue.next();
        if (one != null) {
            redriveOne(queue, one, schedule);
        }
    }

    private void redriveOne(RedriveQueue queue, Parked one, Schedule schedule) throws SQLException {
        Taken taken = letters.take(one.id());
        if (taken == null) {
            queue.finish(one.id(), true);
            return;
        }
        // Something may come in between.
        if (choose(6) == 0) {
            parkLate();
        }
        var answer = new AtomicReference<RedriveTurn.Answer>();
        store.write(session -> answer.set(letters.turn(session, one.id())), LIMIT);
        if (!answer.get().go()) {
            queue.finish(one.id(), false);
            return;
        }
        assertIsFirst(taken.event(), answer.get());
        boolean well = choose(3) > 0 || next > 3 * drawn.size();
        if (!well) {
            park(taken.event(), true);
        }
        var outcome = new AtomicReference<Outcome>();
        store.write(
                session -> outcome.set(letters.finish(session, one.id(), taken, true, schedule, Duration.ofMillis(1))),
                LIMIT);
        if (well) {
            parked.remove(taken.event().lsn().value());
        }
        queue.finish(one.id(), outcome.get() == Outcome.DELIVERED || outcome.get() == Outcome.DEAD);
    }

    private void assertIsFirst(ChangeEvent event, RedriveTurn.Answer answer) throws SQLException {
        List<DeadLetter> others = letters.list(DeadLetterFilter.ALL, 1000).stream()
                .filter(other -> other.state() == DeadLetter.State.PARKED)
                .filter(other -> other.seq() != event.lsn().value())
                .toList();
        for (DeadLetter other : others) {
            ChangeEvent otherEvent = parked.get(other.seq());
            assertThat(other.seq() < event.lsn().value() && conflict(otherEvent, event))
                    .as("%s is tried before %s", event, otherEvent)
                    .isFalse();
        }
        assertThat(answer.keyLeft())
                .as("others of the key of %s", event)
                .isEqualTo(others.stream().anyMatch(other -> claims(parked.get(other.seq()), event.keyText())));
        if (event.keyChanged()) {
            assertThat(answer.oldKeyLeft())
                    .isEqualTo(others.stream().anyMatch(other -> claims(parked.get(other.seq()), event.oldKeyText())));
        }
    }

    private static boolean conflict(ChangeEvent a, ChangeEvent b) {
        return a.keyText() == null || b.keyText() == null || claims(a, b.keyText()) || claims(a, b.oldKeyText());
    }

    private static boolean claims(ChangeEvent event, String key) {
        return key == null ? event.keyText() == null : key.equals(event.keyText()) || key.equals(event.oldKeyText());
    }
}
