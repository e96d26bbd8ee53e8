package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.ParkedKeys;
import io.walroute.change.RedriveTurn;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;

/**
 * A real lane in a small world of one thread: a stream that sends again from the first unsettled change after a failure or a
 * crash, dead letters behind a writer that works in order and later, somebody who redrives, and somebody who discards.
 *
 * <p>What happens next is the caller's choice, drawn from {@code choose}: a number below the one given. After each step, what
 * the sink was given is held against the promise.
 */
final class LaneWorld {
    private static final DefaultCamelContext CAMEL = new DefaultCamelContext();
    private static final int SIZE = 6;

    /** Its index is its place in commit order. */
    private record Change(int seq, ChangeEvent event, Claim claim) {}

    private static final class Row {
        private final int seq;
        private int parkings = 1;

        private Row(int seq) {
            this.seq = seq;
        }
    }

    /** One life of the stream. */
    private static final class Stream {
        private boolean failed;
    }

    private final class Entry implements Settlement {
        private final Stream stream;
        private final int seq;
        private int holds = 1;

        private Entry(Stream stream, int seq) {
            this.stream = stream;
            this.seq = seq;
        }

        @Override
        public boolean comesAgain() {
            return true;
        }

        @Override
        public boolean isFailed() {
            return stream.failed;
        }

        @Override
        public Hold hold() {
            holds++;
            return oneHold();
        }

        private Hold oneHold() {
            var open = new boolean[] {true};
            return new Hold() {
                @Override
                public void release() {
                    if (open[0]) {
                        open[0] = false;
                        if (--holds == 0 && stream == current) {
                            settled.add(seq);
                        }
                    }
                }

                @Override
                public void fail(Throwable cause) {
                    if (open[0]) {
                        open[0] = false;
                        stream.failed = true;
                    }
                }
            };
        }
    }

    private final IntUnaryOperator choose;
    private final boolean breakable;
    private final List<Change> changes = new ArrayList<>();
    private final Set<Integer> delivered = new HashSet<>();
    private final Map<Integer, Integer> attempts = new HashMap<>();
    private final Set<Integer> discarded = new HashSet<>();

    // The stream.
    private Stream current = new Stream();
    private final TreeSet<Integer> settled = new TreeSet<>();
    private int confirmed;
    private int nextToSend;
    private int sentAtMost;
    private int restarts;

    // The dead letters, and what their writer has still to do.
    private final TreeMap<Integer, Row> rows = new TreeMap<>();
    private final Set<Integer> redriving = new HashSet<>();
    private final Deque<Consumer<Boolean>> writes = new ArrayDeque<>();

    // The lane and the sink.
    private Lane lane;
    private final List<Delivery> running = new ArrayList<>();
    /** What the lane holds, in its order. */
    private final List<Delivery> inLane = new ArrayList<>();

    private final Map<Delivery, Integer> seqOf = new HashMap<>();
    private boolean calm;
    private boolean reading;
    private boolean booting;
    private int mostRunning;

    LaneWorld(IntUnaryOperator choose, boolean breakable, int size) {
        this.choose = choose;
        this.breakable = breakable;
        for (int seq = 0; seq < size; seq++) {
            changes.add(change(seq));
        }
        boot();
    }

    private Change change(int seq) {
        int kind = choose.applyAsInt(12);
        var version = new Version(1, new Lsn(seq + 1), 0);
        String key = "k" + choose.applyAsInt(4);
        ChangeEvent event;
        if (kind == 0) {
            event = ChangeEvent.builder(Operation.TRUNCATE, "public", "t", Instant.EPOCH, version)
                    .build();
        } else if (kind == 1) {
            event = ChangeEvent.builder(Operation.INSERT, "public", "keyless", Instant.EPOCH, version)
                    .newRow(Map.of("n", seq))
                    .build();
        } else {
            var builder = ChangeEvent.builder(Operation.UPDATE, "public", "t", Instant.EPOCH, version)
                    .key("id", key)
                    .newRow(Map.of("id", key));
            event = kind == 2
                    ? builder.oldRow(Map.of("id", "k" + choose.applyAsInt(4))).build()
                    : builder.build();
        }
        return new Change(seq, event, Claim.of(event));
    }

