package io.walroute.cache;

import static io.walroute.cache.Change.delete;
import static io.walroute.cache.Change.insert;
import static io.walroute.cache.Change.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.lettuce.core.RedisClient;
import io.lettuce.core.ScriptOutputType;
import io.walroute.cache.RowCache.Outcome;
import io.walroute.cache.RowCacheException.Concern;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Redis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every answer counts for its own change, and says whether the key or the server is to blame; no answer is no success. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class RedisAnswersTest {
    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    private <T extends AutoCloseable> T closing(T resource) {
        open.add(resource);
        return resource;
    }

    private TestCache cache(Redis server) {
        return closing(new TestCache(server));
    }

    /** @return null if it was delivered */
    private static RowCacheException failure(CompletableFuture<Outcome> answer) {
        try {
            answer.orTimeout(20, TimeUnit.SECONDS).join();
            return null;
        } catch (CompletionException e) {
            return (RowCacheException) e.getCause();
        }
    }

    private static RowCacheException write(TestCache it, long lsn, long id) {
        return failure(it.cache.apply(update(lsn, id, "v" + lsn), TestCache.FOR_EVER));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            LOADING Redis is loading the dataset in memory                        | SERVER
            MISCONF Redis is configured to save RDB snapshots                     | SERVER
            MASTERDOWN Link with MASTER is down                                   | SERVER
            READONLY You can't write against a read only replica.                 | SERVER
            OOM command not allowed when used memory > 'maxmemory'.               | SERVER
            NOREPLICAS Not enough good replicas to write.                         | SERVER
            BUSY Redis is busy running a script.                                  | SERVER
            NOAUTH Authentication required.                                       | SERVER
            NOPERM User w has no permissions to run the 'evalsha' command         | SERVER
            CLUSTERDOWN The cluster is down                                       | SERVER
            MOVED 3999 127.0.0.1:6381                                             | SERVER
            CROSSSLOT Keys in request don't hash to the same slot                 | SERVER
            ERR unknown command 'evalsha'                                         | SERVER
            NOPERM this user has no permissions to access one of the keys used as arguments | KEY
            NOPERM User w has no permissions to access the 'items:1' key          | KEY
            WRONGTYPE Operation against a key holding the wrong kind of value     | KEY
            ERR something that nobody has heard of                                | UNKNOWN
            """)
    void each_error_is_told_and_blamed_on_server_or_key(String error, Concern concern) {
        var fake = closing(new FakeRedis());
        var it = closing(TestCache.on(fake.url(), Duration.ofSeconds(5)));
        fake.toScript = call -> "-" + error + "\r\n";

        RowCacheException failure = write(it, 1, 1);

        assertThat(failure)
                .hasMessageStartingWith("Redis at 127.0.0.1:" + fake.port() + " refused the change: " + error);
        assertThat(failure.concern()).isEqualTo(concern);
        assertThat(failure.isPermanent()).isEqualTo(concern == Concern.KEY);
        assertThat(it.pipeline.problem().isPresent()).isEqualTo(concern == Concern.SERVER);

        fake.toScript = FakeRedis::written;
        await().until(() -> write(it, 2, 1) == null);
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void a_cluster_is_named_as_what_it_is() {
        var fake = closing(new FakeRedis());
        var it = closing(TestCache.on(fake.url(), Duration.ofSeconds(5)));
        fake.toScript = call -> "-MOVED 3999 127.0.0.1:6381\r\n";

        assertThat(write(it, 1, 1))
                .hasMessageEndingWith(
                        "Redis Cluster is not supported: let REDIS_URL name a server" + " outside of one");
    }

    @Test
    void a_redis_that_is_still_loading_when_it_is_connected_to_is_told_and_tried_again() {
        var fake = closing(new FakeRedis());
        fake.toPing = "-LOADING Redis is loading the dataset in memory\r\n";
        var it = closing(TestCache.on(fake.url(), Duration.ofSeconds(2)));
        assertThat(write(it, 1, 1)).hasMessageContaining("LOADING").hasMessageNotContaining("\n");
        assertThat(it.pipeline.problem()).get().asString().contains("LOADING");
        fake.toPing = "+PONG\r\n";
        await().atMost(Duration.ofSeconds(20)).until(() -> write(it, 1, 1) == null);
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void of_one_pipeline_each_change_is_judged_by_its_own_answer() {
        Redis server = closing(Redis.start());
        var it = cache(server);
        long seed = ThreadLocalRandom.current().nextLong();
        System.out.println("seed " + seed);
        var random = new java.util.Random(seed);
        var foreign = new java.util.HashSet<Integer>();
        for (int id = 0; id < 400; id++) {
            if (random.nextInt(3) == 0) {
                foreign.add(id);
                it.redis.lpush("items:" + id, "theirs");
            }
        }
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 0; id < 400; id++) {
            answers.add(it.cache.apply(insert(1, id, "a"), TestCache.FOR_EVER));
        }
        for (int id = 0; id < 400; id++) {
            RowCacheException failure = failure(answers.get(id));
            if (foreign.contains(id)) {
                assertThat(failure).hasMessageContaining("WRONGTYPE");
                assertThat(it.redis.type("items:" + id)).isEqualTo("list");
            } else {
                assertThat(failure).as("items:%d, seed %d", id, seed).isNull();
                assertThat(it.redis.get("items:" + id)).contains("\"a\"");
            }
        }
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void of_a_pipeline_in_the_middle_of_which_memory_runs_out_each_is_judged_by_its_own_answer() {
        Redis server = closing(Redis.start());
        var it = cache(server);
        for (int id = 0; id < 300; id += 2) {
            it.apply(insert(1, id, "a"));
        }
        it.redis.configSet("maxmemory", "1");
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 0; id < 300; id++) {
            answers.add(it.cache.apply(id % 2 == 0 ? delete(2, id) : insert(2, id, "a"), TestCache.FOR_EVER));
        }
        for (int id = 0; id < 300; id++) {
            RowCacheException failure = failure(answers.get(id));
            if (id % 2 == 0) {
                assertThat(failure).isNull();
            } else {
                assertThat(failure).hasMessageContaining("OOM");
            }
        }
        assertThat(it.redis.keys("items:*")).isEmpty();
    }

    @Test
    void an_answer_that_is_cut_in_its_middle_fails_its_change_and_all_behind_it() {
        var fake = closing(new FakeRedis());
        var it = closing(TestCache.on(fake.url(), Duration.ofSeconds(5)));
        fake.toScript =
                call -> call.contains("items:3") ? FakeRedis.written(call).substring(0, 5) : FakeRedis.written(call);
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 0; id < 6; id++) {
            answers.add(it.cache.apply(insert(1, id, "a"), TestCache.FOR_EVER));
            if (id == 2) {
                answers.get(id).join(); // or one command would carry what comes before the cut, too
            }
        }
        for (int id = 0; id < 6; id++) {
            if (id < 3) {
                assertThat(failure(answers.get(id))).isNull();
            } else {
                assertThat(failure(answers.get(id))).hasMessageContaining("can't be reached");
            }
        }
        await().until(() -> it.pipeline.problem().isEmpty());
        assertThat(write(it, 2, 1)).isNull();
    }

    @Test
    void an_answer_for_fewer_rows_than_were_sent_fails_them_all() {
        var fake = closing(new FakeRedis());
        var it = closing(TestCache.on(fake.url(), Duration.ofSeconds(5)));
        assertThat(write(it, 1, 1)).isNull();
        fake.toScript = call -> "*0\r\n";
        assertThat(write(it, 2, 2)).hasMessageContaining("answered 0 of 1 rows");
    }

    @Test
    void rows_that_wait_together_go_in_one_command_and_one_that_is_refused_fails_alone() {
        Redis server = closing(Redis.start());
        var it = closing(TestCache.on(server.url(), Duration.ofSeconds(5), server));
        it.redis.lpush("items:7", "no string");
        it.apply(insert(1, 9_999, "a"));
        long before = scripts(it);
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 0; id < 500; id++) {
            answers.add(it.cache.apply(insert(2, id, "a"), TestCache.FOR_EVER));
        }
        for (int id = 0; id < 500; id++) {
            RowCacheException failure = failure(answers.get(id));
            if (id == 7) {
                assertThat(failure).hasMessageContaining("WRONGTYPE");
            } else {
                assertThat(failure).isNull();
                assertThat(it.redis.get("items:" + id)).contains("_version");
            }
        }
        assertThat(scripts(it) - before).as("commands for 500 rows").isLessThan(150);
    }

    private static long scripts(TestCache it) {
        return it.redis
                .info("commandstats")
                .lines()
                .filter(line -> line.startsWith("cmdstat_evalsha:calls="))
                .mapToLong(line -> Long.parseLong(line.substring(line.indexOf('=') + 1, line.indexOf(','))))
                .sum();
    }

    @Test
    void a_real_connection_cut_in_the_middle_of_the_answers_makes_no_change_a_false_success() {
        Redis server = closing(Redis.start());
        FaultProxy proxy = closing(new FaultProxy(server.port()));
        var it = closing(TestCache.on("redis://127.0.0.1:" + proxy.port(), Duration.ofSeconds(5), server));
        it.apply(insert(1, 9_999, "a"));
        proxy.endAfterBytesToClient(4 * 150 + 2);
        var answers = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 0; id < 500; id++) {
            answers.add(it.cache.apply(insert(1, id, "a"), TestCache.FOR_EVER));
        }
        List<RowCacheException> failures =
                answers.stream().map(RedisAnswersTest::failure).toList();
        // A connection that breaks may take answers with it that were on their way: then those fail too. What had not
        // been
        // sent yet goes over the next connection.
        long first = failures.stream().takeWhile(java.util.Objects::isNull).count();
        assertThat(first).isLessThanOrEqualTo(150);
        assertThat(failures).as("the cut").anyMatch(java.util.Objects::nonNull);
        for (int id = 0; id < 500; id++) {
            assertThat(failures.get(id) != null || it.redis.get("items:" + id) != null)
                    .isTrue();
        }
        // What was written without its answer coming through is known when it is repeated: no harm, no second effect.
        await().until(() -> it.pipeline.problem().isEmpty());
        for (int id = 0; id < 500; id++) {
            assertThat(it.apply(insert(1, id, "a"))).isIn(Outcome.OLDER, Outcome.WRITTEN);
        }
        assertThat(it.redis.keys("items:*")).hasSize(501);
    }

    @Test
    void an_answer_that_comes_too_late_is_nobody_elses() {
        Redis server = closing(Redis.start());
        FaultProxy proxy = closing(new FaultProxy(server.port()));
        var it = closing(TestCache.on("redis://127.0.0.1:" + proxy.port(), Duration.ofMillis(700), server));
        it.apply(insert(5, 1, "a"));
        proxy.holdToClient();
        var late = new ArrayList<CompletableFuture<Outcome>>();
        for (int id = 10; id < 60; id++) {
            late.add(it.cache.apply(insert(1, id, "a"), TestCache.FOR_EVER)); // written; nobody hears of it
        }
        late.forEach(answer -> assertThat(failure(answer)).hasMessageContaining("no answer for 700 ms"));
        await().until(() -> it.redis.get("items:59") != null);
        proxy.heal();
        await().atMost(Duration.ofSeconds(20)).until(() -> it.pipeline.problem().isEmpty());
        // Had it taken one of those answers for its own, it would be told as written.
        assertThat(it.apply(update(1, 1, "old"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(insert(1, 10, "a"))).isEqualTo(Outcome.OLDER);
        assertThat(it.apply(delete(6, 1))).isEqualTo(Outcome.REMOVED);
        assertThat(it.redis.get("items:1")).isNull();
    }

    @Test
    void a_write_that_timed_out_and_arrives_after_a_newer_one_changes_nothing() {
        Redis server = closing(Redis.start());
        FaultProxy proxy = closing(new FaultProxy(server.port()));
        var it = closing(TestCache.on("redis://127.0.0.1:" + proxy.port(), Duration.ofMillis(500), server));
        var beside = cache(server);
        it.apply(insert(1, 1, "a"));
        proxy.holdToServer();
        assertThat(write(it, 2, 1)).hasMessageContaining("no answer for 500 ms");
        beside.apply(update(3, 1, "newest"));
        long before = proxy.bytesToServer();
        proxy.heal();
        await().until(() -> proxy.bytesToServer() > before);
        await().atMost(Duration.ofSeconds(20)).until(() -> it.pipeline.problem().isEmpty());
        assertThat(it.apply(update(2, 1, "v2"))).isEqualTo(Outcome.OLDER);
        assertThat(it.redis.get("items:1")).contains("newest");
    }

    @Test
    void after_a_failover_behind_the_same_name_the_new_master_is_found() {
        Redis former = closing(Redis.start());
        Redis promoted = closing(Redis.start());
        FaultProxy name = closing(new FaultProxy(former.port()));
        var it = closing(TestCache.on("redis://127.0.0.1:" + name.port(), Duration.ofSeconds(5), promoted));
        it.apply(insert(1, 1, "a"));
        try (var admin = RedisClient.create(former.url())) {
            admin.connect().sync().replicaof("127.0.0.1", promoted.port());
        }
        name.target(promoted.port());
        assertThat(write(it, 2, 1)).hasMessageContaining("READONLY");
        await().atMost(Duration.ofSeconds(10)).until(() -> write(it, 3, 1) == null);
        assertThat(it.redis.get("items:1")).contains("\"v3\"");
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void reading_from_a_read_only_redis_does_not_hide_that_it_refuses_changes() {
        Redis server = closing(Redis.start());
        var it = cache(server);
        it.apply(insert(5, 1, "a"));
        it.redis.replicaof("127.0.0.1", 1);
        assertThat(write(it, 6, 1)).hasMessageContaining("READONLY");
        // Answered without a write; the replica has nothing against it.
        await().until(() -> write(it, 2, 1) == null);
        assertThat(it.pipeline.problem()).isPresent();
        it.redis.replicaofNoOne();
        await().until(() -> write(it, 7, 1) == null);
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void a_redis_that_is_short_of_replicas_or_busy_refuses_and_recovers() throws Exception {
        Redis server = closing(Redis.start());
        var it = cache(server);
        it.apply(insert(1, 1, "a"));
        it.redis.configSet("min-replicas-to-write", "1");
        assertThat(write(it, 2, 1)).hasMessageContaining("NOREPLICAS");
        assertThat(it.pipeline.problem()).get().asString().contains("NOREPLICAS");
        it.redis.configSet("min-replicas-to-write", "0");
        assertThat(write(it, 2, 1)).isNull();

        it.redis.configSet("lua-time-limit", "100");
        try (var other = RedisClient.create(server.url())) {
            var endless = other.connect().async().eval("while true do end", ScriptOutputType.INTEGER);
            await().until(() -> {
                RowCacheException failure = write(it, 3, 1);
                return failure != null && failure.getMessage().contains("BUSY");
            });
            it.redis.scriptKill();
            assertThat(endless.toCompletableFuture()
                            .handle((done, killed) -> killed != null)
                            .get(10, TimeUnit.SECONDS))
                    .isTrue();
        }
        assertThat(write(it, 4, 1)).isNull();
        assertThat(it.pipeline.problem()).isEmpty();
    }

    @Test
    void a_user_that_lost_its_right_to_run_scripts_is_told_and_recovers() {
        Redis server = closing(Redis.start());
        var it = cache(server);
        it.apply(insert(1, 1, "a"));
        acl(it, "-evalsha");
        assertThat(write(it, 2, 1).concern()).isEqualTo(Concern.SERVER);
        assertThat(it.pipeline.problem()).get().asString().contains("NOPERM");
        acl(it, "+evalsha");
        assertThat(write(it, 3, 1)).isNull();
        assertThat(it.pipeline.problem()).isEmpty();
    }

    private static void acl(TestCache it, String rule) {
        it.redis.dispatch(
                io.lettuce.core.protocol.CommandType.ACL,
                new io.lettuce.core.output.StatusOutput<>(io.lettuce.core.codec.StringCodec.UTF8),
                new io.lettuce.core.protocol.CommandArgs<>(io.lettuce.core.codec.StringCodec.UTF8)
                        .add("SETUSER")
                        .add("default")
                        .add(rule));
    }
}
