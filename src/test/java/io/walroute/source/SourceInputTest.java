package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/** Tables, rows and transactions of every shape, as change events. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SourceInputTest {
    private WalRig rig;

    @AfterEach
    void stop() {
        rig.close();
    }

    @Test
    void a_null_stays_null_where_the_column_has_a_default() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text DEFAULT 'dflt', n int NOT NULL DEFAULT 7, e text)")
                .start();
        var made = rig.make(
                3,
                "INSERT INTO t(id, v, e) VALUES (1, NULL, '')",
                "DELETE FROM t WHERE id = 1",
                "INSERT INTO t(id, v) VALUES (2, 'dflt')");
        assertThat(made.get(2).newRow()).containsEntry("v", "dflt").containsEntry("n", 7L);
        assertThat(made.get(0).newRow())
                .containsEntry("v", null)
                .containsEntry("n", 7L)
                .containsEntry("e", "");
        assertThat(made.get(1).oldRow()).isEqualTo(Map.of("id", 1L));
    }

    @Test
    void composite_keys_come_in_key_order_and_tables_without_a_key_have_none() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE c(a text, b int, v text, PRIMARY KEY (b, a))",
                        "CREATE TABLE nokey(v text)",
                        "CREATE UNIQUE INDEX ON nokey(v)",
                        "ALTER TABLE nokey REPLICA IDENTITY FULL")
                .start();
        var made = rig.make(
                4,
                "INSERT INTO c VALUES ('x:y', 1, 'v')",
                "INSERT INTO nokey VALUES (NULL), ('w')",
                "UPDATE nokey SET v = 'z' WHERE v = 'w'");
        assertThat(made.get(0).key().keySet()).containsExactly("b", "a");
        assertThat(made.get(0).keyText()).isEqualTo("1:x%3Ay");
        assertThat(made.subList(1, 4)).allSatisfy(e -> assertThat(e.key()).isNull());
        assertThat(made.get(3).oldRow()).containsEntry("v", "w");
        assertThat(made.get(3).changedColumns()).containsExactly("v");
    }

    @Test
    void quoted_upper_case_and_non_ascii_names_arrive_as_they_are() throws Exception {
        rig = new WalRig(
                        "CREATE SCHEMA \"Büro 1\"",
                        "CREATE TABLE \"Büro 1\".\"Ünï-Tabelle\"(\"Schlüssel\" int PRIMARY KEY, \"a.b\" text, \"C\"\"D\" text)")
                .start();
        var made = rig.make(
                2,
                "INSERT INTO \"Büro 1\".\"Ünï-Tabelle\" VALUES (1, 'é', '日本')",
                "UPDATE \"Büro 1\".\"Ünï-Tabelle\" SET \"a.b\" = 'ß' WHERE \"Schlüssel\" = 1");
        assertThat(made.get(1).schema()).isEqualTo("Büro 1");
        assertThat(made.get(1).table()).isEqualTo("Ünï-Tabelle");
        assertThat(made.get(1).key()).isEqualTo(Map.of("Schlüssel", 1L));
        assertThat(made.get(1).newRow()).isEqualTo(Map.of("Schlüssel", 1L, "a.b", "ß", "C\"D", "日本"));
    }

    @Test
    void partitions_arrive_under_their_tables_name() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE p(id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
                        "CREATE TABLE p_eu PARTITION OF p FOR VALUES IN ('eu')",
                        "CREATE TABLE p_us PARTITION OF p FOR VALUES IN ('us')")
                .start();
        var made = rig.make(
                3,
                "INSERT INTO p VALUES (1, 'eu', 'a')",
                "UPDATE p SET v = 'b' WHERE id = 1",
                "DELETE FROM p WHERE id = 1");
        assertThat(made).extracting(ChangeEvent::table).containsOnly("p");
        assertThat(made).extracting(ChangeEvent::keyText).containsOnly("1:eu");
    }

    @Test
    void a_row_of_a_thousand_columns_arrives_whole() throws Exception {
        String columns =
                IntStream.range(0, 1000).mapToObj(i -> "c" + i + " text").collect(Collectors.joining(","));
        String values = IntStream.range(0, 1000).mapToObj(i -> "'v" + i + "'").collect(Collectors.joining(","));
        rig = new WalRig("CREATE TABLE wide(id int PRIMARY KEY, " + columns + ")").start();
        var made = rig.make(1, "INSERT INTO wide VALUES (1," + values + ")");
        assertThat(made.get(0).newRow()).hasSize(1001).containsEntry("c999", "v999");
    }

    @Test
    void ten_megabytes_of_jsonb_arrive_whole() throws Exception {
        rig = new WalRig("CREATE TABLE big(id int PRIMARY KEY, j jsonb)").start();
        var made = rig.make(1, "INSERT INTO big SELECT 1, jsonb_build_object('x', repeat('ab', 5000000))");
        assertThat(made.get(0).newRow().get("j").toString()).hasSize(10_000_000 + 9);
    }

    @Test
    void a_toasted_column_that_did_not_change_is_listed_and_never_invented() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE t(id int PRIMARY KEY, n int, big text, arr text[])",
                        "ALTER TABLE t ALTER big SET STORAGE EXTERNAL, ALTER arr SET STORAGE EXTERNAL",
                        "CREATE TABLE f(id int PRIMARY KEY, n int, big text)",
                        "ALTER TABLE f ALTER big SET STORAGE EXTERNAL",
                        "ALTER TABLE f REPLICA IDENTITY FULL",
                        "INSERT INTO t VALUES (1, 1, repeat('x', 9000), ARRAY[repeat('y', 9000)])",
                        "INSERT INTO f VALUES (1, 1, repeat('x', 9000))")
                .start();
        var made = rig.make(
                3,
                "UPDATE t SET n = 2 WHERE id = 1",
                "UPDATE t SET id = 5 WHERE id = 1", // the new key's record lacks the value too
                "UPDATE f SET n = 2 WHERE id = 1");
        assertThat(made.get(0).newRow()).containsOnlyKeys("id", "n");
        assertThat(made.get(0).unavailableColumns()).containsExactly("big", "arr");
        assertThat(made.get(0).changedColumns()).isNull();
        assertThat(made.get(1).operation()).isEqualTo(Operation.UPDATE);
        assertThat(made.get(1).keyChanged()).isTrue();
        assertThat(made.get(1).unavailableColumns()).containsExactly("big", "arr");
        assertThat(made.get(2).oldRow()).containsEntry("big", "x".repeat(9000));
        // Under FULL the WAL has the value, in the old row.
        assertThat(made.get(2).newRow()).containsEntry("big", "x".repeat(9000));
        assertThat(made.get(2).unavailableColumns()).isEmpty();
        assertThat(made.get(2).changedColumns()).containsExactly("n");
    }

    @Test
    void each_replica_identity_gives_the_old_values_that_it_can() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE d(id int PRIMARY KEY, v text, w text)",
                        "CREATE TABLE f(id int PRIMARY KEY, v text, w text)",
                        "ALTER TABLE f REPLICA IDENTITY FULL",
                        "CREATE TABLE i(id int PRIMARY KEY, v text NOT NULL, w text)",
                        "CREATE UNIQUE INDEX i_v ON i(v)",
                        "ALTER TABLE i REPLICA IDENTITY USING INDEX i_v",
                        "INSERT INTO d VALUES (1, 'a', NULL)",
                        "INSERT INTO f VALUES (1, 'a', NULL), (2, NULL, NULL)",
                        "INSERT INTO i VALUES (1, 'a', NULL)")
                .start();
        var made = rig.make(
                8,
                "UPDATE d SET v = 'b'",
                "UPDATE f SET v = 'b' WHERE id = 1",
                "UPDATE i SET v = 'b'",
                "UPDATE i SET w = 'b'",
                "DELETE FROM d",
                "DELETE FROM f",
                "DELETE FROM i");
        assertThat(made.get(0).oldRow()).isNull();
        assertThat(made.get(0).changedColumns()).isNull();
        assertThat(made.get(1).oldRow()).containsEntry("v", "a").containsEntry("w", null);
        assertThat(made.get(1).changedColumns()).containsExactly("v");
        assertThat(made.get(2).oldRow()).isEqualTo(Map.of("v", "a"));
        assertThat(made.get(2).changedColumns()).isNull();
        assertThat(made.get(3).oldRow()).isNull();
        assertThat(made.get(4).oldRow()).isEqualTo(Map.of("id", 1L));
        assertThat(made.get(5).oldRow()).containsOnlyKeys("id", "v", "w");
        assertThat(made.get(6).oldRow()).containsOnlyKeys("id", "v", "w");
        assertThat(made.get(7).oldRow()).isEqualTo(Map.of("v", "b"));
    }

    @Test
    void a_changed_primary_key_is_one_update() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE d(id int PRIMARY KEY, v text)",
                        "CREATE TABLE f(id int PRIMARY KEY, v text)",
                        "ALTER TABLE f REPLICA IDENTITY FULL",
                        "INSERT INTO d VALUES (1, 'a')",
                        "INSERT INTO f VALUES (1, 'a')")
                .start();
        var made = rig.make(2, "UPDATE d SET id = 2", "UPDATE f SET id = 2");
        assertThat(made).hasSize(2).allSatisfy(e -> {
            assertThat(e.operation()).isEqualTo(Operation.UPDATE);
            assertThat(e.key()).isEqualTo(Map.of("id", 2L));
            assertThat(e.oldKeyText()).isEqualTo("1");
            assertThat(e.newRow()).isEqualTo(Map.of("id", 2L, "v", "a"));
        });
        assertThat(made.get(0).oldRow()).isEqualTo(Map.of("id", 1L));
        assertThat(made.get(1).oldRow()).isEqualTo(Map.of("id", 1L, "v", "a"));
        assertThat(made.get(1).changedColumns()).containsExactly("id");
        assertThat(rig.headers.get(0)).containsEntry("CamelDebeziumOperation", "u");
    }

    @Test
    void a_truncate_of_several_tables_is_one_change_for_each() throws Exception {
        rig = new WalRig("CREATE TABLE a(id int PRIMARY KEY)", "CREATE TABLE b(id int PRIMARY KEY)").start();
        var made = rig.make(2, "TRUNCATE a, b");
        assertThat(made).extracting(ChangeEvent::operation).containsOnly(Operation.TRUNCATE);
        assertThat(made).extracting(ChangeEvent::table).containsExactlyInAnyOrder("a", "b");
        assertThat(made).extracting(ChangeEvent::id).doesNotHaveDuplicates();
        assertThat(made).allSatisfy(e -> assertThat(e.key()).isNull());
    }

    @Test
    void rows_of_a_copy_and_of_a_multi_row_insert_have_ids_of_their_own() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)").start();
        try (var c = rig.db.connect()) {
            var rows = IntStream.range(0, 500).mapToObj(i -> i + "\tv" + i).collect(Collectors.joining("\n"));
            c.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY t FROM STDIN", new java.io.StringReader(rows));
        }
        rig.make(
                1000,
                "INSERT INTO t SELECT g, 'w' FROM generate_series(1000, 1499) g",
                "UPDATE t SET v = 'z' WHERE id < 1");
        await().until(() -> rig.changes.size() == 1001);
        assertThat(rig.changes).extracting(ChangeEvent::id).doesNotHaveDuplicates();
        assertThat(rig.changes.subList(0, 500).stream()
                        .map(ChangeEvent::lsn)
                        .distinct()
                        .count())
                .as("rows of a COPY share LSNs, or this test shows nothing")
                .isLessThan(500);
    }

    @Test
    void rolled_back_transactions_and_savepoints_leave_nothing() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start();
        var made = rig.make(
                3,
                "BEGIN; INSERT INTO t VALUES (1); ROLLBACK",
                "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s; INSERT INTO t VALUES (4); COMMIT",
                "INSERT INTO t VALUES (5)");
        assertThat(made).extracting(e -> e.key().get("id")).containsExactly(2L, 4L, 5L);
    }

    @Test
    void tables_may_be_altered_between_and_inside_transactions() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)", "CREATE TYPE mood AS ENUM ('sad')").start();
        var made = rig.make(
                7,
                "INSERT INTO t VALUES (1, 'a')",
                "ALTER TABLE t ADD w int DEFAULT 9",
                "INSERT INTO t VALUES (2, 'b')",
                "BEGIN; INSERT INTO t VALUES (3, 'c'); ALTER TABLE t RENAME v TO v2; INSERT INTO t VALUES (4, 'd');"
                        + " ALTER TABLE t DROP w; INSERT INTO t VALUES (5, 'e'); COMMIT",
                "ALTER TABLE t ALTER v2 TYPE int USING 42",
                "INSERT INTO t VALUES (6, 7)",
                "ALTER TABLE t ADD m mood",
                "ALTER TYPE mood ADD VALUE 'happy'",
                "INSERT INTO t VALUES (7, 8, 'happy')");
        assertThat(made.stream().map(ChangeEvent::newRow).toList())
                .isEqualTo(List.of(
                        Map.of("id", 1L, "v", "a"),
                        Map.of("id", 2L, "v", "b", "w", 9L),
                        Map.of("id", 3L, "v", "c", "w", 9L),
                        Map.of("id", 4L, "v2", "d", "w", 9L),
                        Map.of("id", 5L, "v2", "e"),
                        Map.of("id", 6L, "v2", 7L),
                        Map.of("id", 7L, "v2", 8L, "m", "happy")));
        assertThat(made).allSatisfy(e -> assertThat(e.key()).containsOnlyKeys("id"));
    }

    @Test
    void what_happens_to_unpublished_tables_is_nobodys_business() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start();
        rig.db.execute("DROP PUBLICATION pub", "CREATE PUBLICATION pub FOR TABLE t");
        var made = rig.make(
                2,
                "INSERT INTO t VALUES (1)",
                "CREATE TABLE other(id int PRIMARY KEY)",
                "INSERT INTO other VALUES (1)",
                "ALTER TABLE other ADD v text",
                "DROP TABLE other",
                "INSERT INTO t VALUES (2)");
        assertThat(made).extracting(ChangeEvent::table).containsOnly("t");
    }

    /** PostGIS makes it, and fills it where the publication has all tables; Debezium leaves it out by itself. */
    @Test
    void a_published_table_that_debezium_leaves_out_holds_nothing_up() throws Exception {
        rig = new WalRig(
                        "CREATE TABLE t(id int PRIMARY KEY)",
                        "CREATE TABLE spatial_ref_sys(id int PRIMARY KEY, v text)")
                .start();
        var made = rig.make(
                2,
                "INSERT INTO spatial_ref_sys VALUES (1, 'a')",
                "INSERT INTO t VALUES (1)",
                "UPDATE spatial_ref_sys SET v = 'b'",
                "DELETE FROM spatial_ref_sys",
                "INSERT INTO t VALUES (2)");
        assertThat(made).extracting(ChangeEvent::table).containsOnly("t");
        await().atMost(Duration.ofSeconds(10)).until(rig::hasConfirmedAll);
        assertThat(rig.consumer().status().restarts()).isZero();
    }

    @Test
    void changes_made_while_the_service_is_down_arrive_at_the_next_start() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start();
        rig.make(1, "INSERT INTO t VALUES (1)");
        await().atMost(Duration.ofSeconds(10)).until(rig::hasConfirmedAll);
        rig.close();
        rig.db.execute("INSERT INTO t SELECT g FROM generate_series(2, 100) g");
        rig.start();
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.changes.size() == 100);
        assertThat(rig.changes).extracting(ChangeEvent::id).doesNotHaveDuplicates();
    }

    @Test
    void one_transaction_of_200_000_rows_arrives_whole_and_is_confirmed() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)");
        var count = new java.util.concurrent.atomic.AtomicInteger();
        var ids = java.util.concurrent.ConcurrentHashMap.<String>newKeySet();
        rig.start(e -> {
            count.incrementAndGet();
            ids.add(e.getMessage().getBody(ChangeEvent.class).id());
        });
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 200000) g");
        await().atMost(Duration.ofSeconds(90)).until(() -> ids.size() == 200_000);
        await().atMost(Duration.ofSeconds(10)).until(rig::hasConfirmedAll);
        assertThat(count).hasValue(200_000);
    }

    @Test
    void two_sources_in_one_jvm_do_not_disturb_each_other() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start();
        try (var second = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start()) {
            rig.make(1, "INSERT INTO t VALUES (1)");
            second.make(1, "INSERT INTO t VALUES (2)");
            second.db.query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name='"
                    + second.slot + "'");
            rig.make(1, "INSERT INTO t VALUES (3)");
            second.make(1, "INSERT INTO t VALUES (4)");
        }
        assertThat(rig.consumer().status().restarts()).isZero();
    }

    @Test
    void a_second_source_on_the_same_slot_stands_by_and_takes_over() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").start();
        rig.make(1, "INSERT INTO t VALUES (1)");
        await().until(() -> rig.consumer().status().state() == WalStatus.State.STREAMING);
        try (var second = WalRig.standbyOf(rig).start()) {
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> second.consumer().status().state() == WalStatus.State.STANDBY);
            assertThat(second.consumer().status().message()).contains("in use by process");
            rig.close();
            second.make(1, "INSERT INTO t VALUES (2)");
        }
    }
}
