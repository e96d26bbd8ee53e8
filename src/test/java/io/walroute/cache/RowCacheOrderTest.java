package io.walroute.cache;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.testing.Redis;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Changes in every order and more than once: per key the last one wins, and no entry's version ever falls. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class RowCacheOrderTest {
    private static final int KEYS = 3;
    private TestCache it;

    @BeforeEach
    void emptyRedis() {
        it = new TestCache(Redis.shared());
        it.redis.flushall();
    }

    @AfterEach
    void close() {
        it.close();
    }

    @Test
    void every_order_of_a_few_changes_ends_the_same_and_never_goes_back() {
        var history = List.of(
                Change.insert(1, 1, "a"),
                Change.moved(2, 1, 2, "b"),
                Change.truncate(3),
                Change.insert(4, 1, "c"),
                Change.delete(5, 1));
        for (List<ChangeEvent> order : permutations(history)) {
            applyAndCheck(order, history, order.toString());
        }
        var shorter = List.of(
                Change.insert(1, 1, "a"), Change.delete(2, 1), Change.insert(3, 1, "b"), Change.moved(4, 1, 2, "c"));
        for (List<ChangeEvent> order : permutations(shorter)) {
            applyAndCheck(order, shorter, order.toString());
        }
    }

    @Test
    void random_histories_in_random_orders_with_repeats_end_as_the_tables() {
        long seed = System.nanoTime();
        var random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            List<ChangeEvent> history = history(random, 30);
            List<ChangeEvent> delivered = new ArrayList<>(history);
            for (int i = random.nextInt(30); i > 0; i--) {
                ChangeEvent again = history.get(random.nextInt(history.size()));
                delivered.add(random.nextBoolean() ? again : again.asReplayed());
            }
            Collections.shuffle(delivered, random);
            applyAndCheck(delivered, history, "seed " + seed + ", round " + round + ": " + delivered);
        }
    }

    @Test
    void a_stream_resent_from_anywhere_ends_as_the_tables_with_half_rows_too() {
        long seed = System.nanoTime();
        var random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            it.redis.flushall();
            var rows = new HashMap<Long, Map<String, Object>>();
            var history = new ArrayList<ChangeEvent>();
            for (int lsn = 1; lsn <= 30; lsn++) {
                history.add(halfOrWhole(random, lsn, rows));
            }
            history.forEach(it::apply);
            for (int resent = 0; resent < 3; resent++) {
                int from = random.nextInt(history.size());
                history.subList(from, history.size()).forEach(it::apply);
            }
            var cached = new TreeMap<Long, String>();
            for (String key : it.redis.keys("items:*")) {
                cached.put(Long.parseLong(key.substring(6)), withoutVersion(it.redis.get(key)));
            }
            var expected = new TreeMap<Long, String>();
            rows.forEach((id, row) -> expected.put(id, ChangeJson.writeRow(row)));
            assertThat(cached).as("seed %d, round %d: %s", seed, round, history).isEqualTo(expected);
        }
    }

    @Test
    void changes_of_a_key_that_arrive_at_once_from_two_instances_end_the_same() {
        long seed = System.nanoTime();
        var random = new Random(seed);
        try (var second = new TestCache(Redis.shared())) {
            for (int round = 0; round < 60; round++) {
                it.redis.flushall();
                List<ChangeEvent> history = history(random, 60);
                var answers = new ArrayList<CompletableFuture<RowCache.Outcome>>();
                for (ChangeEvent event : history) {
                    answers.add(it.cache.apply(event, TestCache.FOR_EVER));
                    answers.add(second.cache.apply(event, TestCache.FOR_EVER));
                }
                answers.forEach(TestCache::await);
                assertThat(cached())
                        .as("seed %d, round %d: %s", seed, round, history)
                        .isEqualTo(last(history));
            }
        }
    }

    private void applyAndCheck(List<ChangeEvent> delivered, List<ChangeEvent> history, String description) {
        it.redis.flushall();
        var seen = new HashMap<String, String>();
        for (ChangeEvent event : delivered) {
            it.apply(event);
            cached().forEach((key, version) -> assertThat(
                            seen.merge(key, version, (a, b) -> a.compareTo(b) > 0 ? a : b))
                    .as(() -> key + " went back after " + event + " in " + description)
                    .isEqualTo(version));
        }
        assertThat(cached()).as(description).isEqualTo(last(history));
    }

    /** Each cached key with its version. */
    private Map<String, String> cached() {
        var versions = new TreeMap<String, String>();
        for (int id = 1; id <= KEYS; id++) {
            String entry = it.redis.get("items:" + id);
            if (entry != null) {
                versions.put("items:" + id, WholeRow.version(entry.getBytes()));
            }
        }
        return versions;
    }

    /** What the last change of each key, or of the table, leaves. */
    private static Map<String, String> last(List<ChangeEvent> history) {
        var rows = new TreeMap<String, String>();
        for (ChangeEvent event : history) {
            String version = event.version().toText();
            switch (event.operation()) {
                case TRUNCATE -> rows.clear();
                case DELETE -> rows.remove("items:" + event.keyText());
                default -> {
                    rows.remove("items:" + event.oldKeyText());
                    rows.put("items:" + event.keyText(), version);
                }
            }
        }
        return rows;
    }

    /** What a table of few rows might go through; a change's place in the list is its LSN. */
    private static List<ChangeEvent> history(Random random, int length) {
        var present = new ArrayList<Long>();
        var history = new ArrayList<ChangeEvent>();
        for (int lsn = 1; lsn <= length; lsn++) {
            long id = 1 + random.nextInt(KEYS);
            if (random.nextInt(15) == 0) {
                history.add(Change.truncate(lsn));
                present.clear();
            } else if (!present.contains(id)) {
                history.add(Change.insert(lsn, id, "v" + lsn));
                present.add(id);
            } else {
                history.add(changeOf(random, lsn, id, present));
            }
        }
        return history;
    }

    private static ChangeEvent changeOf(Random random, int lsn, long id, List<Long> present) {
        long other = 1 + random.nextInt(KEYS);
        if (!present.contains(other)) {
            present.remove(id);
            present.add(other);
            return Change.moved(lsn, id, other, "v" + lsn);
        }
        if (random.nextInt(3) == 0) {
            present.remove(id);
            return Change.delete(lsn, id);
        }
        return Change.update(lsn, id, "v" + lsn);
    }

    /** The next change of rows {@code (id, name, big)}, made in {@code rows} too; updates may leave {@code big} out. */
    private static ChangeEvent halfOrWhole(Random random, int lsn, Map<Long, Map<String, Object>> rows) {
        long id = 1 + random.nextInt(KEYS);
        if (random.nextInt(20) == 0) {
            rows.clear();
            return Change.truncate(lsn);
        }
        var before = rows.get(id);
        if (before == null) {
            rows.put(id, Change.columns("id", id, "name", "v" + lsn, "big", "B" + lsn));
            return Change.of(Operation.INSERT, "items", lsn)
                    .key("id", id)
                    .newRow(rows.get(id))
                    .build();
        }
        if (random.nextInt(5) == 0) {
            rows.remove(id);
            return Change.delete(lsn, id);
        }
        long to = random.nextInt(3) == 0 ? 1 + random.nextInt(KEYS) : id;
        if (to != id && rows.containsKey(to)) {
            to = id;
        }
        rows.remove(id);
        rows.put(to, Change.columns("id", to, "name", "v" + lsn, "big", before.get("big")));
        var change = Change.half(lsn, to, "v" + lsn);
        return (to == id ? change : change.oldRow(Change.columns("id", id))).build();
    }

    private static String withoutVersion(String entry) {
        return ChangeJson.writeRow(WholeRow.row(entry.getBytes()));
    }

    private static List<List<ChangeEvent>> permutations(List<ChangeEvent> events) {
        if (events.isEmpty()) {
            return List.of(List.of());
        }
        var all = new ArrayList<List<ChangeEvent>>();
        for (int i = 0; i < events.size(); i++) {
            var others = new ArrayList<>(events);
            ChangeEvent first = others.remove(i);
            for (var rest : permutations(others)) {
                var one = new ArrayList<>(Arrays.asList(first));
                one.addAll(rest);
                all.add(one);
            }
        }
        return all;
    }

    /** The control: without versions these checks must fail, else they prove nothing. */
    @Test
    void a_cache_that_takes_every_change_as_it_comes_would_fail_these_checks() {
        var history = List.of(Change.insert(1, 1, "a"), Change.update(2, 1, "b"));
        var byArrival = new TreeMap<String, Version>();
        for (var event : List.of(history.get(1), history.get(0))) {
            byArrival.put("items:" + event.keyText(), event.version());
        }
        assertThat(byArrival.get("items:1").toText()).isNotEqualTo(last(history).get("items:1"));
    }
}
