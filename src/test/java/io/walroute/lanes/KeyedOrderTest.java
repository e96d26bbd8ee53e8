package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class KeyedOrderTest {
    private final KeyedOrder<String> order = new KeyedOrder<>();
    private final Map<String, KeyedOrder.Place<String>> places = new HashMap<>();
    private final List<String> mayRun = new ArrayList<>();

    @Test
    void different_keys_run_side_by_side_and_one_key_in_order() {
        add("a1", key("a"));
        add("b1", key("b"));
        add("a2", key("a"));
        assertThat(mayRun).containsExactly("a1", "b1");
        complete("a1");
        assertThat(mayRun).containsExactly("a1", "b1", "a2");
    }

    @Test
    void a_changed_key_waits_for_both_keys_and_holds_both() {
        add("a1", key("a"));
        add("b1", key("b"));
        add("a to b", new Claim("t", "b", "a"));
        add("a2", key("a"));
        add("b2", key("b"));
        complete("a1");
        assertThat(mayRun).containsExactly("a1", "b1");
        complete("b1");
        assertThat(mayRun).containsExactly("a1", "b1", "a to b");
        complete("a to b");
        assertThat(mayRun).containsExactly("a1", "b1", "a to b", "a2", "b2");
    }

    @Test
    void a_truncate_waits_for_every_key_of_its_table_and_holds_every_later_one() {
        add("a1", key("a"));
        add("b1", key("b"));
        add("truncate", whole());
        add("a2", key("a"));
        add("c1", key("c"));
        add("other", new Claim("other table", "a", null));
        complete("b1");
        assertThat(mayRun).containsExactly("a1", "b1", "other");
        complete("a1");
        assertThat(mayRun).containsExactly("a1", "b1", "other", "truncate");
        complete("truncate");
        assertThat(mayRun).containsExactly("a1", "b1", "other", "truncate", "a2", "c1");
    }

    @Test
    void a_truncate_waits_for_a_changed_key_once_though_it_claims_two() {
        add("a to b", new Claim("t", "b", "a"));
        add("truncate", whole());
        complete("a to b");
        assertThat(mayRun).containsExactly("a to b", "truncate");
    }

    @Test
    void changes_of_a_table_without_a_key_run_one_after_the_other() {
        add("1", whole());
        add("2", whole());
        add("3", whole());
        assertThat(mayRun).containsExactly("1");
        complete("1");
        complete("2");
        assertThat(mayRun).containsExactly("1", "2", "3");
    }

    @Test
    void nothing_is_kept_once_all_is_done() {
        add("a1", key("a"));
        add("a to b", new Claim("t", "b", "a"));
        add("truncate", whole());
        add("b1", key("b"));
        List.of("a1", "a to b", "truncate", "b1").forEach(this::complete);
        assertThat(order.isEmpty()).isTrue();
    }

    @Test
    void everything_that_waits_for_a_delivery_can_be_told() {
        add("a1", key("a"));
        add("b1", key("b"));
        add("a to b", new Claim("t", "b", "a"));
        add("b2", key("b"));
        add("c1", key("c"));
        assertThat(order.behind(places.get("a1"))).containsExactlyInAnyOrder("a to b", "b2");
        assertThat(order.behind(places.get("c1"))).isEmpty();
    }

    /** The check is an order of its own: for each pair that shares a key, the earlier one has ended before the later runs. */
    @RepeatedTest(20)
    void whatever_comes_and_however_it_ends_each_key_keeps_its_order() {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        var random = new Random(seed);
        var keyed = new KeyedOrder<Integer>();
        List<Claim> claims = new ArrayList<>();
        List<KeyedOrder.Place<Integer>> all = new ArrayList<>();
        List<Integer> running = new ArrayList<>();
        Set<Integer> done = new HashSet<>();
        int total = 600;
        while (done.size() < total) {
            if (claims.size() < total && random.nextInt(5) < 3) {
                Claim claim = randomClaim(random);
                claims.add(claim);
                all.add(keyed.add(claims.size() - 1, claim));
                if (all.get(all.size() - 1).mayRun()) {
                    checkStart(seed, claims.size() - 1, claims, done);
                    running.add(claims.size() - 1);
                }
            } else if (!running.isEmpty()) {
                int one = running.remove(random.nextInt(running.size()));
                done.add(one);
                keyed.complete(all.get(one), next -> {
                    checkStart(seed, next, claims, done);
                    running.add(next);
                });
            } else {
                assertThat(done)
                        .as("seed %d: nothing runs though all is not done", seed)
                        .hasSize(claims.size());
            }
        }
        assertThat(keyed.isEmpty()).as("seed %d: nothing is left behind", seed).isTrue();
    }

    private static void checkStart(long seed, int index, List<Claim> claims, Set<Integer> done) {
        for (int earlier = 0; earlier < index; earlier++) {
            if (share(claims.get(earlier), claims.get(index))) {
                assertThat(done)
                        .as(
                                "seed %d: %d %s must end before %d %s",
                                seed, earlier, claims.get(earlier), index, claims.get(index))
                        .contains(earlier);
            }
        }
    }

    private static void checkNoneWaitsInVain(long seed, List<Claim> claims, List<Integer> running, Set<Integer> done) {
        for (int one = 0; one < claims.size(); one++) {
            if (!done.contains(one) && !running.contains(one)) {
                int waiting = one;
                assertThat(java.util.stream.IntStream.range(0, one)
                                .filter(earlier -> !done.contains(earlier))
                                .anyMatch(earlier -> share(claims.get(earlier), claims.get(waiting))))
                        .as("seed %d: %d %s waits for nothing", seed, waiting, claims.get(waiting))
                        .isTrue();
            }
        }
    }

    private static boolean share(Claim a, Claim b) {
        return a.table().equals(b.table())
                && (a.wholeTable()
                        || b.wholeTable()
                        || a.key().equals(b.key())
                        || a.key().equals(b.oldKey())
                        || b.key().equals(a.oldKey())
                        || (a.oldKey() != null && a.oldKey().equals(b.oldKey())));
    }

    private static Claim randomClaim(Random random) {
        String table = "t" + random.nextInt(3);
        int kind = random.nextInt(20);
        if (kind == 0) {
            return new Claim(table, null, null);
        }
        int key = random.nextInt(8);
        return new Claim(table, "k" + key, kind < 4 ? "k" + (key + 1 + random.nextInt(7)) % 8 : null);
    }

    private void add(String delivery, Claim claim) {
        places.put(delivery, order.add(delivery, claim));
        if (places.get(delivery).mayRun()) {
            mayRun.add(delivery);
        }
    }

    private void complete(String delivery) {
        order.complete(places.get(delivery), mayRun::add);
    }

    private static Claim key(String key) {
        return new Claim("t", key, null);
    }

    private static Claim whole() {
        return new Claim("t", null, null);
    }
}
