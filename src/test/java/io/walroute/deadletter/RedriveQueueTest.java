package io.walroute.deadletter;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.deadletter.RedriveQueue.Parked;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class RedriveQueueTest {
    private static final Instant NOW = Instant.parse("2026-01-31T12:00:00Z");
    private static final Instant LATER = NOW.plusSeconds(60);

    private static Parked parked(long id, String key) {
        return new Parked(id, "public.listings", key, null, NOW, 0, 1);
    }

    private static Parked notDue(long id, String key) {
        return new Parked(id, "public.listings", key, null, LATER, 0, 1);
    }

    private static RedriveQueue queue(Set<Long> inFlight, Parked... parked) {
        var queue = new RedriveQueue(NOW, inFlight);
        for (Parked each : parked) {
            queue.add(each);
        }
        return queue;
    }

    private static List<Long> all(RedriveQueue queue) {
        var ids = new ArrayList<Long>();
        for (Parked next = queue.next(); next != null; next = queue.next()) {
            ids.add(next.id());
        }
        return ids;
    }

    @Test
    void of_one_key_only_the_first_is_given_out_until_it_is_gone() {
        var queue = queue(Set.of(), parked(1, "a"), parked(2, "a"), parked(3, "b"));
        assertThat(all(queue)).containsExactly(1L, 3L);
        queue.finish(1, true);
        assertThat(all(queue)).containsExactly(2L);
    }

    @Test
    void those_behind_one_that_failed_again_stay() {
        var queue = queue(Set.of(), parked(1, "a"), parked(2, "a"), parked(3, "a"));
        assertThat(all(queue)).containsExactly(1L);
        queue.finish(1, false);
        assertThat(all(queue)).isEmpty();
        assertThat(queue.isExhausted()).isTrue();
    }

    @Test
    void one_that_is_not_due_holds_back_those_behind_it() {
        var queue = queue(Set.of(), notDue(1, "a"), parked(2, "a"), parked(3, "b"));
        assertThat(all(queue)).containsExactly(3L);
        assertThat(queue.nextDue()).isEqualTo(LATER);
    }

    @Test
    void a_truncation_waits_for_all_before_it_and_all_behind_wait_for_it() {
        var queue = queue(Set.of(), parked(1, "a"), parked(2, "b"), parked(3, null), parked(4, "a"), parked(5, null));
        assertThat(all(queue)).containsExactly(1L, 2L);
        queue.finish(1, true);
        assertThat(all(queue)).isEmpty();
        queue.finish(2, true);
        assertThat(all(queue)).containsExactly(3L);
        queue.finish(3, true);
        assertThat(all(queue)).containsExactly(4L);
        queue.finish(4, true);
        assertThat(all(queue)).containsExactly(5L);
    }

    @Test
    void a_changed_key_holds_both_keys() {
        var moved = new Parked(2, "public.listings", "b", "a", NOW, 0, 1);
        var queue = queue(Set.of(), parked(1, "a"), moved, parked(3, "a"), parked(4, "b"));
        assertThat(all(queue)).containsExactly(1L);
        queue.finish(1, true);
        assertThat(all(queue)).containsExactly(2L);
        queue.finish(2, true);
        assertThat(all(queue)).containsExactly(3L, 4L);
    }

    @Test
    void what_is_under_way_holds_back_the_next_in_a_queue_made_meanwhile() {
        var queue = queue(Set.of(1L), parked(1, "a"), parked(2, "a"));
        assertThat(all(queue)).isEmpty();
        queue.finish(1, true);
        assertThat(all(queue)).containsExactly(2L);
    }

    @Test
    void a_long_queue_says_that_there_is_more() {
        var queue = new RedriveQueue(NOW, Set.of());
        int id = 0;
        while (queue.add(parked(++id, "k" + id))) {
            assertThat(id).isLessThan(100_000);
        }
        assertThat(queue.isComplete()).isFalse();
    }

    @Test
    void whatever_fails_no_delivery_overtakes_one_of_its_key() {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        var random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            var rows = new ArrayList<Parked>();
            for (long id = 1; id <= 30; id++) {
                String key = random.nextInt(8) == 0 ? null : "k" + random.nextInt(5);
                String old = key != null && random.nextInt(4) == 0 ? "k" + random.nextInt(5) : null;
                Instant due = random.nextInt(6) == 0 ? LATER : NOW;
                rows.add(new Parked(id, "t", key, Objects.equals(old, key) ? null : old, due, 0, 1));
            }
            var left = new ArrayList<>(rows);
            var flying = new HashSet<Long>();
            var queue = queue(flying, rows.toArray(Parked[]::new));
            for (int step = 0; step < 200; step++) {
                Parked next = queue.next();
                if (next != null) {
                    assertThat(left.stream().filter(row -> row.id() < next.id() && conflict(row, next)))
                            .as("seed %d: %s overtakes", seed, next)
                            .isEmpty();
                    flying.add(next.id());
                } else if (!flying.isEmpty()) {
                    long id = flying.iterator().next();
                    flying.remove(id);
                    boolean gone = random.nextInt(4) > 0;
                    if (gone) {
                        left.removeIf(row -> row.id() == id);
                    }
                    queue.finish(id, gone);
                } else {
                    queue = queue(flying, left.toArray(Parked[]::new));
                }
            }
            assertThat(left)
                    .allSatisfy(row -> assertThat(left)
                            .as("seed %d: %s is held back by nothing", seed, row)
                            .anyMatch(before -> before.due().equals(LATER)));
        }
    }

    private static boolean conflict(Parked a, Parked b) {
        if (a.key() == null || b.key() == null) {
            return true;
        }
        return a.key().equals(b.key())
                || a.key().equals(b.oldKey())
                || a.oldKey() != null
                        && (a.oldKey().equals(b.key()) || a.oldKey().equals(b.oldKey()));
    }
}
