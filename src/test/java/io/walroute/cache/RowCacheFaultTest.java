package io.walroute.cache;

import static io.walroute.cache.Change.delete;
import static io.walroute.cache.Change.insert;
import static io.walroute.cache.Change.truncate;
import static io.walroute.cache.Change.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.cache.RowCache.Outcome;
import io.walroute.testing.Redis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class RowCacheFaultTest {
    private Redis server = Redis.start();
    private final int port = server.port();
    private TestCache it;

    @AfterEach
    void close() {
        if (it != null) {
            it.close();
        }
        server.close();
    }

    private void start() {
        it = new TestCache(server);
    }

    private void fails(CompletableFuture<Outcome> answer, String why) {
        assertThat(answer)
                .failsWithin(Duration.ofSeconds(5))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(RowCacheException.class)
                .withMessageContaining(why);
    }

    private CompletableFuture<Outcome> write(long lsn) {
        return it.cache.apply(update(lsn, 1, "v" + lsn), TestCache.FOR_EVER);
    }

    @Test
    void while_redis_is_down_changes_fail_at_once_and_once_it_is_back_they_succeed() {
        start();
        it.apply(insert(1, 1, "a"));
        server.close();
        await().until(() -> it.pipeline.problem().isPresent());
        long before = System.nanoTime();
        fails(write(2), "Redis at 127.0.0.1:" + port + " can't be reached: ");
        assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofMillis(400));
        await().until(() -> it.pipeline.problem().orElse("").contains("Connection refused"));
        server = Redis.start(port);
        await().until(() -> it.pipeline.problem().isEmpty());
        assertThat(it.apply(update(3, 1, "c"))).isEqualTo(Outcome.WRITTEN);
    }

    @Test
    void commands_on_their_way_fail_when_redis_dies() {
        start();
        it.apply(insert(1, 1, "a"));
        it.redis.clientPause(60_000);
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int i = 0; i < 1_000; i++) {
            answers.add(write(2 + i));
        }
        server.close();
        answers.forEach(answer -> fails(answer, "can't be reached"));
        server = Redis.start(port);
    }

    @Test
    void a_silent_redis_counts_as_unreachable() {
        it = new TestCache(server, null, Duration.ofSeconds(1));
        it.apply(insert(1, 1, "a"));
        it.redis.clientPause(4_000);
        fails(write(2), "no answer for 1000 ms");
        await().atMost(Duration.ofSeconds(20)).until(() -> it.pipeline.problem().isEmpty());
        assertThat(it.apply(update(3, 1, "c"))).isEqualTo(Outcome.WRITTEN);
    }

    @Test
    void a_key_of_another_type_fails_its_change_only() {
        start();
        it.redis.lpush("items:1", "theirs");
        fails(write(1), "Redis at 127.0.0.1:" + port + " refused the change: WRONGTYPE Operation against a key");
        assertThat(it.apply(insert(1, 2, "a"))).isEqualTo(Outcome.WRITTEN);
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void a_full_redis_refuses_rows_but_still_takes_deletions() {
        start();
        it.apply(insert(1, 1, "a"));
        it.apply(insert(1, 2, "a"));
        it.apply(delete(2, 3));
        it.redis.configSet("maxmemory", "1");
        fails(write(5), "refused the change: OOM command not allowed");
        fails(it.cache.apply(insert(5, 3, "a"), TestCache.FOR_EVER), "OOM");
        assertThat(it.pipeline.problem()).get().asString().contains("refuses changes: OOM");
        assertThat(it.redis.get("items:1")).contains("\"a\"");
        assertThat(it.redis.hexists("_walroute:versions", "items:3")).isTrue();

        assertThat(it.apply(delete(3, 1))).isEqualTo(Outcome.REMOVED);
        assertThat(it.apply(truncate(4))).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.keys("items:*")).isEmpty();

        it.redis.configSet("maxmemory", "0");
        assertThat(it.apply(update(2, 1, "old"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(update(4, 2, "old"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(update(5, 1, "new"))).isEqualTo(Outcome.WRITTEN);
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void a_replica_refuses_changes_until_it_is_promoted() {
        start();
        it.redis.replicaof("127.0.0.1", 1);
        fails(write(1), "READONLY You can't write against a read only replica");
        assertThat(it.pipeline.problem()).get().asString().contains("READONLY");
        it.redis.replicaofNoOne();
        // It connects anew in between, in case that the name leads elsewhere by now.
        await().until(() ->
                write(2).handle((done, failure) -> done == Outcome.WRITTEN).join());
    }

    @Test
    void forgotten_scripts_are_brought_back() {
        start();
        it.apply(insert(1, 1, "a"));
        it.redis.scriptFlush();
        assertThat(it.apply(update(2, 1, "b"))).isEqualTo(Outcome.WRITTEN);
        assertThat(it.redis.scriptExists(Script.WRITE.sha())).containsExactly(true);
        assertThat(it.apply(delete(3, 1))).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.scriptExists(Script.APPLY.sha())).containsExactly(true);
    }

    @Test
    void a_wrong_password_is_said_without_showing_it() {
        start();
        it.redis.configSet("requirepass", "right");
        ExecutorService executor = Executors.newSingleThreadExecutor();
        var settings =
                new CacheSettings("redis://:s3cret@127.0.0.1:" + port, "", Map.of(), Duration.ofMillis(500), 256);
        try (var pipeline = new RedisPipeline(settings, executor, commands -> commands.ping())) {
            pipeline.start();
            await().until(() -> pipeline.problem().orElse("").contains("WRONGPASS"));
            assertThat(pipeline.problem()).get().asString().doesNotContain("s3cret");
            assertThat(settings.toString()).doesNotContain("s3cret");
            it.redis.configSet("requirepass", "");
            await().until(() -> pipeline.problem().isEmpty());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void what_is_sent_while_stopping_or_later_fails() {
        start();
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int i = 0; i < 5_000; i++) {
            answers.add(write(i + 1));
        }
        it.pipeline.close();
        fails(write(9_999), "can't be reached: stopped");
        assertThat(CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
                        .handle((done, failure) -> 0))
                .succeedsWithin(Duration.ofSeconds(5));
    }

    @Test
    void fifty_thousand_changes_are_written_through_one_connection() {
        start();
        for (int round = 1; round <= 3; round++) {
            var answers = new ArrayList<CompletableFuture<Outcome>>(50_000);
            long before = System.nanoTime();
            for (int i = 0; i < 50_000; i++) {
                answers.add(it.cache.apply(insert(round, i, "a name of some length"), TestCache.FOR_EVER));
            }
            answers.forEach(answer -> assertThat(TestCache.await(answer)).isEqualTo(Outcome.WRITTEN));
            System.out.printf("%,d changes/s%n", 50_000 * 1_000_000_000L / (System.nanoTime() - before));
        }
        assertThat(it.redis.dbsize()).isEqualTo(50_000);
    }
}
