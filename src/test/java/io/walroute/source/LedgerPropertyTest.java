package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/** Whoever settles what when: the slot follows the settled prefix, from one transaction's end to another. */
class LedgerPropertyTest {
    /** A change in a model as plain as can be: the numbers of its open holds, and whether one failed. */
    private static final class Modelled {
        private final Ledger.Entry entry;
        private final List<Settlement.Hold> open = new ArrayList<>();
        private boolean failed;

        private Modelled(Ledger.Entry entry) {
            this.entry = entry;
            if (entry != null) {
                open.add(entry.routeHold());
            }
        }

        private boolean settled() {
            return open.isEmpty() && !failed;
        }
    }

    private final List<Integer> drawn = new ArrayList<>();
    private final List<Modelled> all = new ArrayList<>();
    private int next;
    private boolean inTransaction;

    private int choose(int bound) {
        return (next < drawn.size() ? drawn.get(next++) : 0) % bound;
    }

    private static Item change(int n) {
        var event = ChangeEvent.builder(
                        Operation.INSERT, "public", "t", Instant.EPOCH, new Version(1, new Lsn(n + 1), 0))
                .build();
        return Item.change(event, null, 10);
    }

    @Property(tries = 500)
    void the_slot_never_passes_a_change_that_is_unsettled_or_failed_and_stops_at_transaction_ends_only(
            @ForAll @Size(min = 10, max = 400) List<@IntRange(min = 0, max = 9999) Integer> choices) {
        drawn.clear();
        drawn.addAll(choices);
        all.clear();
        next = 0;
        inTransaction = false;
        var ledger = new Ledger(1_000_000, 1 << 30, () -> {});
        var old = new Ledger(10, 1 << 30, () -> {});
        Settlement.Hold stale = old.submit(change(0)).hold();
        int passed = 0;
        while (next < drawn.size()) {
            switch (choose(6)) {
                case 0, 1 -> submit(ledger);
                case 2 -> hold();
                case 3, 4 -> release(20);
                default -> stale.release(); // of an earlier stream: reaches nobody
            }
            passed = check(ledger, passed);
        }
        boolean anyFailed = all.stream().anyMatch(one -> one.failed);
        assertThat(ledger.failure() != null).isEqualTo(anyFailed);
        while (all.stream().anyMatch(one -> !one.open.isEmpty())) {
            release(0);
        }
        if (inTransaction) {
            end(ledger);
        }
        check(ledger, passed);
        assertThat(ledger.isEmpty()).as("the end is reached").isEqualTo(!anyFailed);
        if (!anyFailed) {
            assertThat(ledger.held()).isZero();
            assertThat(ledger.heldBytes()).isZero();
        }
    }

    private void submit(Ledger ledger) {
        if (!inTransaction) {
            ledger.submitSettled(Item.boundary(Item.Kind.BEGIN, null, null));
            all.add(new Modelled(null));
            inTransaction = true;
        } else if (choose(3) == 0) {
            end(ledger);
        } else {
            all.add(new Modelled(ledger.submit(change(all.size()))));
        }
    }

    private void end(Ledger ledger) {
        // The mark tells how many items there are up to this one.
        ledger.submitSettled(Item.boundary(Item.Kind.END, all.size() + 1, null));
        all.add(new Modelled(null));
        inTransaction = false;
    }

    private void hold() {
        if (all.isEmpty()) {
            return;
        }
        Modelled one = all.get(choose(all.size()));
        if (one.entry == null) {
            return;
        }
        if (one.settled()) {
            assertThatThrownBy(one.entry::hold).hasMessageContaining("settled already");
        } else if (!one.open.isEmpty()) {
            one.open.add(one.entry.hold());
        }
    }

    private void release(int failOneIn) {
        List<Modelled> open = all.stream().filter(one -> !one.open.isEmpty()).toList();
        if (open.isEmpty()) {
            return;
        }
        Modelled one = open.get(choose(open.size()));
        Settlement.Hold hold = one.open.remove(choose(one.open.size()));
        if (failOneIn > 0 && choose(failOneIn) == 1) {
            hold.fail(new IllegalStateException("sink"));
            one.failed = true;
            assertThat(one.entry.isFailed()).isTrue();
        } else {
            hold.release();
        }
        hold.release(); // a second call doesn't count
    }

    private int check(Ledger ledger, int passed) {
        int prefix = 0;
        while (prefix < all.size() && all.get(prefix).settled()) {
            prefix++;
        }
        Item upTo = ledger.settledUpTo();
        assertThat(ledger.held()).isEqualTo((int)
                all.stream().filter(one -> one.entry != null && !one.settled()).count());
        if (upTo == null) {
            return passed;
        }
        assertThat(upTo.kind()).isEqualTo(Item.Kind.END);
        int now = (Integer) upTo.mark();
        assertThat(now).as("forward").isGreaterThan(passed).isLessThanOrEqualTo(prefix);
        return now;
    }

    @Property(tries = 30)
    void it_reaches_the_end_whichever_threads_settle(@ForAll long seed) throws Exception {
        var random = new Random(seed);
        var ledger = new Ledger(1_000_000, 1 << 30, () -> {});
        List<Settlement.Hold> holds = new ArrayList<>();
        int changes = 500;
        for (int i = 0; i < changes; i++) {
            Ledger.Entry entry = ledger.submit(change(i));
            holds.add(entry.routeHold());
            for (int more = random.nextInt(3); more > 0; more--) {
                holds.add(entry.hold());
            }
        }
        ledger.submitSettled(Item.boundary(Item.Kind.END, changes, null));
        Collections.shuffle(holds, random);
        var pool = Executors.newFixedThreadPool(4);
        try {
            var go = new CountDownLatch(1);
            Deque<Future<?>> tasks = new ArrayDeque<>();
            for (int part = 0; part < 4; part++) {
                int offset = part;
                tasks.add(pool.submit(() -> {
                    go.await();
                    for (int i = offset; i < holds.size(); i += 4) {
                        holds.get(i).release();
                    }
                    return null;
                }));
            }
            go.countDown();
            Item end = null;
            while (!tasks.isEmpty()) {
                Item upTo = ledger.settledUpTo();
                end = upTo == null ? end : upTo;
                if (tasks.peek().isDone()) {
                    tasks.remove().get();
                }
            }
            Item last = ledger.settledUpTo();
            assertThat((last == null ? end : last).mark()).isEqualTo(changes);
            assertThat(ledger.isEmpty()).isTrue();
        } finally {
            pool.shutdownNow();
        }
    }
}
