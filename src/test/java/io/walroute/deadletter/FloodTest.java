package io.walroute.deadletter;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class FloodTest {
    private static final long SECOND = 1_000_000_000L;

    private final Flood flood = new Flood(Duration.ofSeconds(10));

    @Test
    void the_first_is_said_and_of_the_others_in_each_period_only_how_many_they_were() {
        long now = Long.MAX_VALUE - SECOND; // the clock may turn over
        assertThat(flood.say(now)).isTrue();
        for (int i = 0; i < 500; i++) {
            assertThat(flood.say(now + SECOND)).isFalse();
        }
        assertThat(flood.rest(now + 9 * SECOND)).isZero();
        assertThat(flood.rest(now + 10 * SECOND)).isEqualTo(500);
        assertThat(flood.rest(now + 30 * SECOND)).isZero();
        assertThat(flood.say(now + 30 * SECOND)).isTrue();
    }

    @Test
    void one_after_a_quiet_time_is_said_at_once_unless_others_wait_to_be_summed_up() {
        assertThat(flood.say(0)).isTrue();
        assertThat(flood.say(11 * SECOND)).isTrue();
        assertThat(flood.say(12 * SECOND)).isFalse();
        assertThat(flood.say(22 * SECOND)).isFalse();
        assertThat(flood.rest(22 * SECOND)).isEqualTo(2);
    }
}
