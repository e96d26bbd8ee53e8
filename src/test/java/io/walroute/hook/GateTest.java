package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class GateTest {
    private static final long MS = 1_000_000;

    @Test
    void starts_in_arrival_order_and_no_more_than_may_run() {
        var gate = new Gate<Integer>(2, null);
        List.of(1, 2, 3).forEach(gate::add);

        assertThat(gate.next(0)).isEqualTo(1);
        assertThat(gate.next(0)).isEqualTo(2);
        assertThat(gate.next(0)).isNull();
        gate.finished();
        assertThat(gate.next(0)).isEqualTo(3);
    }

    @Test
    void a_pause_holds_what_waits_and_says_how_long() {
        var gate = new Gate<Integer>(2, null);
        gate.add(1);
        gate.pauseUntil(5 * MS);
        gate.pauseUntil(3 * MS);

        assertThat(gate.next(4 * MS)).isNull();
        assertThat(gate.waitNanos(4 * MS)).isEqualTo(MS);
        assertThat(gate.next(5 * MS)).isEqualTo(1);
    }

    @Test
    void a_pause_works_across_the_clocks_overflow() {
        var gate = new Gate<Integer>(1, null);
        gate.add(1);
        gate.pauseUntil(Long.MAX_VALUE + 5);

        assertThat(gate.next(Long.MAX_VALUE - 5)).isNull();
        assertThat(gate.next(Long.MAX_VALUE + 5)).isEqualTo(1);
    }

    @Test
    void a_rate_holds_over_a_second_and_lets_a_tenth_of_it_through_at_once() {
        var gate = new Gate<Integer>(1000, new TokenBucket(100, 0));
        for (int i = 0; i < 1000; i++) {
            gate.add(i);
        }

        List<Long> startedAtMs = new ArrayList<>();
        for (long ms = 0; ms < 1000; ms++) {
            while (gate.next(ms * MS) != null) {
                startedAtMs.add(ms);
            }
            assertThat(gate.waitNanos(ms * MS)).isBetween(1L, 10 * MS);
        }

        assertThat(startedAtMs).hasSizeBetween(108, 110);
        assertThat(startedAtMs.stream().filter(ms -> ms == 0)).hasSize(10);
    }

    @Test
    void a_rate_below_one_a_second_still_lets_one_through() {
        var gate = new Gate<Integer>(1, new TokenBucket(0.5, 0));
        gate.add(1);
        gate.add(2);

        assertThat(gate.next(0)).isEqualTo(1);
        gate.finished();
        assertThat(gate.waitNanos(0)).isEqualTo(2_000 * MS);
        assertThat(gate.next(1_999 * MS)).isNull();
        assertThat(gate.next(2_000 * MS)).isEqualTo(2);
    }
}
