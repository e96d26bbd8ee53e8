package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/**
 * PostgreSQL is the oracle: after any mix of inserts, updates, deletes, key changes, truncates and rollbacks by several writers,
 * Redis must equal the tables row for row, and the audit log must hold each committed change once, in commit order.
 *
 * <p>Reproduce a failure with {@code mvn test -Dtest=OracleTest -Dwalroute.seed=SEED}.
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
class OracleTest {
    private static final int WRITERS = 4;
    private static final int TRANSACTIONS_EACH = 150;
    /** Few keys, so that the same ones are hit over and over. */
    private static final int KEYS = 12;

    private static final List<String> TABLES = List.of("o_default", "o_full", "o_wide");

    @Test
    void after_random_changes_the_cache_equals_the_tables_and_the_audit_log_holds_each_change_once() throws Exception {
        long seed = Long.getLong("walroute.seed", System.nanoTime());
        System.out.println("OracleTest seed " + seed);
        try (var rig = new ServiceRig(
                // n counts a row's changes: what the audit log must show of it, in this order.
                "CREATE TABLE o_default(id int PRIMARY KEY, n bigint, v text, j jsonb)",
                "CREATE TABLE o_full(id int PRIMARY KEY, n bigint, v text, j jsonb)",
                "ALTER TABLE o_full REPLICA IDENTITY FULL",
                "CREATE TABLE o_wide(id int PRIMARY KEY, n bigint, v text, j jsonb)",
                "ALTER TABLE o_wide ALTER v SET STORAGE EXTERNAL",
                "CREATE SEQUENCE o_commits",
                // The oracle's own log, by triggers: inside the same transactions, so committed or not with them.
                "CREATE TABLE o_log(t text, op text, id int, n bigint, xid xid8 DEFAULT pg_current_xact_id())",
                "CREATE FUNCTION o_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                        + " INSERT INTO o_log(t, op, id, n) VALUES (TG_TABLE_NAME, TG_OP,"
                        + " CASE TG_OP WHEN 'DELETE' THEN OLD.id WHEN 'TRUNCATE' THEN NULL ELSE NEW.id END,"
                        + " CASE WHEN TG_OP IN ('DELETE','TRUNCATE') THEN NULL ELSE NEW.n END); RETURN NULL; END $$",
                trigger("o_default"),
                trigger("o_full"),
                trigger("o_wide"))) {
            rig.db.execute(
                    "DROP PUBLICATION grails_publication",
                    "CREATE PUBLICATION grails_publication FOR TABLE o_default, o_full, o_wide");
            // A second reader of the same WAL, for the order of commits.
            rig.db.execute("SELECT pg_create_logical_replication_slot('oracle_" + rig.slot + "', 'pgoutput')");
            rig.startReady();
            write(rig, seed);
            rig.db.execute(
                    "CREATE TABLE o_end(id int PRIMARY KEY)", "ALTER PUBLICATION grails_publication ADD TABLE o_end");
            rig.db.execute("INSERT INTO o_end VALUES (1)");
            try (var redis = rig.redis()) {
                await().atMost(Duration.ofSeconds(60)).until(() -> redis.sync().get("o_end:1") != null);
                String position = rig.walPosition();
                rig.db.execute("INSERT INTO o_end VALUES (2)"); // so that the slot has something to confirm past it
                await().atMost(Duration.ofSeconds(30)).until(() -> rig.slotHasConfirmed(position));
                for (String table : TABLES) {
                    assertThat(cached(redis.sync(), table))
                            .as("cache of %s, seed %d", table, seed)
                            .isEqualTo(rows(rig, table));
                }
            }
            assertAudit(rig, seed);
            assertThat(rig.count("dead_letters"))
                    .as("dead letters, seed %d", seed)
                    .isZero();
        }
    }

    private static String trigger(String table) {
        return "CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON " + table
                + " FOR EACH ROW EXECUTE FUNCTION o_note(); CREATE TRIGGER b AFTER TRUNCATE ON " + table
                + " FOR EACH STATEMENT EXECUTE FUNCTION o_note()";
    }

    private static void write(ServiceRig rig, long seed) throws Exception {
        var pool = Executors.newFixedThreadPool(WRITERS);
        try {
            List<Future<Void>> writers = new ArrayList<>();
            for (int w = 0; w < WRITERS; w++) {
                var random = new Random(seed + w);
                writers.add(pool.submit((Callable<Void>) () -> {
                    try (Connection c = rig.db.connect()) {
                        c.setAutoCommit(false);
                        for (int i = 0; i < TRANSACTIONS_EACH; i++) {
                            transaction(c, random);
                        }
                    }
                    return null;
                }));
            }
            for (Future<Void> writer : writers) {
                writer.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }

    private static void transaction(Connection c, Random random) throws SQLException {
        try (var s = c.createStatement()) {
            int statements = 1 + random.nextInt(4);
            for (int i = 0; i < statements; i++) {
                s.execute(statement(random));
            }
            if (random.nextInt(8) == 0) {
                c.rollback();
            } else {
                c.commit();
            }
        } catch (SQLException e) {
            c.rollback(); // a key that is taken, or a deadlock: then nothing of it may arrive
        }
    }

    private static String statement(Random random) {
        String table = TABLES.get(random.nextInt(TABLES.size()));
        int id = random.nextInt(KEYS);
        String value = random.nextInt(3) == 0
                ? "repeat('" + (char) ('a' + random.nextInt(26)) + "', 3000)"
                : "'" + random.nextInt(1000) + "'";
        int kind = random.nextInt(100);
        if (kind < 35) {
            return "INSERT INTO " + table + " VALUES (" + id + ", nextval('o_commits'), " + value
                    + ", '{\"a\": 1e400, \"b\": [" + id + "]}') ON CONFLICT (id) DO NOTHING";
        }
        if (kind < 60) {
            // v isn't named: a large one stays where it is, and the WAL leaves it out.
            return "UPDATE " + table + " SET n = nextval('o_commits') WHERE id = " + id;
        }
        if (kind < 75) {
            return "UPDATE " + table + " SET n = nextval('o_commits'), v = " + value + " WHERE id = " + id;
        }
        if (kind < 84) {
            return "UPDATE " + table + " SET n = nextval('o_commits'), id = " + random.nextInt(KEYS) + " WHERE id = "
                    + id;
        }
        return kind < 98 ? "DELETE FROM " + table + " WHERE id = " + id : "TRUNCATE " + table;
    }

    private static Map<String, JsonNode> cached(
            io.lettuce.core.api.sync.RedisCommands<String, String> redis, String table) throws Exception {
        Map<String, JsonNode> entries = new TreeMap<>();
        for (String key : redis.keys(table + ":*")) {
            var row = (com.fasterxml.jackson.databind.node.ObjectNode) ServiceRig.JSON.readTree(redis.get(key));
            assertThat(row.remove("_version")).as(key).isNotNull();
            entries.put(key, row);
        }
        return entries;
    }

    private static Map<String, JsonNode> rows(ServiceRig rig, String table) throws Exception {
        Map<String, JsonNode> rows = new TreeMap<>();
        try (var c = rig.db.connect();
                var s = c.createStatement();
                var r = s.executeQuery("SELECT id, n, v, j::text FROM " + table)) {
            while (r.next()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("id", r.getInt(1));
                row.put("n", r.getLong(2));
                row.put("v", r.getString(3));
                row.put("j", ServiceRig.JSON.readTree(r.getString(4)));
                rows.put(table + ":" + r.getInt(1), ServiceRig.JSON.readTree(ServiceRig.JSON.writeValueAsString(row)));
            }
        }
        return rows;
    }

    private static void assertAudit(ServiceRig rig, long seed) throws Exception {
        List<JsonNode> audit = rig.audit().stream()
                .filter(e -> !e.at("/table").asText().equals("o_end"))
                .toList();
        assertThat(audit)
                .extracting(e -> e.at("/id").asText())
                .as("seed %d", seed)
                .doesNotHaveDuplicates();
        // Each committed change once: the trigger's log is the multiset of what was committed.
        Map<String, Integer> expected = new TreeMap<>();
        try (var c = rig.db.connect();
                var s = c.createStatement();
                var r = s.executeQuery("SELECT t, op, id, n, xid FROM o_log")) {
            while (r.next()) {
                String change = r.getString(1) + " " + r.getString(2) + " " + r.getString(3) + " " + r.getString(4)
                        + " " + r.getString(5);
                expected.merge(change, 1, Integer::sum);
            }
        }
        Map<String, Integer> found = new TreeMap<>();
        for (JsonNode e : audit) {
            String op = e.at("/operation").asText();
            String id = op.equals("TRUNCATE") ? "null" : e.at("/key/id").asText();
            String n =
                    op.equals("INSERT") || op.equals("UPDATE") ? e.at("/new/n").asText() : "null";
            found.merge(
                    e.at("/table").asText() + " " + op + " " + id + " " + n + " "
                            + e.at("/xid").asText(),
                    1,
                    Integer::sum);
        }
        assertThat(found).as("seed %d", seed).isEqualTo(expected);
        assertCommitOrder(audit, commits(rig), seed);
    }

    /**
     * Transaction ids in the order in which PostgreSQL itself decodes them: pgoutput's message "B" ends with the xid. (Commit times
     * don't tell: a transaction takes its time before it takes its place in the WAL.)
     */
    private static List<String> commits(ServiceRig rig) throws SQLException {
        List<String> xids = new ArrayList<>();
        try (var c = rig.db.connect();
                var s = c.createStatement()) {
            try (var r = s.executeQuery("SELECT data FROM pg_logical_slot_get_binary_changes('oracle_" + rig.slot
                    + "', NULL, NULL, 'proto_version', '1', 'publication_names', 'grails_publication')")) {
                while (r.next()) {
                    byte[] message = r.getBytes(1);
                    if (message[0] == 'B') {
                        xids.add(Integer.toUnsignedString(
                                java.nio.ByteBuffer.wrap(message).getInt(17)));
                    }
                }
            }
            s.execute("SELECT pg_drop_replication_slot('oracle_" + rig.slot + "')");
        }
        return xids;
    }

    /** Transactions stand in commit order, each one's changes together; along one row the versions rise. */
    private static void assertCommitOrder(List<JsonNode> audit, List<String> commits, long seed) {
        List<String> order = new ArrayList<>();
        Map<String, Long> lastLsn = new LinkedHashMap<>();
        for (JsonNode e : audit) {
            String xid = e.at("/xid").asText();
            if (order.isEmpty() || !order.get(order.size() - 1).equals(xid)) {
                order.add(xid);
            }
            long lsn = io.walroute.change.Lsn.parse(e.at("/lsn").asText()).value();
            String row = e.at("/table").asText() + e.at("/key").toString();
            Long before = lastLsn.put(row, lsn);
            if (before != null) {
                assertThat(lsn).as("%s, seed %d", row, seed).isGreaterThanOrEqualTo(before);
            }
        }
        assertThat(order).as("seed %d", seed).doesNotHaveDuplicates();
        commits.retainAll(new java.util.HashSet<>(order));
        assertThat(order).as("seed %d", seed).isEqualTo(commits);
    }
}
