package io.walroute.backfill;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SnapshotTest {
    @Test
    void a_streamed_transaction_that_was_still_under_way_or_began_later_is_missed() {
        var snapshot = new Snapshot(Set.of(100L, 103L), 105);

        assertThat(snapshot.misses(List.of(99L, 101L, 104L))).isFalse();
        assertThat(snapshot.misses(List.of(99L, 103L))).isTrue();
        assertThat(snapshot.misses(List.of(105L))).isTrue();
        assertThat(snapshot.misses(List.of())).isFalse();
    }

    @Test
    void ids_go_round() {
        long last = 0xFFFF_FFFFL;

        assertThat(new Snapshot(Set.of(), 5).misses(List.of(last - 3, last))).isFalse();
        assertThat(new Snapshot(Set.of(), last - 1).misses(List.of(3L))).isTrue();
    }
}
