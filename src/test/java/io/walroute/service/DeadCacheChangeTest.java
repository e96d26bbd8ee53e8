package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.testing.FaultProxy;
import java.sql.DriverManager;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A change that the cache never gets set a large column; the next one leaves it out, as the WAL does. The row in the cache must
 * then have the value that the database has, not the one from before.
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DeadCacheChangeTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    private ServiceRig rig;
    private FaultProxy proxy;
    private RedisCommands<String, String> redis;

    @BeforeEach
    void start() throws Exception {
        rig = new ServiceRig(
                "CREATE TABLE wide(id int PRIMARY KEY, n int, v text)",
                "ALTER TABLE wide ALTER v SET STORAGE EXTERNAL");
        proxy = new FaultProxy(rig.redis.port());
        rig.environment.put("REDIS_URL", "redis://127.0.0.1:" + proxy.port());
        redis = rig.redis().sync();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        proxy.close();
    }

    /** The cache has the row from before a change that can't reach Redis. */
    private void changeWhileRedisIsAway() {
        rig.startReady();
        rig.db.execute("INSERT INTO wide VALUES (1, 1, repeat('a', 3000))");
        await().atMost(LONG).until(() -> redis.get("wide:1") != null);
        proxy.cut();
        rig.db.execute("UPDATE wide SET n = 2, v = repeat('b', 3000) WHERE id = 1");
    }

    private JsonNode cached() throws Exception {
        String entry = redis.get("wide:1");
        return ServiceRig.JSON.readTree(entry == null ? "{}" : entry);
    }

    private void awaitLetter(String condition) {
        await(condition).atMost(LONG).until(() -> rig.count("dead_letters WHERE sink = 'cache' AND " + condition) == 1);
    }

    private void nextChangeHasTheDatabasesValue() {
        rig.db.execute("UPDATE wide SET n = 3 WHERE id = 1");
        await().atMost(LONG).until(() -> cached().path("n").asInt() == 3);
        awaitValue();
    }

    private void awaitValue() {
        await().atMost(LONG)
                .untilAsserted(() ->
                        assertThat(redis.get("wide:1")).contains("\"v\":\"bbb").doesNotContain("aaa"));
        assertThat(rig.count("dead_letter_notices")).isZero();
    }

    @Test
    void after_a_dead_change_the_next_one_is_completed_from_the_database_even_if_redis_was_away_until_a_restart()
            throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_CACHE_SCHEDULE", "200ms");
        changeWhileRedisIsAway();
        awaitLetter("state = 'dead'");
        assertThat(rig.count("dead_letter_notices")).isEqualTo(1);
        try (var store = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"))) {
            assertThat(Housekeeping.oldestDeadLetter(store, "cache"))
                    .as("a deletion's version is kept until nothing older can come, by hand neither")
                    .isNotNull();
        }
        rig.stop();
        rig.start();
        proxy.heal();

        nextChangeHasTheDatabasesValue();
    }

    @Tag("faults") // takes its time: the attempts before
    @Test
    void a_change_behind_a_discarded_one_waits_until_redis_knows_of_that() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_CACHE_SCHEDULE", "200ms,1h");
        changeWhileRedisIsAway();
        awaitLetter("redrives = 1");
        rig.db.execute("UPDATE wide SET n = 3 WHERE id = 1"); // parked behind it
        await().atMost(LONG).until(() -> rig.count("dead_letters WHERE sink = 'cache'") == 2);
        String first = rig.cli.run("dead-letters", "list", "--json") == 0
                ? ServiceRig.JSON.readTree(rig.cli.out()).findValues("id").stream()
                        .map(JsonNode::asLong)
                        .min(Long::compare)
                        .orElseThrow()
                        .toString()
                : "";
        assertThat(rig.cli.run("dead-letters", "discard", first, "--reason", "a test"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.count("dead_letters WHERE sink = 'cache'")).isEqualTo(1);
        proxy.heal();
        assertThat(rig.cli.run("dead-letters", "redrive", "--all"))
                .as(rig.cli.err())
                .isZero();

        await().atMost(LONG).until(() -> cached().path("n").asInt() == 3);
        awaitValue();
    }

    @Test
    void what_is_discarded_without_a_service_is_known_at_its_next_start() throws Exception {
        changeWhileRedisIsAway();
        awaitLetter("attempts > 1");
        rig.stop();
        assertThat(rig.cli.run("dead-letters", "discard", "--offline", "--sink", "cache", "--reason", "a test"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.count("dead_letters")).isZero();
        proxy.heal();
        rig.start();

        nextChangeHasTheDatabasesValue();
    }

    @Tag("faults") // takes its time: the attempts before
    @Test
    void a_dead_change_that_is_sent_again_by_hand_still_arrives() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_CACHE_SCHEDULE", "200ms");
        changeWhileRedisIsAway();
        awaitLetter("state = 'dead'");
        proxy.heal();
        await().atMost(LONG).until(() -> redis.get("wide:1") == null && rig.count("dead_letter_notices") == 0);

        assertThat(rig.cli.run("dead-letters", "redrive", "--all"))
                .as(rig.cli.err())
                .isZero();

        await().atMost(LONG).until(() -> cached().path("n").asInt() == 2);
        awaitValue();
    }
}
