package io.walroute.store;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class TurnsTest {
    private static final long MS = 1_000_000;

    private final Turns turns = new Turns(0);
    private long now;
    private long held;
    private long longest;
    private long rested;

    private void run(long untilMs, long transactionMs, long idleMs, int waiting) {
        while (now < untilMs * MS) {
            long from = now;
            now += transactionMs * MS;
            held += transactionMs * MS;
            long rest = turns.restAfter(from, now, waiting);
            longest = Math.max(longest, rest);
            rested += rest;
            now += Math.max(rest, idleMs * MS);
        }
    }

    @Test
    void with_next_to_nothing_to_write_the_lock_is_free_half_of_the_time_and_nobody_waits_long() {
        run(20_000, 3, 0, 2);
        assertThat((double) held / now).isBetween(0.45, 0.55);
        assertThat(longest).isEqualTo(3 * MS);
    }

    @Test
    void with_little_to_write_the_lock_is_free_a_fifth_of_the_time_by_short_rests() {
        run(1_900, 4, 0, 20);
        assertThat((double) held / now).isBetween(0.75, 0.85);
        assertThat(longest).isEqualTo(MS);
    }

    @Test
    void with_little_to_write_but_no_end_everybody_has_asked_every_two_seconds_too() {
        run(2_200, 4, 0, 20);
        assertThat(longest).isEqualTo(110 * MS);
    }

    @Test
    void a_writer_that_rests_by_itself_is_not_made_to() {
        run(20_000, 3, 4, 2);
        assertThat(rested).as("a turn's first transaction tells nothing yet").isLessThanOrEqualTo(10 * 3 * MS);
    }

    @Test
    void with_much_to_write_everybody_has_asked_every_two_seconds() {
        long turnsOfOthers = 0;
        for (int second = 2; second <= 20; second += 2) {
            longest = 0;
            run(1_000L * second + 200, 60, 0, 100);
            turnsOfOthers += longest == 110 * MS ? 1 : 0;
        }
        assertThat(turnsOfOthers).isBetween(9L, 10L);
        assertThat((double) held / now).isGreaterThan(0.9);
    }

    @Test
    void on_a_slow_disk_rests_stay_short_and_everybody_has_asked_all_the_same() {
        run(1_900, 80, 0, 20);
        assertThat(longest).isEqualTo(10 * MS);
        run(2_200, 80, 0, 20);
        assertThat(longest).isEqualTo(110 * MS);
    }
}
