package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.slot.WalBudget.Lag;
import io.walroute.slot.WalBudget.Rates;
import io.walroute.slot.WalBudget.Sample;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Rates, time to invalidation and lag, out of samples of which all is known. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class WalBudgetTest {
    private static final Instant START = Instant.parse("2026-01-31T12:00:00Z");

    private final WalBudget budget = new WalBudget();

    private void at(int second, long wal, long confirmed, long kept, Long safe) {
        budget.add(new Sample(START.plusSeconds(second), wal, confirmed, kept, safe));
    }

    @Test
    void one_sample_tells_no_rate() {
        at(0, 1000, 1000, 0, 500L);

        assertThat(budget.rates()).isEmpty();
        assertThat(budget.untilInvalidation()).isEmpty();
        assertThat(budget.lag()).contains(new Lag(Duration.ZERO, false));
    }

    @Test
    void a_slot_that_stands_still_burns_what_is_written() {
        at(0, 1000, 1000, 0, 1000L);
        at(10, 1500, 1000, 500, 500L);

        assertThat(budget.rates()).contains(new Rates(50, 50, Duration.ofSeconds(10)));
        assertThat(budget.untilInvalidation()).contains(Duration.ofSeconds(10));
    }

    @Test
    void a_slot_that_keeps_up_burns_nothing() {
        at(0, 1000, 1000, 300, 1000L);
        at(10, 9000, 9000, 300, 1000L);

        assertThat(budget.rates()).contains(new Rates(800, 0, Duration.ofSeconds(10)));
        assertThat(budget.untilInvalidation()).isEmpty();
    }

    @Test
    void a_slot_that_keeps_up_is_not_heading_for_invalidation_where_what_it_keeps_swings() {
        at(0, 1_000_000, 999_000, 1_000, 50_000_000L);
        at(5, 1_500_000, 1_498_000, 501_000, 49_500_000L); // not let go of yet
        assertThat(budget.rates().orElseThrow().burnBytesPerSecond()).isEqualTo(100_000);
        assertThat(budget.untilInvalidation()).isEmpty();

        at(70, 8_000_000, 7_990_000, 900_000, 49_100_000L); // let go of, and grown again
        assertThat(budget.rates().orElseThrow().burnBytesPerSecond()).isPositive();
        assertThat(budget.untilInvalidation()).isEmpty();
    }

    @Test
    void a_slot_that_follows_is_heading_for_invalidation_while_something_else_holds_its_wal() {
        at(0, 1_000_000, 999_000, 1_000, 50_000_000L);
        at(60, 7_000_000, 6_999_000, 6_001_000, 44_000_000L); // the server let go of nothing for a minute

        assertThat(budget.untilInvalidation()).contains(Duration.ofSeconds(440));
    }

    @Test
    void a_swing_counts_where_less_than_half_of_the_room_is_left() {
        at(0, 1_000_000, 999_000, 20_000_000, 19_000_000L);
        at(10, 2_000_000, 1_999_000, 21_000_000, 18_000_000L);

        assertThat(budget.untilInvalidation()).contains(Duration.ofSeconds(180));
    }

    @Test
    void a_slot_that_falls_behind_is_heading_for_invalidation_though_it_moves() {
        at(0, 1_000_000, 900_000, 150_000, 50_000_000L);
        at(60, 7_000_000, 4_000_000, 3_150_000, 47_000_000L);

        assertThat(budget.untilInvalidation()).contains(Duration.ofSeconds(940));
    }

    @Test
    void without_a_limit_nothing_is_ever_invalidated_and_with_none_left_it_is_now() {
        at(0, 1000, 1000, 0, null);
        at(10, 1500, 1000, 500, null);
        assertThat(budget.untilInvalidation()).isEmpty();

        at(20, 2000, 1000, 1000, -5L);
        assertThat(budget.untilInvalidation()).contains(Duration.ZERO);
    }

    @Test
    void the_rate_is_that_of_the_last_minute() {
        at(0, 0, 0, 0, null);
        at(60, 6_000_000, 0, 6_000_000, null);
        at(120, 6_000_060, 0, 6_000_060, null);

        assertThat(budget.rates()).contains(new Rates(1, 1, Duration.ofSeconds(60)));
    }

    @Test
    void the_lag_is_the_age_of_the_wal_just_behind_the_confirmed_position() {
        at(0, 1000, 1000, 0, null);
        at(10, 2000, 1000, 0, null);
        at(20, 3000, 1500, 0, null);

        assertThat(budget.lag()).contains(new Lag(Duration.ofSeconds(15), false));
    }

    @Test
    void what_was_behind_already_at_the_first_look_is_at_least_as_old() {
        at(0, 1000, 400, 0, null);
        at(10, 1000, 400, 0, null);

        assertThat(budget.lag()).contains(new Lag(Duration.ofSeconds(10), true));
    }

    @Test
    void another_server_begins_anew() {
        at(0, 9000, 9000, 0, null);
        at(10, 100, 100, 0, null);

        assertThat(budget.rates()).isEmpty();
    }

    @Test
    void a_day_of_lag_is_remembered_within_bounds() {
        int day = 24 * 3600;
        for (int second = 0; second <= day; second += 2) {
            at(second, 1000 + second, 1000 + 3600, 0, null);
        }

        assertThat(budget.lag().orElseThrow().age())
                .isBetween(Duration.ofSeconds(day - 3600 - 60), Duration.ofSeconds(day - 3600 + 60));
        assertThat(budget.size()).isLessThan(2000);
    }
}