    private LaneMeters meters() {
        return new LaneMeters(new SimpleMeterRegistry(), "hook");
    }

    private void boot() {
        lane = new Lane("hook", meters(), 3);
        var settings = new LaneSettings(
                SIZE, 1 << 20, WhenFull.PARK, "dead-letter:hook", Duration.ofMillis(1), true, true, 1, 4);
        booting = true;
        lane.attach(this, settings, this::spill, List.of(this::parkedKeys));
        booting = false;
    }

    // ---------------------------------------------------------------- what may happen

    void step() {
        switch (choose.applyAsInt(16)) {
            case 0, 1, 2, 3 -> send();
            case 4, 5, 6, 7 -> poll();
            case 8, 9 -> complete();
            case 10, 11 -> write(choose.applyAsInt(40) != 0 || calm);
            case 12, 13 -> redrive();
            case 14 -> compareMarks();
            default -> rare();
        }
    }

    private void rare() {
        if (calm) {
            return;
        }
        switch (choose.applyAsInt(6)) {
            case 0 -> discard();
            case 1 -> current.failed |= breakable; // PostgreSQL cut the connection
            case 2 -> crash();
            default -> {}
        }
    }

    /** Without further trouble everything must come to an end. */
    void finish() {
        calm = true;
        for (int round = 0; round < 3_000 && !isDone(); round++) {
            send();
            poll();
            complete();
            write(true);
            if (choose.applyAsInt(3) == 0) {
                redrive();
            }
            if (round % 50 == 49) {
                compareMarks();
            }
        }
        assertThat(isDone()).as("everything ends; %s", this).isTrue();
        assertThat(lane.isIdle()).isTrue();
        compareMarks();
        assertThat(lane.parkedKeys()).as("marks are gone").isZero();
        for (Change change : changes) {
            assertThat(delivered.contains(change.seq()) || discarded.contains(change.seq()))
                    .as("%s is delivered or discarded", change)
                    .isTrue();
            if (restarts == 0) {
                assertThat(attempts.getOrDefault(change.seq(), 0))
                        .as("successes of %s", change)
                        .isLessThanOrEqualTo(1);
            }
        }
    }

    private boolean isDone() {
        return confirmed == changes.size()
                && rows.isEmpty()
                && redriving.isEmpty()
                && inLane.isEmpty()
                && writes.isEmpty();
    }

    int mostRunning() {
        return mostRunning;
    }

    // ---------------------------------------------------------------- the stream

    private void send() {
        confirm();
        if (current.failed) {
            restartStream();
            return;
        }
        if (nextToSend == changes.size() || wouldBlock()) {
            return;
        }
        Change change = changes.get(nextToSend++);
        var entry = new Entry(current, change.seq());
        var delivery = delivery(change, Map.of(Settlement.PROPERTY, entry));
        accept(delivery);
        entry.oneHold().release();
        sentAtMost = Math.max(sentAtMost, nextToSend);
    }

    /** With as many on their way into the dead letters as it holds, a lane lets its senders wait. */
    private boolean wouldBlock() {
        return lane.pending() >= 2 * SIZE;
    }

    private void confirm() {
        if (!current.failed) {
            while (settled.remove(confirmed)) {
                assertThat(delivered.contains(confirmed)
                                || discarded.contains(confirmed)
                                || rows.containsKey(confirmed))
                        .as("%d is acknowledged but neither delivered nor parked", confirmed)
                        .isTrue();
                confirmed++;
            }
        }
    }

    private void restartStream() {
        current = new Stream();
        settled.clear();
        nextToSend = confirmed;
        restarts++;
    }

    private void crash() {
        if (!breakable) {
            return;
        }
        restartStream();
        writes.clear();
        redriving.clear();
        running.clear();
        inLane.clear();
        boot();
    }

    /**
     * As the service lets nobody redrive before the stream has shown that it passed what it sends again. That it failed is
     * noticed late.
     */
    private boolean mayRedrive() {
        return nextToSend >= sentAtMost;
    }

    // ---------------------------------------------------------------- the lane

