package io.walroute.admin;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class CallLimitTest {
    private static final long START = Long.MAX_VALUE - 1; // System.nanoTime() may begin anywhere, and wrap
    private static final long SECOND = 1_000_000_000;

    private final CallLimit limit = new CallLimit(3, 0.5, START);

    private int taken(long now) {
        int taken = 0;
        while (limit.take(now)) {
            taken++;
        }
        return taken;
    }

    @Test
    void so_many_at_once_and_then_as_time_goes_on() {
        assertThat(taken(START)).isEqualTo(3);
        assertThat(limit.take(START)).isFalse();
        assertThat(taken(START + SECOND)).as("half a call").isZero();
        assertThat(taken(START + 2 * SECOND)).isEqualTo(1);
        assertThat(taken(START + 6 * SECOND)).isEqualTo(2);
    }

    @Test
    void what_is_saved_up_is_bounded() {
        assertThat(taken(START + 3_600 * SECOND)).isEqualTo(3);
    }

    @Test
    void a_clock_that_seems_to_go_back_gives_nothing() {
        assertThat(taken(START)).isEqualTo(3);
        assertThat(taken(START - 3_600 * SECOND)).isZero();
    }
}
