package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.testing.Postgres;
import io.walroute.testing.Redis;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The oracle itself: it must see each kind of wrong world as wrong. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class OracleChecksTest {
    private final Postgres.Database db = Postgres.newDatabase();
    private final Redis redis = Redis.start();
    private final RedisClient client = RedisClient.create(redis.url());
    private final StatefulRedisConnection<String, String> cache = client.connect();
    private final List<String> webhooks = new ArrayList<>();
    private final List<String> frames = new ArrayList<>();
    private Wish wish = Wish.ALL;
    private boolean gap;
    private int backwards;

    @TempDir
    private Path folder;

    @BeforeEach
    void a_right_world() throws Exception {
        try (Connection c = db.connect()) {
            Workload.create(c, 0);
        }
        db.execute(
                "SELECT pg_create_logical_replication_slot('oracle_" + db.name() + "', 'pgoutput')",
                "INSERT INTO f_full VALUES (1, 1, 'a')",
                "UPDATE f_full SET n = 2 WHERE id = 1",
                "INSERT INTO f_default VALUES (7, 3, 'b')");
        audit(
                "CREATE TABLE audit_log(seq integer PRIMARY KEY, event_id text, xid text, table_name text, operation text,"
                        + " key text, event text)");
        audited("e1", xid(1), "f_full", "INSERT", 1, 1);
        audited("e2", xid(2), "f_full", "UPDATE", 1, 2);
        audited("e3", xid(3), "f_default", "INSERT", 7, 3);
        cache.sync().set("f_full:1", "{\"id\":1,\"n\":2,\"v\":\"a\",\"_version\":\"x\"}");
        cache.sync().set("f_default:7", "{\"id\":7,\"n\":3,\"v\":\"b\",\"_version\":\"x\"}");
        webhooks.addAll(List.of("e1", "e2", "e3"));
        frames.addAll(List.of("e1", "e2", "e3"));
    }

    @AfterEach
    void close() {
        client.shutdown();
        redis.close();
        db.query("SELECT pg_drop_replication_slot('oracle_" + db.name() + "')");
    }

    private String xid(long n) {
        return db.query("SELECT xid FROM f_log WHERE n = " + n);
    }

    private void audited(String id, String xid, String table, String operation, long key, long n) throws SQLException {
        audit("INSERT INTO audit_log(event_id, xid, table_name, operation, key, event) VALUES ('" + id + "', '" + xid
                + "', '" + table + "', '" + operation + "', '{\"id\":" + key + "}', '{\"new\":{\"n\":" + n + "}}')");
    }

    private void audit(String sql) throws SQLException {
        try (Connection c = auditConnection();
                var s = c.createStatement()) {
            s.execute(sql);
        }
    }

    private Connection auditConnection() throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("audit.db"));
    }

    private Verdict judge() throws Exception {
        return Oracle.judge(new Oracle.Evidence() {
            @Override
            public Connection database() throws SQLException {
                return db.connect();
            }

            @Override
            public Connection audit() throws SQLException {
                return auditConnection();
            }

            @Override
            public RedisCommands<String, String> redis() {
                return cache.sync();
            }

            @Override
            public List<String> webhooks() {
                return webhooks;
            }

            @Override
            public List<Oracle.Heard> clients() {
                return List.of(new Oracle.Heard(wish, frames, gap, backwards));
            }

            @Override
            public String oracleSlot() {
                return "oracle_" + db.name();
            }
        });
    }

    @Test
    void a_right_world_is_clean() throws Exception {
        Verdict verdict = judge();
        assertThat(verdict.details()).isEmpty();
        assertThat(verdict).isEqualTo(new Verdict(3, 0, 0, 0, new Verdict.Frames(3, 0, 0), List.of()));
    }

    @Test
    void a_webhook_that_never_came_is_lost() throws Exception {
        webhooks.remove("e2");
        assertThat(judge().lost()).isEqualTo(1);
    }

    @Test
    void a_webhook_that_overtook_an_earlier_one_of_its_row_is_reordered() throws Exception {
        webhooks.clear();
        webhooks.addAll(List.of("e2", "e1", "e3"));
        assertThat(judge().reordered()).isEqualTo(1);
    }

    @Test
    void webhooks_of_different_rows_have_no_order() throws Exception {
        webhooks.clear();
        webhooks.addAll(List.of("e3", "e1", "e2"));
        assertThat(judge().isClean()).isTrue();
    }

    @Test
    void a_webhook_that_came_twice_is_repeated_but_not_reordered() throws Exception {
        webhooks.add("e1");
        Verdict verdict = judge();
        assertThat(verdict.repeated()).isEqualTo(1);
        assertThat(verdict.isClean()).isTrue();
    }

    @Test
    void a_webhook_of_a_change_that_was_never_committed_is_wrong() throws Exception {
        webhooks.add("e9");
        assertThat(judge().lost()).isEqualTo(1);
    }

    @Test
    void a_frame_that_is_missing_is_lost_unless_a_gap_was_told() throws Exception {
        frames.remove("e3");
        assertThat(judge().lost()).isEqualTo(1);
        assertThat(judge().frames()).isEqualTo(new Verdict.Frames(3, 1, 0));
        gap = true;
        assertThat(judge().lost()).isZero();
    }

    @Test
    void a_frame_that_came_twice_or_at_a_position_before_the_last_one_is_wrong() throws Exception {
        frames.add("e1");
        Verdict verdict = judge();
        assertThat(verdict.frames()).isEqualTo(new Verdict.Frames(3, 0, 1));
        assertThat(verdict.isClean()).isFalse();
        frames.remove("e1");
        frames.add(0, "e1");
        frames.remove(frames.size() - 1);
        backwards = 1;
        assertThat(judge().reordered()).isEqualTo(1);
    }

    @Test
    void of_a_filtered_client_only_what_it_asked_for_is_wanted_and_nothing_else_allowed() throws Exception {
        wish = Wish.MANY.get(2);
        assertThat(wish.members()).contains("\"lt\":8");
        assertThat(judge().frames()).isEqualTo(new Verdict.Frames(3, 0, 0));
        wish = Wish.MANY.get(1);
        frames.clear();
        assertThat(judge().frames()).isEqualTo(new Verdict.Frames(0, 0, 0));
        frames.add("e1");
        assertThat(judge().isClean()).isFalse();
    }

    @Test
    void a_stale_or_missing_or_surplus_cache_entry_is_lost() throws Exception {
        cache.sync().set("f_full:1", "{\"id\":1,\"n\":1,\"v\":\"a\",\"_version\":\"x\"}");
        cache.sync().del("f_default:7");
        cache.sync().set("f_wide:9", "{\"id\":9,\"n\":1,\"v\":\"a\",\"_version\":\"x\"}");
        assertThat(judge().lost()).isEqualTo(3);
    }

    @Test
    void an_audit_log_that_lacks_doubles_or_invents_a_change_is_lost() throws Exception {
        audit("DELETE FROM audit_log WHERE event_id = 'e3'");
        assertThat(judge().lost())
                .as("the receiver and the client got what the log knows nothing of")
                .isEqualTo(3);
        audited("e3", xid(3), "f_default", "INSERT", 7, 3);
        audited("e4", xid(3), "f_default", "INSERT", 7, 3);
        webhooks.add("e4");
        frames.add("e4");
        assertThat(judge().lost()).isEqualTo(1);
    }

    @Test
    void an_audit_log_in_another_order_than_the_commits_is_reordered() throws Exception {
        audit("UPDATE audit_log SET seq = seq + 10 WHERE event_id = 'e1'");
        assertThat(judge().reordered()).isPositive();
    }
}