    private Delivery delivery(Change change, Map<String, Object> properties) {
        Exchange exchange = new DefaultExchange(CAMEL);
        exchange.getMessage().setBody(change.event());
        properties.forEach(exchange::setProperty);
        try {
            var delivery = new Delivery(exchange, "hook", null);
            seqOf.put(delivery, change.seq());
            return delivery;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private void accept(Delivery delivery) {
        int before = lane.held();
        try {
            if (!lane.accept(delivery)) {
                delivery.hold.fail(new RejectedExecutionException("comes again"));
            }
        } catch (RejectedExecutionException full) {
            delivery.hold.fail(full);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        if (lane.held() > before) {
            inLane.add(delivery);
        }
    }

    /** As LanesConsumer does. */
    private void poll() {
        Delivery delivery = lane.poll();
        if (delivery == null) {
            assertNothingWaitsInVain();
        } else if (delivery.doomed) {
            finish(delivery, Lane.Outcome.FAILED);
        } else if (delivery.behind) {
            park(delivery, outcome -> finish(delivery, outcome));
        } else if (delivery.redriveTurn != null && delivery.answer == null) {
            delivery.redriveTurn.ask(answer -> lane.answer(delivery, answer));
        } else if (delivery.answer != null && !delivery.answer.go()) {
            finish(delivery, Lane.Outcome.FAILED);
        } else {
            begin(delivery);
        }
    }

    private void finish(Delivery delivery, Lane.Outcome outcome) {
        inLane.remove(delivery);
        lane.finish(delivery, outcome, outcome == Lane.Outcome.FAILED ? new RejectedExecutionException("test") : null);
    }

    private void begin(Delivery delivery) {
        Change change = changes.get(seqOf.get(delivery));
        for (Delivery other : running) {
            assertThat(other.claim.conflictsWith(change.claim()))
                    .as("%s and %s run at once", other.claim, change)
                    .isFalse();
        }
        for (Change earlier : changes.subList(0, change.seq())) {
            if (earlier.claim().conflictsWith(change.claim())) {
                assertThat(delivered.contains(earlier.seq()) || discarded.contains(earlier.seq()))
                        .as("%s overtakes %s; %s", change, earlier, this)
                        .isTrue();
            }
        }
        running.add(delivery);
        mostRunning = Math.max(mostRunning, running.size());
    }

    private void assertNothingWaitsInVain() {
        if (lane.inFlight() >= 4) {
            return;
        }
        for (int i = 0; i < inLane.size(); i++) {
            Delivery waiting = inLane.get(i);
            if (!waiting.started) {
                assertThat(inLane.subList(0, i))
                        .as("what %s waits for", waiting)
                        .anyMatch(earlier -> earlier.claim.conflictsWith(waiting.claim));
            }
        }
    }

    /** The sink answers. */
    private void complete() {
        if (running.isEmpty()) {
            return;
        }
        Delivery delivery = running.remove(choose.applyAsInt(running.size()));
        int seq = seqOf.get(delivery);
        int how = calm ? 9 : choose.applyAsInt(12);
        if (how < 4) {
            park(delivery, outcome -> finish(delivery, outcome));
        } else if (how == 4 && breakable) {
            finish(delivery, Lane.Outcome.FAILED);
        } else {
            delivered.add(seq);
            attempts.merge(seq, 1, Integer::sum);
            finish(delivery, Lane.Outcome.DELIVERED);
        }
    }

    // ---------------------------------------------------------------- the dead letters

    private void spill(Delivery delivery) {
        park(
                delivery,
                outcome -> lane.spilled(
                        delivery,
                        outcome,
                        outcome == Lane.Outcome.FAILED ? new IllegalStateException("refused") : null));
    }

    private void park(Delivery delivery, Consumer<Lane.Outcome> done) {
        int seq = seqOf.get(delivery);
        writes.add(well -> {
            if (well || !breakable) {
                Row row = rows.get(seq);
                if (row == null) {
                    rows.put(seq, new Row(seq));
                } else {
                    row.parkings++;
                }
            }
            done.accept(well || !breakable ? Lane.Outcome.PARKED : Lane.Outcome.FAILED);
        });
    }

    private void write(boolean well) {
        if (!writes.isEmpty()) {
            writes.remove().accept(well);
        }
    }

    private boolean parkedKeys(String sink, int most, Consumer<String> taker) {
        int taken = 0;
        for (Row row : List.copyOf(rows.values())) {
            if (taken++ == most) {
                return false;
            }
            Claim claim = changes.get(row.seq).claim();
            int dot = claim.table().indexOf('.');
            String schema = claim.table().substring(0, dot);
            String table = claim.table().substring(dot + 1);
            taker.accept(ParkedKeys.key(schema, table, claim.key()));
            if (claim.oldKey() != null) {
                taker.accept(ParkedKeys.key(schema, table, claim.oldKey()));
            }
            // The world goes on while somebody reads; nobody takes from a lane that only starts.
            if (booting && choose.applyAsInt(4) == 0) {
                send();
            } else if (reading && !booting && choose.applyAsInt(2) == 0) {
                step();
            }
        }
        return true;
    }

    private void compareMarks() {
        if (reading) {
            return;
        }
        Lane compared = lane;
        reading = true;
        compared.compareMarks(List.of(this::parkedKeys));
        reading = false;
    }

    /** Somebody who redrives needn't know which one is first. */
    private void redrive() {
        if (!mayRedrive() || rows.isEmpty() || lane.held() >= SIZE) {
            return;
        }
        List<Row> all = rows.values().stream()
                .filter(row -> !redriving.contains(row.seq))
                .collect(Collectors.toList());
        if (all.isEmpty()) {
            return;
        }
        Row row = all.get(calm ? 0 : choose.applyAsInt(all.size()));
        redriving.add(row.seq);
        int parkings = row.parkings;
        Stream stream = current;
        RedriveTurn turn =
                asker -> writes.add(well -> asker.accept(stream == current ? turn(row) : RedriveTurn.Answer.STAY));
        accept(delivery(
                changes.get(row.seq),
                Map.of(
                        ChangeProperties.REDRIVE,
                        true,
                        ChangeProperties.REDRIVE_TURN,
                        turn,
                        Settlement.PROPERTY,
                        (Settlement) () -> redriveHold(row, parkings))));
    }

    private Settlement.Hold redriveHold(Row row, int parkings) {
        Lane ofLane = lane;
        return new Settlement.Hold() {
            @Override
            public void release() {
                writes.add(well -> {
                    if (rows.get(row.seq) == row && row.parkings == parkings) {
                        rows.remove(row.seq);
                    }
                    redriving.remove(row.seq);
                });
            }

            @Override
            public void fail(Throwable cause) {
                if (lane == ofLane) {
                    redriving.remove(row.seq);
                }
            }
        };
    }

    private RedriveTurn.Answer turn(Row row) {
        if (rows.get(row.seq) != row || !mayRedrive()) {
            return RedriveTurn.Answer.STAY;
        }
        Claim claim = changes.get(row.seq).claim();
        boolean first = rows.headMap(row.seq).keySet().stream()
                .noneMatch(seq -> changes.get(seq).claim().conflictsWith(claim));
        return new RedriveTurn.Answer(first, isLeft(row, claim.key()), isLeft(row, claim.oldKey()));
    }

    private boolean isLeft(Row row, String key) {
        String table = changes.get(row.seq).claim().table();
        return rows.keySet().stream()
                .filter(seq -> seq != row.seq)
                .map(seq -> changes.get(seq).claim())
                .filter(claim -> claim.table().equals(table))
                .anyMatch(claim ->
                        key == null ? claim.wholeTable() : key.equals(claim.key()) || key.equals(claim.oldKey()));
    }

    private void discard() {
        List<Integer> all = List.copyOf(rows.keySet());
        if (!all.isEmpty()) {
            int seq = all.get(choose.applyAsInt(all.size()));
            rows.remove(seq);
            discarded.add(seq);
        }
    }

    @Override
    public String toString() {
        return "confirmed " + confirmed + ", sent " + nextToSend + ", parked " + rows.keySet() + ", in lane "
                + inLane.stream().map(seqOf::get).toList() + ", running "
                + running.stream().map(seqOf::get).toList() + ", redriven " + redriving + ", discarded " + discarded
                + ", restarts " + restarts;
    }
}
