package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.backfill.Backfill;
import io.walroute.backfill.BackfillRequest;
import io.walroute.cache.MarkerState;
import io.walroute.cache.RowCacheComponent;
import io.walroute.change.Version;
import io.walroute.slot.TableName;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Existing rows put into the cache while changes go on, by the whole service on real servers. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class BackfillTest {
    private ServiceRig rig;
    private RedisCommands<String, String> redis;

    private void start(String... ddl) throws Exception {
        rig = new ServiceRig(ddl);
        rig.startReady();
        redis = rig.redis().sync();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    // ---------------------------------------------------------------- steps

    private static BackfillRequest whole(String... tables) {
        return new BackfillRequest(Arrays.stream(tables).map(TableName::parse).toList(), null, 0, true);
    }

    private List<Backfill> begin(BackfillRequest request) throws Exception {
        return rig.service().backfills().start(request, "test");
    }

    private List<Backfill> awaitEnd(List<Backfill> begun) {
        return begun.stream().map(this::awaitEnd).toList();
    }

    private Backfill awaitEnd(Backfill begun) {
        return await("the end of backfill " + begun.id())
                .atMost(Duration.ofSeconds(60))
                .until(
                        () -> rig.service().backfills().find(begun.id()),
                        b -> b.state().isEnd());
    }

    private Backfill backfill(String table) throws Exception {
        Backfill ended = awaitEnd(begin(whole(table))).get(0);
        assertThat(ended.state()).as(ended.toString()).isEqualTo(Backfill.State.DONE);
        return ended;
    }

    /** The row without its version; null if there is none. */
    private JsonNode cached(String key) throws Exception {
        String entry = redis.get(key);
        if (entry == null) {
            return null;
        }
        var row = (ObjectNode) ServiceRig.JSON.readTree(entry);
        assertThat(row.remove("_version")).isNotNull();
        return row;
    }

    /** A change behind all others is in the cache: so are they. */
    private void awaitStream() {
        String mark = "mark-" + System.nanoTime();
        rig.db.execute("INSERT INTO ens_names(token_id) VALUES ('" + mark + "')");
        await().atMost(Duration.ofSeconds(60)).until(() -> redis.get("ens_names:" + mark) != null);
    }

    private RowCacheComponent cache() {
        return rig.service().camelContext().getComponent("row-cache", RowCacheComponent.class);
    }

    private int run(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out();
    }

    private String err() {
        return rig.cli.err();
    }

    // ---------------------------------------------------------------- values and keys

    @Test
    void a_row_that_is_read_looks_as_one_that_was_streamed_whatever_its_types() throws Exception {
        start(
                "CREATE DOMAIN price AS numeric(20,4)",
                "CREATE DOMAIN tiny AS int",
                "CREATE TYPE mood AS ENUM ('glad', 'it''s, \"so\"')",
                "CREATE TABLE kinds(k1 text, k2 timestamptz, k3 float8, k4 char(5), k5 bit(3), k6 mood,"
                        + " i2 int2, i8 int8, f4 float4, f8 float8, n numeric, p price, ti tiny, b bool, j json, jb jsonb,"
                        + " ts timestamp, d date, t time, tz timetz, iv interval, by bytea, ip inet, u uuid, ia int[],"
                        + " ta text[][], tsa timestamptz[], r int4range, m money, bt bit varying, x xml, pt point,"
                        + " g int GENERATED ALWAYS AS (i2 + 1) STORED, nothing text,"
                        + " PRIMARY KEY (k3, k1, k2, k4, k5, k6))");
        rig.db.execute(
                "INSERT INTO kinds VALUES ('a:b%c d''\"é😀;--?', '2026-01-31 12:00:00.123456+02', 0.1, 'ab', B'101',"
                        + " 'it''s, \"so\"', -2, 9007199254740993, 0.1, 1e300, 12345678901234567890.12345678900, 1.5, 7, true,"
                        + " '{ \"a\" : 1.10 }', '{\"b\": [1, null]}', 'infinity', '0044-03-15 BC', '24:00', '12:00:00.5+02',"
                        + " '1 year -2 days 03:04:05.6', '\\x00ff', '10.0.0.0/8', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',"
                        + " '{1,NULL,3}', '{{\"a,b\",c},{d,NULL}}', '{\"2026-01-01 00:00:00+00\"}', '[1,5)', 12.34, B'1011',"
                        + " '<a>1</a>', '(1.5,2)')",
                "INSERT INTO kinds(k1, k2, k3, k4, k5, k6) VALUES ('', '-infinity', 'NaN', '', B'000', 'glad')");
        awaitStream();
        Map<String, JsonNode> streamed = new TreeMap<>();
        for (String key : redis.keys("kinds:*")) {
            streamed.put(key, cached(key));
            redis.del(key);
        }
        assertThat(streamed).hasSize(2);

        assertThat(backfill("kinds").rows()).isEqualTo(2);

        Map<String, JsonNode> read = new TreeMap<>();
        for (String key : redis.keys("kinds:*")) {
            read.put(key, cached(key));
        }
        assertThat(read).isEqualTo(streamed);
        assertThat(rig.audit())
                .noneMatch(event -> event.at("/operation").asText().equals("READ"));
    }

    @Test
    void every_row_is_read_once_over_many_chunks_of_composite_keys_with_odd_characters() throws Exception {
        start(
                "CREATE SCHEMA \"Odd one\"",
                "CREATE TABLE \"Odd one\".\"T\"\"x\"(\"a b\" text, b int, v text, PRIMARY KEY (b, \"a b\"))");
        rig.db.execute("INSERT INTO \"Odd one\".\"T\"\"x\" SELECT chr(33 + i % 90) || '''\"%:é' || i, i % 7, 'v' || i"
                + " FROM generate_series(1, 1777) i");
        awaitStream();
        redis.flushdb();

        Backfill done = backfill("\"Odd one\".\"T\"\"x\"");

        assertThat(done.rows()).isEqualTo(1777);
        assertThat(redis.keys("Odd one.T\"x:*")).hasSize(1777);
    }

    @Test
    void a_large_value_is_read_whole_and_many_of_them_a_few_at_a_time() throws Exception {
        start("CREATE TABLE large(id int PRIMARY KEY, v text)", "ALTER TABLE large ALTER v SET STORAGE EXTERNAL");
        rig.db.execute("INSERT INTO large SELECT i, repeat(chr(64 + i), 3000000) FROM generate_series(1, 12) i");
        awaitStream();
        redis.flushdb();

        assertThat(backfill("large").rows()).isEqualTo(12);

        for (int i = 1; i <= 12; i++) {
            assertThat(cached("large:" + i).at("/v").asText())
                    .isEqualTo(Character.toString(64 + i).repeat(3_000_000));
        }
    }

    // ---------------------------------------------------------------- beside the stream

    @Test
    void a_transaction_that_began_before_a_row_was_read_and_commits_afterwards_wins() throws Exception {
        start();
        rig.db.execute("INSERT INTO listings(id, status) SELECT i, 'first' FROM generate_series(1, 4) i");
        awaitStream();
        try (Connection old = rig.db.connect();
                var s = old.createStatement()) {
            old.setAutoCommit(false);
            s.execute("UPDATE listings SET status = 'by the old transaction' WHERE id = 1");
            s.execute("DELETE FROM listings WHERE id = 2");
            s.execute("UPDATE listings SET id = 33 WHERE id = 3");
            // The slot's confirmed position and the WAL's end go far past these.
            rig.db.execute("INSERT INTO opensea_events(event_type) SELECT 'x' FROM generate_series(1, 300)");
            awaitStream();
            redis.del("listings:1", "listings:2", "listings:3", "listings:4");

            assertThat(backfill("listings").rows()).isEqualTo(4);
            assertThat(cached("listings:1").at("/status").asText()).isEqualTo("first");
            assertThat(cached("listings:2")).isNotNull();

            old.commit();
        }
        awaitStream();
        assertThat(cached("listings:1").at("/status").asText()).isEqualTo("by the old transaction");
        assertThat(cached("listings:2")).isNull();
        assertThat(cached("listings:3")).isNull();
        assertThat(cached("listings:33").at("/status").asText()).isEqualTo("first");
        // Only the marks of later changes tell that a deletion was the last word.
        assertThat(redis.hkeys("_walroute:versions")).contains("listings:2", "listings:3");
        assertThat(redis.get("listings:4")).contains("\"_version\"");
    }

    /** As with any commit for a moment; a synchronous standby that is away makes it last. */
    @Test
    void a_commit_that_was_streamed_before_others_see_it_is_not_overwritten_by_the_row_before_it() throws Exception {
        start();
        rig.db.execute("INSERT INTO listings(id, status) VALUES (1, 'before')");
        awaitStream();
        rig.db.execute(
                "ALTER SYSTEM SET synchronous_commit = 'local'",
                "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
                "SELECT pg_reload_conf()");
        var waits = new Thread(() ->
                rig.db.execute("SET synchronous_commit = on", "UPDATE listings SET status = 'after' WHERE id = 1"));
        try {
            await().until(() -> "nobody".equals(rig.db.query("SHOW synchronous_standby_names")));
            waits.start();
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> cached("listings:1").at("/status").asText().equals("after"));
            assertThat(rig.db.query("SELECT status FROM listings WHERE id = 1")).isEqualTo("before");
            String passed = rig.walPosition();
            await().atMost(Duration.ofSeconds(60)).until(() -> {
                rig.db.execute(
                        "SELECT pg_log_standby_snapshot()", "INSERT INTO opensea_events(event_type) VALUES ('x')");
                return "t"
                        .equals(rig.db.query("SELECT restart_lsn > '" + passed
                                + "' FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'"));
            });

            List<Backfill> begun = begin(whole("listings"));
            await().during(Duration.ofSeconds(1))
                    .atMost(Duration.ofSeconds(5))
                    .until(() ->
                            rig.service().backfills().find(begun.get(0).id()).rows() == 0);
            rig.db.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()");
            waits.join();

            assertThat(awaitEnd(begun).get(0).rows()).isEqualTo(1);
            assertThat(cached("listings:1").at("/status").asText()).isEqualTo("after");
        } finally {
            rig.db.execute(
                    "ALTER SYSTEM RESET synchronous_standby_names",
                    "ALTER SYSTEM RESET synchronous_commit",
                    "SELECT pg_reload_conf()");
            waits.join();
        }
    }

    @Test
    void the_cache_equals_the_tables_after_backfills_among_concurrent_writers() throws Exception {
        long seed = System.nanoTime();
        start("CREATE TABLE busy(id int, part text, n int, PRIMARY KEY (part, id))");
        rig.db.execute("INSERT INTO busy SELECT i, 'p' || i % 3, 0 FROM generate_series(1, 3000) i");
        var stop = new AtomicBoolean();
        List<Thread> writers = new ArrayList<>();
        for (int w = 0; w < 3; w++) {
            var random = new Random(seed + w);
            writers.add(new Thread(() -> write(random, stop)));
        }
        writers.forEach(Thread::start);
        for (int round = 0; round < 3; round++) {
            redis.flushdb();
            backfill("busy");
        }
        stop.set(true);
        for (Thread writer : writers) {
            writer.join();
        }
        awaitStream();

        assertThat(entries("busy")).as("seed %d", seed).isEqualTo(rows());
    }

    /** Short and long transactions over a few thousand keys: new, changed, deleted, moved rows. */
    private void write(Random random, AtomicBoolean stop) {
        try (Connection c = rig.db.connect();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            while (!stop.get()) {
                for (int i = random.nextInt(1, 30); i > 0; i--) {
                    int id = random.nextInt(1, 3500);
                    String at = " WHERE id = " + id + " AND part = 'p" + id % 3 + "'";
                    switch (random.nextInt(6)) {
                        case 0 -> s.execute("DELETE FROM busy" + at);
                        case 1, 2 ->
                            s.execute("INSERT INTO busy VALUES (" + id + ", 'p" + id % 3 + "', " + random.nextInt(1000)
                                    + ") ON CONFLICT (part, id) DO UPDATE SET n = excluded.n");
                        case 3 ->
                            s.execute("UPDATE busy SET id = id + 10000" + at
                                    + " AND NOT EXISTS (SELECT FROM busy WHERE id = " + (id + 10000) + ")");
                        default -> s.execute("UPDATE busy SET n = n + 1" + at);
                    }
                }
                c.commit();
            }
        } catch (SQLException e) {
            if (!"40P01".equals(e.getSQLState()) && !"23505".equals(e.getSQLState())) {
                throw new IllegalStateException(e);
            }
            write(random, stop); // a deadlock or a clash of two writers: the next transaction
        }
    }

    private Map<String, Integer> entries(String table) throws Exception {
        Map<String, Integer> entries = new TreeMap<>();
        for (String key : redis.keys(table + ":*")) {
            entries.put(key, cached(key).at("/n").asInt());
        }
        return entries;
    }

    private Map<String, Integer> rows() throws Exception {
        Map<String, Integer> rows = new TreeMap<>();
        try (Connection c = rig.db.connect();
                var s = c.createStatement();
                var r = s.executeQuery("SELECT 'busy:' || part || ':' || id, n FROM busy")) {
            while (r.next()) {
                rows.put(r.getString(1), r.getInt(2));
            }
        }
        return rows;
    }

    @Test
    void fifty_thousand_rows_are_read_in_chunks_while_the_stream_goes_on() throws Exception {
        start(
                "CREATE TABLE many(id bigserial PRIMARY KEY, v text)",
                "INSERT INTO many(v) SELECT 'row ' || i FROM generate_series(1, 50000) i");
        assertThat(redis.keys("many:*")).isEmpty(); // the slot is younger than these rows

        List<Backfill> begun = begin(whole("many"));
        rig.db.execute("UPDATE many SET v = 'changed' WHERE id % 1000 = 0", "DELETE FROM many WHERE id % 1000 = 1");
        Backfill done = awaitEnd(begun).get(0);

        awaitStream();
        assertThat(done.rows()).isBetween(49_950L, 50_000L);
        assertThat(redis.keys("many:*")).hasSize(49_950);
        assertThat(cached("many:50000").at("/v").asText()).isEqualTo("changed");
        assertThat(cached("many:49999").at("/v").asText()).isEqualTo("row 49999");
    }

    // ---------------------------------------------------------------- restarts

    @Test
    void an_unfinished_backfill_goes_on_behind_its_last_rows_after_a_restart() throws Exception {
        start("CREATE TABLE steps(id int PRIMARY KEY)", "INSERT INTO steps SELECT generate_series(1, 1200)");
        var slow = new BackfillRequest(List.of(TableName.parse("steps"), TableName.parse("offers")), null, 200, true);
        List<Backfill> begun = begin(slow);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.service().backfills().find(begun.get(0).id()).rows() >= 200);

        rig.stop();
        long before = rows(begun.get(0));
        long cachedBefore = redis.keys("steps:*").size();
        rig.startReady();
        redis.del("steps:1"); // read before the restart: nobody reads it again
        List<Backfill> ended = awaitEnd(begun);

        assertThat(before).isBetween(200L, 1199L);
        assertThat(cachedBefore).isGreaterThanOrEqualTo(before);
        assertThat(ended).extracting(Backfill::state).containsOnly(Backfill.State.DONE);
        assertThat(ended.get(0).rows()).isEqualTo(1200);
        assertThat(redis.keys("steps:*")).hasSize(1199);
    }

    private long rows(Backfill backfill) throws SQLException {
        try (var c = java.sql.DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement();
                var r = s.executeQuery("SELECT rows_done FROM backfills WHERE id = " + backfill.id())) {
            return r.getLong(1);
        }
    }

    @Test
    void a_cancelled_backfill_ends_and_the_next_one_begins() throws Exception {
        start("CREATE TABLE steps(id int PRIMARY KEY)", "INSERT INTO steps SELECT generate_series(1, 5000)");
        List<Backfill> begun = begin(
                new BackfillRequest(List.of(TableName.parse("steps"), TableName.parse("ens_names")), null, 100, true));
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.service().backfills().find(begun.get(0).id()).rows() > 0);

        assertThat(run("backfill", "--cancel", Long.toString(begun.get(0).id())))
                .as(err())
                .isZero();

        assertThat(out()).matches("(?s)Backfill \\d+ of steps: cancelled, \\d+ rows\\n");
        assertThat(awaitEnd(begun.get(1)).state()).isEqualTo(Backfill.State.DONE);
        assertThat(rig.service().backfills().floor()).isEmpty();
        assertThat(run("backfill", "--cancel")).isZero();
        assertThat(out()).isEqualTo("No backfill is under way.\n");
    }

    // ---------------------------------------------------------------- the cache as a whole

    @Test
    void after_an_emptied_redis_a_backfill_of_all_tables_makes_the_cache_whole() throws Exception {
        start("CREATE TABLE \"no key\"(id int)");
        rig.db.execute(
                "INSERT INTO listings(id) VALUES (1)",
                "INSERT INTO offers(id, listing_id) VALUES (5, 1)",
                "INSERT INTO opensea_events(id) VALUES (3)",
                "INSERT INTO \"no key\" VALUES (1)");
        awaitStream();
        redis.flushall();
        assertThat(cache().markerState()).isEqualTo(MarkerState.MISSING);
        assertThat(rig.management("/observe/health").body()).contains("walroute backfill");

        assertThat(run("backfill")).as(err()).isZero();

        assertThat(out())
                .contains(" of listings: done, 1 rows", " of offers: done, 1 rows", " of ens_names: done, ")
                .doesNotContain("opensea_events", "no key");
        assertThat(cached("listings:1")).isNotNull();
        assertThat(cached("offers:5")).isNotNull();
        assertThat(redis.keys("opensea_events:*")).isEmpty(); // its route doesn't lead to the cache
        assertThat(cache().markerState()).isEqualTo(MarkerState.PRESENT);
        assertThat(rig.receiver.requests()).hasSize(1); // the stream's, not the backfill's
    }

    @Test
    void a_redis_that_is_emptied_again_meanwhile_does_not_count_as_whole() throws Exception {
        start("CREATE TABLE steps(id int PRIMARY KEY)", "INSERT INTO steps SELECT generate_series(1, 600)");
        List<Backfill> begun = begin(new BackfillRequest(List.of(), null, 300, true));
        await().atMost(Duration.ofSeconds(30))
                .until(() -> !redis.keys("steps:*").isEmpty());
        redis.flushall();

        awaitEnd(begun);

        assertThat(cache().markerState()).isEqualTo(MarkerState.MISSING);
    }

    @Test
    void entries_of_rows_that_are_gone_are_removed_and_others_are_left() throws Exception {
        start();
        rig.db.execute("INSERT INTO listings(id, status) VALUES (1, 'active')", "INSERT INTO listings(id) VALUES (2)");
        awaitStream();
        String old = "\"_version\":\"00000001-0000000000000001-00000000\"}";
        String late = "\"_version\":\"00000001-0fffffffffffffff-00000000\"}";
        redis.set("listings:77", "{\"id\":77," + old);
        redis.set("listings:78", "{\"id\":78," + late);
        redis.set("listings:1", "{\"id\":1,\"status\":\"stale\"," + old);
        redis.set("listings:a:b", "{\"id\":\"of a table named listings:a\"," + old);
        redis.set("listings:note", "somebody else's");

        Backfill done = backfill("listings");

        assertThat(done.pruned()).isEqualTo(1);
        assertThat(redis.get("listings:77")).isNull();
        assertThat(redis.get("listings:78"))
                .as("changed later than the first row was read")
                .isNotNull();
        assertThat(cached("listings:1").at("/status").asText()).isEqualTo("active");
        assertThat(redis.get("listings:a:b")).isNotNull();
        assertThat(redis.get("listings:note")).isEqualTo("somebody else's");
        // What is older than the removal must not bring the row back; what a row is read with must.
        Version kept = Version.parse(redis.hget("_walroute:versions", "listings:77"));
        assertThat(kept).isLessThan(done.start()).isGreaterThan(Version.parse("00000001-0000000000000001-00000000"));
    }

    @Test
    void a_condition_restricts_the_rows_and_nothing_is_pruned() throws Exception {
        start();
        rig.db.execute(
                "INSERT INTO listings(id, status, metadata) VALUES (1, 'active', '{\"a\": 1}'), (2, 'sold', '{\"a\": 1}'),"
                        + " (3, 'active', '{}')");
        awaitStream();
        redis.del("listings:1", "listings:2", "listings:3");

        assertThat(run(
                        "backfill",
                        "--table",
                        "listings",
                        "--where",
                        "status = 'active' AND metadata ? 'a' -- and so on",
                        "--json"))
                .as(err())
                .isZero();

        JsonNode answer = ServiceRig.JSON.readTree(out());
        assertThat(answer.at("/0/rows").asInt()).isEqualTo(1);
        assertThat(answer.at("/0/prune").asBoolean()).isFalse();
        assertThat(redis.exists("listings:1", "listings:2", "listings:3")).isEqualTo(1);
        assertThat(cached("listings:1")).isNotNull();
    }

    @Test
    void the_first_start_fills_the_cache_if_the_settings_say_so() throws Exception {
        rig = new ServiceRig("INSERT INTO listings(id) SELECT generate_series(1, 700)");
        rig.environment.put("WALROUTE_SNAPSHOT", "cache");
        rig.startReady();
        redis = rig.redis().sync();

        await().atMost(Duration.ofSeconds(30)).until(() -> cache().markerState() == MarkerState.PRESENT);
        assertThat(redis.keys("listings:*")).hasSize(700);

        redis.flushall();
        rig.stop();
        rig.startReady();
        assertThat(rig.service().backfills().list(100))
                .as("the second start leaves it to the operator")
                .extracting(b -> b.table().toString())
                .doesNotHaveDuplicates();
    }

    @Test
    void rows_of_a_cache_that_is_away_wait_for_it() throws Exception {
        start("CREATE TABLE steps(id int PRIMARY KEY)", "INSERT INTO steps SELECT generate_series(1, 1500)");
        List<Backfill> begun = begin(new BackfillRequest(List.of(TableName.parse("steps")), null, 500, true));
        await().atMost(Duration.ofSeconds(30))
                .until(() -> !redis.keys("steps:*").isEmpty());
        int port = rig.redis.port();
        rig.redis.close();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.service()
                                .backfills()
                                .toJson(rig.service()
                                        .backfills()
                                        .find(begun.get(0).id()))
                                .get("problem")
                        instanceof String);
        rig.redis = io.walroute.testing.Redis.start(port);

        assertThat(awaitEnd(begun).get(0).state()).isEqualTo(Backfill.State.DONE);
        await().atMost(Duration.ofSeconds(60))
                .untilAsserted(() ->
                        assertThat(rig.redis().sync().keys("steps:*").size()).isGreaterThanOrEqualTo(500));
    }

    // ---------------------------------------------------------------- what can't be done

    @Test
    void what_can_not_be_done_is_said_in_one_line() throws Exception {
        start(
                "CREATE TABLE keyless(id int)",
                "CREATE TABLE steps(id int PRIMARY KEY)",
                "INSERT INTO steps SELECT generate_series(1, 5000)",
                "CREATE VIEW seen AS SELECT 1 AS id",
                "CREATE UNLOGGED TABLE unlogged(id int PRIMARY KEY)");

        wrong("There is no table nowhere in the database. Published are: ens_names, ", "--table", "nowhere");
        refused("Table unlogged is not in publication grails_publication", "--table", "unlogged");
        refused("Table seen is not in publication", "--table", "seen");
        refused("Table keyless has no primary key", "--table", "keyless");
        refused("Table opensea_events has a route that doesn't lead to the cache", "--table", "opensea_events");
        wrong("--where id =: syntax error at or near \")\"", "--table", "steps", "--where", "id =");
        wrong("--where nix = 1: column \"nix\" does not exist", "--table", "steps", "--where", "nix = 1");
        wrong("--where id: argument of WHERE must be type boolean", "--table", "steps", "--where", "id");
        wrong("--where holds a semicolon", "--table", "steps", "--where", "true); DELETE FROM steps; SELECT (true");
        wrong("--where is a condition on one table", "--where", "true");
        wrong("--rate -1 is below 0", "--table", "steps", "--rate", "-1");
        wrong("the table name a b holds ' '", "--table", "a b");
        wrong("--cancel x is no id", "--cancel", "x");
        refused("there is no backfill 99", "--cancel", "99");
        assertThat(rig.db.query("SELECT count(*) FROM steps")).isEqualTo("5000");

        assertThat(run("backfill", "--table", "steps", "--dry-run")).as(err()).isZero();
        assertThat(out()).matches("Would read about [\\d,]+ rows of steps\\n");
        assertThat(run("backfill", "--table", "steps", "--rate", "50", "--no-wait"))
                .as(err())
                .isZero();
        refused("of steps is ", "--table", "steps");
        assertThat(run("backfill", "--cancel")).isZero();
        assertThat(run("backfill", "--list")).isZero();
        assertThat(out()).contains("cancelled").contains("steps");

        rig.stop();
        assertThat(run("backfill", "--table", "steps")).isEqualTo(1);
        assertThat(err()).startsWith("The service does not answer at ").hasLineCount(1);
    }

    @Test
    void a_condition_that_fails_or_writes_while_rows_are_read_ends_the_backfill_with_the_reason() throws Exception {
        start(
                "CREATE TABLE steps(id int PRIMARY KEY)",
                "INSERT INTO steps SELECT generate_series(1, 10)",
                "CREATE FUNCTION writes() RETURNS boolean LANGUAGE plpgsql AS"
                        + " 'BEGIN DELETE FROM steps; RETURN true; END'");

        assertThat(run("backfill", "--table", "steps", "--where", "1 / (id - 5) < 9"))
                .isEqualTo(1);
        assertThat(out()).contains("failed, 0 rows: division by zero");
        assertThat(run("backfill", "--table", "steps", "--where", "writes()")).isEqualTo(1);
        assertThat(out()).contains("cannot execute DELETE in a read-only transaction");
        assertThat(rig.db.query("SELECT count(*) FROM steps")).isEqualTo("10");
    }

    private void refused(String message, String... args) {
        says(1, message, args);
    }

    private void wrong(String message, String... args) {
        says(2, message, args);
    }

    private void says(int code, String message, String... args) {
        List<String> all = new ArrayList<>(List.of("backfill"));
        all.addAll(List.of(args));
        assertThat(run(all.toArray(String[]::new))).as(err() + out()).isEqualTo(code);
        assertThat(err()).contains(message).hasLineCount(1);
    }
}
