package io.walroute.cache;

import static io.walroute.cache.Change.columns;
import static io.walroute.cache.Change.delete;
import static io.walroute.cache.Change.half;
import static io.walroute.cache.Change.insert;
import static io.walroute.cache.Change.moved;
import static io.walroute.cache.Change.read;
import static io.walroute.cache.Change.row;
import static io.walroute.cache.Change.truncate;
import static io.walroute.cache.Change.update;
import static io.walroute.cache.Change.version;
import static io.walroute.cache.TestCache.await;
import static io.walroute.cache.TestCache.expiring;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.cache.RowCache.Keeping;
import io.walroute.cache.RowCache.Outcome;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.RawJson;
import io.walroute.change.Version;
import io.walroute.testing.Redis;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class RowCacheTest {
    private final Map<Object, Map<String, Object>> database = new HashMap<>();
    private final AtomicBoolean databaseDown = new AtomicBoolean();
    private TestCache it;

    @BeforeEach
    void emptyRedis() {
        it = new TestCache(Redis.shared(), (schema, table, key) -> {
            if (databaseDown.get()) {
                throw new IllegalStateException("connection refused");
            }
            return Optional.ofNullable(database.get(key.get("id")));
        });
        it.redis.flushall();
    }

    @AfterEach
    void close() {
        it.close();
    }

    private static String entry(long lsn, String columns) {
        return "{" + columns + ",\"_version\":\"" + version(lsn).toText() + "\"}";
    }

    private String get(String key) {
        return it.redis.get(key);
    }

    // Entries

    @Test
    void an_entry_is_the_row_as_JSON_with_its_version_last() {
        assertThat(it.apply(insert(1, 42, "a"))).isEqualTo(Outcome.WRITTEN);
        assertThat(get("items:42"))
                .isEqualTo("{\"id\":42,\"name\":\"a\",\"_version\":\"00000001-0000000000000001-00000000\"}");
        it.apply(update(2, 42, "b"));
        assertThat(get("items:42")).isEqualTo(entry(2, "\"id\":42,\"name\":\"b\""));
        assertThat(it.apply(delete(3, 42))).isEqualTo(Outcome.REMOVED);
        assertThat(get("items:42")).isNull();
    }

    @Test
    void the_schema_stands_in_front_unless_public_and_a_prefix_before_all() {
        var event = ChangeEvent.builder(Operation.INSERT, "billing", "invoices", Instant.EPOCH, version(1))
                .key("id", 7L)
                .newRow(columns("id", 7L))
                .build();
        it.apply(event);
        it.apply(event, new Keeping("app:", null, null));
        assertThat(it.redis.keys("*invoices*"))
                .containsExactlyInAnyOrder("billing.invoices:7", "app:billing.invoices:7");
    }

    @Test
    void keys_of_several_columns_with_colons_and_percent_signs_stay_apart() {
        for (var key : List.of(columns("a", "x:y", "b", "z%"), columns("a", "x", "b", "y:z%"))) {
            it.apply(
                    Change.of(Operation.INSERT, "pairs", 1).key(key).newRow(key).build());
        }
        assertThat(it.redis.keys("*pairs*")).containsExactlyInAnyOrder("pairs:x%3Ay:z%25", "pairs:x:y%3Az%25");
    }

    @Test
    void names_may_hold_any_character() {
        for (String table : List.of("Größe der \"Ü\"", "表", "a b", "")) {
            it.apply(Change.of(Operation.INSERT, table, 1)
                    .key("id", "schlüssel")
                    .newRow(columns("id", "schlüssel"))
                    .build());
            assertThat(get(table + ":schlüssel")).contains("\"_version\"");
        }
    }

    @Test
    void a_table_without_a_key_is_filtered() {
        var event =
                Change.of(Operation.INSERT, "log", 1).newRow(columns("a", 1L)).build();
        assertThat(it.apply(event)).isEqualTo(Outcome.FILTERED);
        assertThat(it.redis.dbsize()).isZero();
    }

    @Test
    void a_table_may_have_a_column_named_like_the_version() {
        it.apply(Change.of(Operation.INSERT, "items", 1)
                .key("id", 1L)
                .newRow(columns("id", 1L, "_version", "theirs"))
                .build());
        it.apply(Change.of(Operation.UPDATE, "items", 2)
                .key("id", 1L)
                .newRow(columns("id", 1L))
                .unavailableColumns(List.of("_version"))
                .build());
        assertThat(get("items:1")).isEqualTo(entry(2, "\"id\":1,\"_version\":\"theirs\""));
    }

    // Never backwards

    @Test
    void an_older_or_the_same_change_leaves_a_newer_row_alone() {
        it.apply(insert(5, 1, "new"));
        assertThat(it.apply(update(4, 1, "old"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(delete(3, 1))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(update(5, 1, "same version, other text"))).isEqualTo(Outcome.OLDER);
        assertThat(get("items:1")).contains("\"new\"");
    }

    @Test
    void a_replayed_update_does_not_bring_back_a_deleted_row() {
        it.apply(insert(1, 1, "a"));
        it.apply(delete(3, 1));
        assertThat(it.apply(update(2, 1, "b").asReplayed())).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(insert(1, 1, "a"))).isEqualTo(Outcome.OLDER);
        assertThat(get("items:1")).isNull();
        it.apply(insert(4, 1, "again"));
        assertThat(get("items:1")).contains("again");
    }

    @Test
    void versions_compare_by_epoch_then_unsigned_LSN_then_position() {
        var ascending = List.of(
                new Version(0, new Lsn(-1), 9),
                new Version(1, new Lsn(0x9F), 0),
                new Version(1, new Lsn(0xA0), 0),
                new Version(1, new Lsn(0xA0), 10),
                new Version(1, new Lsn(0x7FFF_FFFF_FFFF_FFFFL), 0),
                new Version(1, new Lsn(0x8000_0000_0000_0000L), 0),
                new Version(10, new Lsn(0), 0));
        for (int last = 0; last < ascending.size(); last++) {
            it.apply(at(ascending.get(last)));
            for (int other = 0; other <= last; other++) {
                assertThat(it.apply(at(ascending.get(other)))).isEqualTo(Outcome.OLDER);
            }
            assertThat(get("items:1")).contains(ascending.get(last).toText());
        }
    }

    private static ChangeEvent at(Version version) {
        return ChangeEvent.builder(Operation.UPDATE, "public", "items", Instant.EPOCH, version)
                .key("id", 1L)
                .newRow(row(1, "x"))
                .build();
    }

    @Test
    void a_read_row_never_beats_a_change_or_a_deletion() {
        it.apply(insert(10, 1, "streamed"));
        it.apply(delete(11, 2));
        it.apply(truncate(12, "items_of_old"));
        assertThat(it.apply(read(9, 1, "read"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(read(9, 2, "read"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(read(9, 3, "read"))).isEqualTo(Outcome.WRITTEN);
        assertThat(it.apply(update(10, 3, "streamed"))).isEqualTo(Outcome.WRITTEN);
        assertThat(get("items:2")).isNull();
    }

    // Changed keys

    @Test
    void a_changed_key_moves_the_entry_and_nothing_older_brings_it_back() {
        it.apply(insert(1, 1, "a"));
        assertThat(it.apply(moved(2, 1, 2, "a"))).isEqualTo(Outcome.WRITTEN);
        assertThat(it.redis.keys("items:*")).containsExactly("items:2");
        assertThat(it.apply(insert(1, 1, "a"))).isEqualTo(Outcome.OLDER);
        it.apply(insert(3, 1, "b"));
        assertThat(it.apply(moved(2, 1, 2, "a"))).isEqualTo(Outcome.OLDER);
        assertThat(it.redis.keys("items:*")).containsExactlyInAnyOrder("items:1", "items:2");
    }

    @Test
    void the_former_key_goes_even_if_the_new_one_is_newer_already() {
        it.apply(insert(1, 1, "a"));
        it.apply(update(3, 2, "b"));
        assertThat(it.apply(moved(2, 1, 2, "a"))).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.keys("items:*")).containsExactly("items:2");
        assertThat(get("items:2")).contains("\"b\"");
    }

    // Truncation

    @Test
    void a_truncation_removes_all_older_entries_of_its_table_only() {
        for (String table : List.of("items", "items2", "a*b[c]?", "aXb[c]?", "a*bc?", "back\\slash", "backslash")) {
            for (long id = 0; id < 1_500; id += 500) {
                it.apply(Change.of(Operation.INSERT, table, 1)
                        .key("id", id)
                        .newRow(columns("id", id))
                        .build());
            }
        }
        it.apply(update(7, 500, "newer"));
        it.redis.set("items:other's", "not ours");
        it.redis.lpush("items:list", "not ours");

        it.apply(truncate(5));
        it.apply(truncate(5, "a*b[c]?"));
        it.apply(truncate(5, "back\\slash"));

        assertThat(it.redis.keys("items:*")).containsExactlyInAnyOrder("items:500", "items:other's", "items:list");
        var left = it.redis.keys("*");
        assertThat(left).filteredOn(key -> key.startsWith("items2:")).hasSize(3);
        assertThat(left).filteredOn(key -> key.startsWith("aXb[c]?:")).hasSize(3);
        assertThat(left).filteredOn(key -> key.startsWith("a*bc?:")).hasSize(3);
        assertThat(left).filteredOn(key -> key.startsWith("backslash:")).hasSize(3);
        assertThat(left).noneMatch(key -> key.startsWith("a*b[c]?:") || key.startsWith("back\\slash:"));
    }

    @Test
    void nothing_older_than_a_truncation_comes_back() {
        it.apply(insert(1, 1, "a"));
        it.apply(truncate(3));
        assertThat(it.apply(insert(2, 1, "b"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(truncate(2))).isEqualTo(Outcome.REMOVED);
        assertThat(it.apply(insert(2, 1, "b"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(insert(4, 1, "c"))).isEqualTo(Outcome.WRITTEN);
    }

    @Test
    void a_truncation_goes_through_many_keys() {
        var writes = new ArrayList<CompletableFuture<Outcome>>();
        for (long id = 0; id < 5_000; id++) {
            writes.add(it.cache.apply(insert(1, id, "x"), TestCache.FOR_EVER));
        }
        writes.forEach(TestCache::await);
        it.apply(truncate(2));
        assertThat(it.redis.keys("items:*")).isEmpty();
    }

    // Half rows

    @Test
    void a_left_out_column_comes_from_the_old_row() {
        it.apply(half(2, 1, "b")
                .oldRow(columns("id", 1L, "name", "a", "big", "B"))
                .build());
        assertThat(get("items:1")).isEqualTo(entry(2, "\"id\":1,\"name\":\"b\",\"big\":\"B\""));
    }

    @Test
    void a_left_out_column_comes_from_the_entry_before_with_every_digit() {
        String json = "{\"b\": 1.10000000000000000000000001, \"a\": [1e400, \"ü\\u0041\"]}";
        it.apply(Change.of(Operation.INSERT, "items", 1)
                .key("id", 1L)
                .newRow(columns("id", 1L, "big", new RawJson(json), "name", "a", "f", 0.1f, "n", null))
                .build());
        it.apply(Change.of(Operation.UPDATE, "items", 2)
                .key("id", 1L)
                .newRow(columns("id", 1L, "name", "b"))
                .unavailableColumns(List.of("big", "f", "n"))
                .build());
        assertThat(get("items:1"))
                .isEqualTo(entry(2, "\"id\":1,\"big\":" + json + ",\"name\":\"b\",\"f\":0.1,\"n\":null"));
    }

    @Test
    void a_moved_half_row_is_completed_from_its_former_key() {
        it.apply(whole(1, 1, "a", "B1"));
        it.apply(whole(1, 2, "z", "B2"));
        it.apply(delete(2, 2));
        it.apply(half(3, 2, "a").oldRow(columns("id", 1L)).build());
        assertThat(it.redis.keys("items:*")).containsExactly("items:2");
        assertThat(get("items:2")).contains("\"B1\"");
    }

    @Test
    void a_half_row_without_an_entry_is_read_from_the_database() {
        database.put(1L, columns("id", 1L, "name", "b", "unpublished", "x", "big", "B"));
        it.apply(half(2, 1, "b").build());
        assertThat(get("items:1")).isEqualTo(entry(2, "\"id\":1,\"name\":\"b\",\"big\":\"B\""));
    }

    @Test
    void a_half_row_is_removed_when_the_database_has_another_row_by_now() {
        it.apply(insert(1, 1, "a"));
        database.put(1L, columns("id", 1L, "name", "c", "big", "newer"));
        assertThat(it.apply(half(2, 1, "b").build())).isEqualTo(Outcome.REMOVED);
        assertThat(get("items:1")).isNull();
        assertThat(it.apply(insert(1, 1, "a"))).isEqualTo(Outcome.OLDER);
        it.apply(half(3, 1, "c").build());
        assertThat(get("items:1")).contains("newer");
    }

    @Test
    void a_half_row_that_nobody_knows_is_removed_and_its_version_kept() {
        it.apply(insert(1, 1, "a"));
        assertThat(it.apply(half(2, 1, "b").build())).isEqualTo(Outcome.REMOVED);
        assertThat(get("items:1")).isNull();
        assertThat(it.apply(update(2, 1, "b"))).isEqualTo(Outcome.OLDER);
    }

    @Test
    void a_half_row_fails_while_the_database_is_down_and_leaves_the_entry() {
        it.apply(insert(1, 1, "a"));
        databaseDown.set(true);
        assertThat(it.cache.apply(half(2, 1, "b").build(), TestCache.FOR_EVER))
                .failsWithin(Duration.ofSeconds(5))
                .withThrowableThat()
                .withRootCauseInstanceOf(IllegalStateException.class)
                .withMessageContaining("can't be read from the database: connection refused");
        assertThat(get("items:1")).contains("\"a\"");
    }

    @Test
    void an_older_half_row_changes_nothing() {
        it.apply(whole(5, 1, "new", "B"));
        assertThat(it.apply(half(4, 1, "old").build())).isEqualTo(Outcome.OLDER);
        assertThat(get("items:1")).contains("\"new\"").contains("\"B\"");
    }

    @Test
    void a_half_row_is_not_completed_from_an_entry_of_before_a_truncation() {
        it.apply(whole(1, 1, "a", "stale"));
        String before = get("items:1");
        it.apply(truncate(2));
        // As if the sweep hadn't come to it yet.
        it.redis.set("items:1", before);
        assertThat(it.apply(half(4, 1, "b").build())).isEqualTo(Outcome.REMOVED);
    }

    @Test
    void a_moved_half_row_takes_nothing_from_a_later_row_at_its_former_key() {
        it.apply(whole(5, 1, "another row", "B5"));
        assertThat(it.apply(half(3, 2, "a").oldRow(columns("id", 1L)).build())).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.keys("items:*")).containsExactly("items:1");
    }

    @Test
    void a_half_row_is_not_completed_from_an_entry_that_a_change_in_between_never_reached() {
        it.apply(bigRow(1, 42, "a", "old"));
        database.put(42L, columns("id", 42L, "name", "c", "big", "new"));

        assertThat(await(it.cache.forget(bigRow(2, 42, "b", "new"), ""))).isTrue();
        assertThat(get("items:42")).isNull();
        it.apply(half(3, 42, "c").build());

        assertThat(get("items:42")).isEqualTo(entry(3, "\"id\":42,\"name\":\"c\",\"big\":\"new\""));
    }

    @Test
    void a_change_that_was_given_up_may_still_come_but_none_before_it() {
        it.apply(insert(1, 42, "a"));
        await(it.cache.forget(update(3, 42, "c"), ""));

        assertThat(it.apply(update(2, 42, "b"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(update(3, 42, "c"))).isEqualTo(Outcome.WRITTEN);
        assertThat(get("items:42")).isEqualTo(entry(3, "\"id\":42,\"name\":\"c\""));
    }

    @Test
    void giving_up_a_change_leaves_what_is_newer_and_what_others_keep_alone() {
        it.apply(insert(2, 42, "a"));
        it.redis.set("items:43", "theirs");
        it.redis.lpush("items:44", "theirs");

        assertThat(await(it.cache.forget(update(1, 42, "older"), ""))).isFalse();
        assertThat(await(it.cache.forget(update(2, 42, "the same"), ""))).isFalse();
        await(it.cache.forget(update(3, 43, "a"), ""));
        await(it.cache.forget(update(3, 44, "a"), ""));

        assertThat(get("items:42")).isEqualTo(entry(2, "\"id\":42,\"name\":\"a\""));
        assertThat(get("items:43")).isEqualTo("theirs");
        assertThat(it.redis.type("items:44")).isEqualTo("list");
    }

    @Test
    void giving_up_a_changed_key_gives_up_both_entries() {
        it.apply(insert(1, 42, "a"));
        it.apply(insert(2, 43, "b"));

        assertThat(await(it.cache.forget(moved(3, 42, 43, "a"), ""))).isTrue();

        assertThat(it.redis.keys("items:*")).isEmpty();
    }

    private static ChangeEvent bigRow(long lsn, long id, String name, String big) {
        return Change.of(Operation.UPDATE, "items", lsn)
                .key("id", id)
                .newRow(columns("id", id, "name", name, "big", big))
                .build();
    }

    @Test
    void a_half_row_is_completed_anew_when_its_entry_changes_meanwhile() {
        it.apply(whole(1, 1, "a", "B1"));
        try (var other = new TestCache(Redis.shared())) {
            it.beforeNextAnswer(() -> other.apply(whole(2, 1, "b", "B2")));
            assertThat(it.apply(half(3, 1, "c").build())).isEqualTo(Outcome.WRITTEN);
        }
        assertThat(get("items:1")).contains("\"c\"").contains("\"B2\"");
    }

    @Test
    void writers_that_race_leave_the_newest_whole_row() {
        try (var second = new TestCache(Redis.shared())) {
            for (long id = 1; id <= 50; id++) {
                it.apply(whole(1, id, "v1", "B1"));
                var writes = new ArrayList<CompletableFuture<Outcome>>();
                for (int lsn = 2; lsn <= 20; lsn++) {
                    var writer = lsn % 2 == 0 ? it.cache : second.cache;
                    var change = lsn == 10
                            ? whole(lsn, id, "v10", "B10")
                            : half(lsn, id, "v" + lsn).build();
                    writes.add(writer.apply(change, TestCache.FOR_EVER));
                }
                writes.forEach(TestCache::await);
                assertThat(get("items:" + id)).contains("\"v20\"").contains("\"big\":\"B");
            }
        }
    }

    private static ChangeEvent whole(long lsn, long id, String name, String big) {
        return Change.of(Operation.UPDATE, "items", lsn)
                .key("id", id)
                .newRow(columns("id", id, "name", name, "big", big))
                .build();
    }

    // Expiry

    @Test
    void an_entry_lives_for_its_TTL_and_its_version_beyond_it() {
        var keeping = new Keeping("", Duration.ofMillis(200), null);
        it.apply(insert(5, 1, "a"), keeping);
        assertThat(it.redis.pttl("items:1")).isBetween(1L, 200L);
        await().until(() -> get("items:1") == null);
        assertThat(it.apply(update(4, 1, "old"), keeping)).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(update(6, 1, "b"), keeping)).isEqualTo(Outcome.WRITTEN);
    }

    @Test
    void an_entry_disappears_at_the_given_time_whatever_its_TTL() {
        var at = Instant.now().plusSeconds(3_600);
        it.apply(insert(1, 1, "a"), new Keeping("", Duration.ofMillis(1), at));
        assertThat(it.redis.pttl("items:1")).isBetween(3_500_000L, 3_600_000L);
        it.apply(update(2, 1, "b"), expiring(Instant.MAX));
        assertThat(it.redis.pttl("items:1")).isEqualTo(-1);
    }

    @Test
    void a_time_in_the_past_removes_the_entry_and_keeps_its_version() {
        it.apply(insert(1, 1, "a"));
        assertThat(it.apply(update(2, 1, "b"), expiring(Instant.now().minusSeconds(1))))
                .isEqualTo(Outcome.REMOVED);
        assertThat(it.apply(update(3, 2, "b"), expiring(Instant.MIN))).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.keys("items:*")).isEmpty();
        assertThat(it.apply(insert(1, 1, "a"))).isEqualTo(Outcome.OLDER);
    }

    // What is kept of the gone

    @Test
    void purging_forgets_what_is_settled_and_no_more() {
        it.apply(delete(1, 1));
        it.apply(delete(5, 1));
        it.apply(delete(2, 2));
        it.apply(truncate(3, "others"));
        it.apply(truncate(6, "more"));
        assertThat(await(it.cache.purge(version(4)))).isEqualTo(2);
        assertThat(it.apply(insert(4, 1, "a"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(insert(1, 2, "a"))).isEqualTo(Outcome.WRITTEN);
        assertThat(await(it.cache.purge(version(6)))).isEqualTo(2);
        assertThat(it.redis.keys("_walroute:*")).isEmpty();
    }

    @Test
    void purging_takes_as_many_steps_as_it_needs() {
        for (int id = 0; id < 1_234; id++) {
            it.cache.apply(delete(id + 1, id), TestCache.FOR_EVER);
        }
        it.apply(delete(5_000, 5_000));
        assertThat(await(it.cache.purge(version(4_000)))).isEqualTo(1_234);
        assertThat(it.redis.hlen("_walroute:versions")).isEqualTo(1);
    }

    @Test
    void a_row_that_is_back_needs_no_version_of_its_deletion() {
        it.apply(delete(1, 1));
        it.apply(insert(2, 1, "a"));
        assertThat(it.redis.keys("_walroute:*")).isEmpty();
    }
}
