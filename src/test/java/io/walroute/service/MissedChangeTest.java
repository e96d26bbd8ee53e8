package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.testing.FaultProxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the cache has of a row whose change never reaches it, since a route threw or an operator passed over it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class MissedChangeTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final String THROWING = """
            - route:
                id: wide
                routeConfigurationId: router
                from:
                  uri: direct:wide
                  steps:
                    - filter:
                        simple: "${body.new[n]} == 666"
                        steps:
                          - throwException: { exceptionType: java.lang.IllegalStateException, message: "poison" }
                    - to: { uri: "lanes:cache" }
                    - filter:
                        simple: "${body.new[n]} == 667"
                        steps:
                          - throwException: { exceptionType: java.lang.IllegalStateException, message: "too late" }
            """;

    @TempDir
    Path routes;

    private ServiceRig rig;
    private FaultProxy proxy;
    private RedisCommands<String, String> redis;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig(
                "CREATE TABLE wide(id int PRIMARY KEY, n int, v text)",
                "ALTER TABLE wide ALTER v SET STORAGE EXTERNAL",
                "CREATE TABLE other(id int PRIMARY KEY)");
        proxy = new FaultProxy(rig.redis.port());
        rig.environment.put("REDIS_URL", "redis://127.0.0.1:" + proxy.port());
        redis = rig.redis().sync();
        try (var own = Files.list(Path.of("routes"))) {
            for (Path file : own.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        proxy.close();
    }

    private void startWithRows(int rows) {
        rig.startReady();
        rig.db.execute("INSERT INTO wide SELECT i, 1, repeat('a', 3000) FROM generate_series(1, " + rows + ") i");
        await().atMost(LONG).until(() -> redis.keys("wide:*").size() == rows);
    }

    /** In one transaction. @return its xid */
    private long commit(String... statements) throws Exception {
        try (Connection c = rig.db.connect();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            for (String each : statements) {
                s.execute(each);
            }
            try (var row = s.executeQuery("SELECT pg_current_xact_id()::text::bigint")) {
                row.next();
                long xid = row.getLong(1);
                c.commit();
                return xid;
            }
        }
    }

    private void awaitEntry(int id, int n, char v) {
        await("wide:" + id)
                .atMost(LONG)
                .untilAsserted(() -> assertThat(redis.get("wide:" + id))
                        .contains("\"n\":" + n + ",")
                        .contains("\"v\":\"" + v + v));
    }

    private void awaitConfirmed() {
        String end = rig.walPosition();
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(end));
    }

    @Test
    void of_rows_whose_change_made_a_route_throw_nothing_stale_stays_and_a_later_change_is_whole() throws Exception {
        Files.writeString(routes.resolve("wide.camel.yaml"), THROWING);
        startWithRows(5);

        commit(
                "UPDATE wide SET n = 666, v = repeat('b', 3000) WHERE id = 1",
                "UPDATE wide SET n = 3 WHERE id = 1", // leaves v out, right behind the one that set it
                "UPDATE wide SET n = 666 WHERE id = 2",
                "UPDATE wide SET n = 666 WHERE id = 3",
                "UPDATE wide SET n = 4, v = repeat('c', 3000) WHERE id = 3",
                "UPDATE wide SET n = 667, v = repeat('d', 3000) WHERE id = 4");
        awaitConfirmed();

        assertThat(rig.count("dead_letters WHERE sink = 'router' AND state = 'dead'"))
                .isEqualTo(4);
        assertThat(rig.count("dead_letters WHERE sink <> 'router'")).isZero();
        awaitEntry(1, 3, 'b');
        await().atMost(LONG).until(() -> redis.get("wide:2") == null);
        awaitEntry(3, 4, 'c');
        awaitEntry(4, 667, 'd'); // it had reached the cache before its route threw
        awaitEntry(5, 1, 'a');

        rig.stop();
        Files.delete(routes.resolve("wide.camel.yaml"));
        rig.startReady();
        assertThat(rig.cli.run("dead-letters", "redrive", "--all"))
                .as(rig.cli.err())
                .isZero();
        awaitEntry(2, 666, 'a'); // sent again, it arrives
        await().atMost(LONG).until(() -> rig.count("dead_letters") == 0);
        awaitEntry(1, 3, 'b');
        awaitEntry(3, 4, 'c');
    }

    @Test
    void while_redis_is_away_it_is_kept_that_a_row_is_to_be_forgotten_and_its_followers_wait() throws Exception {
        Files.writeString(routes.resolve("wide.camel.yaml"), THROWING);
        startWithRows(2);
        proxy.cut();
        rig.db.execute("UPDATE wide SET n = 666, v = repeat('b', 3000)", "UPDATE wide SET n = 3 WHERE id = 1");
        awaitConfirmed();
        assertThat(rig.count("dead_letters WHERE sink = 'cache' AND state = 'parked'"))
                .isEqualTo(3);
        rig.stop();
        proxy.heal();
        rig.startReady();
        awaitEntry(1, 3, 'b');
        await().atMost(LONG).until(() -> redis.get("wide:2") == null);
        await().atMost(LONG).until(() -> rig.count("dead_letters WHERE sink = 'cache'") == 0);
    }

    @Test
    void of_rows_whose_change_was_passed_over_nothing_stale_stays_and_what_came_since_does() throws Exception {
        startWithRows(6);
        rig.db.execute("INSERT INTO other VALUES (1), (2)");
        await().atMost(LONG).until(() -> redis.keys("other:*").size() == 2);
        assertThat(rig.cli.run("pause", "source")).as(rig.cli.err()).isZero();
        long unwanted = commit(
                "UPDATE wide SET n = 2, v = repeat('b', 3000) WHERE id IN (1, 4)",
                "DELETE FROM wide WHERE id = 2",
                "UPDATE wide SET id = 30 WHERE id = 3",
                "UPDATE wide SET n = 5 WHERE id = 6",
                "INSERT INTO wide VALUES (7, 1, 'b')",
                "TRUNCATE other");
        rig.db.execute(
                "UPDATE wide SET n = 3 WHERE id = 1",
                "UPDATE wide SET n = 4, v = repeat('c', 3000) WHERE id = 4",
                "INSERT INTO other VALUES (2)");
        assertThat(rig.cli.run("skip", "--xid", "" + unwanted, "--reason", "a test"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.cli.run("resume", "source")).as(rig.cli.err()).isZero();
        awaitConfirmed();

        awaitEntry(1, 3, 'b');
        awaitEntry(4, 4, 'c');
        awaitEntry(5, 1, 'a');
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(redis.keys("[wo]*:*"))
                        .containsExactlyInAnyOrder("wide:1", "wide:4", "wide:5", "other:2"));
        assertThat(rig.audit())
                .as("none of it is audited")
                .noneMatch(event -> event.path("xid").asLong() == unwanted);
        assertThat(rig.count("dead_letters")).isZero();
        assertThat(rig.cli.run("skip", "--list", "--json")).isZero();
        assertThat(ServiceRig.JSON.readTree(rig.cli.out()).get(0).path("passed").asInt())
                .isEqualTo(7);

        assertThat(rig.cli.run("backfill", "--table", "wide")).as(rig.cli.err()).isZero();
        awaitEntry(30, 1, 'a');
        awaitEntry(6, 5, 'a');
        assertThat(redis.get("wide:7")).isNotNull();
    }
}
