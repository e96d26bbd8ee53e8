package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import java.lang.ref.WeakReference;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class LedgerTest {
    private final AtomicInteger wakes = new AtomicInteger();
    private final Ledger ledger = new Ledger(3, 1_000, wakes::incrementAndGet);

    private static Item change(int n, long bytes) {
        var event = ChangeEvent.builder(Operation.INSERT, "public", "t", Instant.EPOCH, new Version(1, new Lsn(n), 0))
                .build();
        return new Item(Item.Kind.CHANGE, event, null, null, null, "mark" + n, null, bytes);
    }

    @Test
    void the_slot_may_move_only_over_the_settled_prefix() {
        var first = ledger.submit(change(1, 10));
        var second = ledger.submit(change(2, 10));
        second.routeHold().release();
        assertThat(ledger.settledUpTo()).as("the first is open").isNull();
        first.routeHold().release();
        assertThat(ledger.settledUpTo().mark()).isEqualTo("mark2");
        assertThat(ledger.isEmpty()).isTrue();
        assertThat(ledger.heldBytes()).isZero();
    }

    @Test
    void a_change_is_settled_when_the_last_of_its_holds_is_released() {
        var entry = ledger.submit(change(1, 10));
        Settlement.Hold lane = entry.hold();
        entry.routeHold().release();
        entry.routeHold().release(); // a second call by the same holder doesn't count
        assertThat(ledger.settledUpTo()).isNull();
        lane.release();
        assertThat(ledger.settledUpTo().mark()).isEqualTo("mark1");
        assertThat(wakes).hasValue(1);
    }

    @Test
    void nobody_can_take_a_hold_on_a_settled_change() {
        var entry = ledger.submit(change(1, 10));
        entry.routeHold().release();
        assertThatThrownBy(entry::hold)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("settled already");
    }

    @Test
    void a_failed_change_is_never_settled_whatever_is_released_later() {
        var entry = ledger.submit(change(1, 10));
        Settlement.Hold lane = entry.hold();
        var cause = new IllegalStateException("sink");
        lane.fail(cause);
        lane.release();
        entry.routeHold().release();
        assertThat(ledger.settledUpTo()).isNull();
        assertThat(ledger.failure()).isSameAs(cause);
    }

    @Test
    void boundaries_take_part_in_the_prefix_and_rows_without_a_mark_confirm_nothing() {
        var row = ledger.submit(Item.change(change(1, 0).change(), null, 5));
        ledger.submitSettled(Item.boundary(Item.Kind.END, "end", null));
        assertThat(ledger.settledUpTo()).isNull();
        row.routeHold().release();
        assertThat(ledger.settledUpTo().mark()).isEqualTo("end");
    }

    @Test
    void it_is_full_by_count_and_by_bytes_but_lets_one_large_change_in_alone() {
        ledger.submit(change(1, 0));
        ledger.submit(change(2, 0));
        assertThat(ledger.isFull()).isFalse();
        ledger.submit(change(3, 0));
        assertThat(ledger.isFull()).isTrue();

        var byBytes = new Ledger(100, 1_000, () -> {});
        assertThat(byBytes.isFull()).isFalse();
        byBytes.submit(change(1, 5_000));
        assertThat(byBytes.isFull()).isTrue();
    }

    @Test
    void what_is_settled_behind_an_open_change_makes_room_up_to_five_times_the_limit() {
        ledger.submit(change(1, 10));
        for (int n = 2; n < 15; n++) {
            assertThat(ledger.isFull()).as("after %d", n - 1).isFalse();
            ledger.submit(change(n, 400)).routeHold().release();
            assertThat(ledger.settledUpTo()).isNull();
            assertThat(ledger.held()).isEqualTo(1);
            assertThat(ledger.heldBytes()).isEqualTo(10);
        }
        ledger.submit(change(15, 400)).routeHold().release();
        assertThat(ledger.isFull()).isTrue();
    }

    @Test
    void a_change_that_is_settled_behind_an_open_one_is_not_kept() {
        ledger.submit(row(1));
        Item settled = row(2);
        var change = new WeakReference<>(settled.change());
        ledger.submit(settled).routeHold().release();
        settled = null;
        await().until(() -> {
            System.gc();
            return change.get() == null;
        });
        assertThat(ledger.isEmpty()).isFalse();
    }

    /** As the stream has them: rows have no mark. */
    private static Item row(int n) {
        return Item.change(change(n, 0).change(), null, 10);
    }

    @Test
    void whatever_the_order_of_completions_the_prefix_is_exact() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        var many = new Ledger(100_000, Long.MAX_VALUE, () -> {});
        List<Settlement.Hold> holds = new ArrayList<>();
        var open = java.util.concurrent.ConcurrentHashMap.<Integer>newKeySet();
        var pool = Executors.newFixedThreadPool(4);
        try {
            int last = 0;
            for (int n = 1; n <= 20_000; n++) {
                int number = n;
                open.add(n);
                var entry = many.submit(change(n, 1));
                Settlement.Hold lane = entry.hold();
                pool.execute(entry.routeHold()::release);
                holds.add(new Settlement.Hold() {
                    @Override
                    public void release() {
                        open.remove(number);
                        lane.release();
                    }

                    @Override
                    public void fail(Throwable cause) {
                        lane.fail(cause);
                    }
                });
                if (random.nextInt(4) > 0 && !holds.isEmpty()) {
                    pool.execute(holds.remove(random.nextInt(holds.size()))::release);
                }
                Item settled = many.settledUpTo();
                if (settled != null) {
                    int upTo = Integer.parseInt(settled.mark().toString().substring(4));
                    assertThat(upTo).as("seed %d", seed).isGreaterThan(last);
                    last = upTo;
                    for (int each = Math.max(1, upTo - 200); each <= upTo; each++) {
                        assertThat(open).as("seed %d: %d is open", seed, each).doesNotContain(each);
                    }
                }
            }
            holds.forEach(Settlement.Hold::release);
        } finally {
            pool.shutdown();
            pool.awaitTermination(10, java.util.concurrent.TimeUnit.SECONDS);
        }
        many.settledUpTo();
        assertThat(many.isEmpty()).as("seed %d", seed).isTrue();
        assertThat(many.heldBytes()).isZero();
    }
}
