package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import io.walroute.demo.PostgresServer;
import io.walroute.slot.Finding;
import io.walroute.slot.ReplicaIdentity;
import io.walroute.slot.ReplicationCheck;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.Setup;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.TableName;
import io.walroute.testing.Postgres;
import io.walroute.testing.PostgresVersion;
import java.io.StringReader;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.PGConnection;

/** Setup, check and stream against each supported PostgreSQL but the shared server's own: one server each. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class PostgresVersionsTest {
    @Nested
    class Postgresql_14 extends Version {
        Postgresql_14() {
            super(PostgresVersion.V14);
        }
    }

    @Nested
    class Postgresql_15 extends Version {
        Postgresql_15() {
            super(PostgresVersion.V15);
        }
    }

    @Nested
    class Postgresql_16 extends Version {
        Postgresql_16() {
            super(PostgresVersion.V16);
        }
    }

    @Nested
    class Postgresql_17 extends Version {
        Postgresql_17() {
            super(PostgresVersion.V17);
        }
    }

    /** The same tests for each; the server goes on from one to the next, the database doesn't. */
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    @DisplayNameGeneration(ReplaceUnderscores.class)
    @Timeout(value = 3, unit = TimeUnit.MINUTES)
    abstract static class Version {
        private static final String TABLE = "CREATE TABLE t(id int PRIMARY KEY, v text, big text)";
        private static final String TOAST = "ALTER TABLE t ALTER big SET STORAGE EXTERNAL";

        private final PostgresVersion version;
        private PostgresServer server;
        private int databases;

        Version(PostgresVersion version) {
            this.version = version;
        }

        @BeforeAll
        void start(@TempDir Path folder) throws Exception {
            server = version.start(folder.resolve("server"), Map.of("wal_level", "logical"));
        }

        @AfterAll
        void stop() throws Exception {
            if (server != null) {
                server.close();
            }
        }

        @Test
        void every_kind_of_change_arrives() throws Exception {
            try (var rig = new WalRig(database(), TABLE, TOAST).start()) {
                rig.awaitStreaming();
                var made = rig.make(
                        6,
                        "INSERT INTO t VALUES (1, 'a', repeat('x', 9000))",
                        "UPDATE t SET v = 'b' WHERE id = 1",
                        "UPDATE t SET id = 2 WHERE id = 1",
                        "DELETE FROM t WHERE id = 2",
                        "INSERT INTO t VALUES (3, NULL, '')",
                        "TRUNCATE t");

                assertThat(made)
                        .extracting(ChangeEvent::operation)
                        .containsExactly(
                                Operation.INSERT,
                                Operation.UPDATE,
                                Operation.UPDATE,
                                Operation.DELETE,
                                Operation.INSERT,
                                Operation.TRUNCATE);
                assertThat(made.get(0).newRow())
                        .containsEntry("v", "a")
                        .extractingByKey("big")
                        .asString()
                        .hasSize(9_000);
                assertThat(made.get(1).newRow()).isEqualTo(Map.of("id", 1L, "v", "b"));
                assertThat(made.get(1).unavailableColumns()).containsExactly("big");
                assertThat(made.get(2).key()).isEqualTo(Map.of("id", 2L));
                assertThat(made.get(2).oldRow()).isEqualTo(Map.of("id", 1L));
                assertThat(made.get(3).key()).isEqualTo(Map.of("id", 2L));
                assertThat(made.get(4).newRow()).containsEntry("v", null).containsEntry("big", "");
                assertThat(made).extracting(ChangeEvent::id).doesNotHaveDuplicates();
                await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
            }
        }

        @Test
        void copied_rows_arrive_once_each_though_they_share_lsns() throws Exception {
            try (var rig = new WalRig(database(), TABLE).start()) {
                rig.awaitStreaming();
                copy(rig.db, 1, 2_000);
                await().atMost(Duration.ofSeconds(60)).until(() -> rig.changes.size() >= 2_000);

                assertThat(rig.changes).extracting(ChangeEvent::id).doesNotHaveDuplicates();
                assertThat(rig.changes).extracting(e -> e.newRow().get("id")).doesNotHaveDuplicates();
                assertThat(rig.changes.stream().map(ChangeEvent::lsn).distinct().count())
                        .as("LSNs of 2,000 rows")
                        .isLessThan(1_000);
            }
        }

        @Test
        void a_terminated_walsender_costs_repeats_and_no_change() throws Exception {
            try (var rig = new WalRig(database(), TABLE)) {
                rig.start(e -> {
                    rig.collect(e);
                    if (rig.changes.size() == 700) {
                        rig.terminateWalsender();
                    }
                });
                rig.awaitStreaming();
                copy(rig.db, 1, 5_000);

                await().atMost(Duration.ofSeconds(60)).until(() -> ids(rig) == 5_000);
                assertThat(rig.changes.stream().map(ChangeEvent::id).distinct().count())
                        .as("the same ids when sent again")
                        .isEqualTo(5_000);
                assertThat(rig.consumer().status().restarts()).isEqualTo(1);
            }
        }

        @Test
        void a_crash_of_the_server_is_outlived() throws Exception {
            try (var rig = new WalRig(database(), TABLE).start()) {
                rig.awaitStreaming();
                rig.make(1, "INSERT INTO t VALUES (1, 'before')");

                server.stop("immediate");
                await().atMost(Duration.ofSeconds(30))
                        .until(() -> rig.consumer().status().state() == WalStatus.State.DOWN);
                server.start();

                rig.db.execute("INSERT INTO t VALUES (2, 'after')");
                await().atMost(Duration.ofSeconds(60)).until(() -> ids(rig) == 2);
                rig.awaitStreaming();
                await().atMost(Duration.ofSeconds(20)).until(rig::hasConfirmedAll);
            }
        }

        @Test
        void heartbeats_come_back_and_move_the_slot() throws Exception {
            try (var rig = new WalRig(database(), TABLE).start()) {
                rig.awaitStreaming();
                String before = confirmed(rig);
                await().atMost(Duration.ofSeconds(20))
                        .until(() -> !confirmed(rig).equals(before));
                assertThat(rig.changes).isEmpty();
            }
        }

        @Test
        void setup_makes_what_the_check_asks_for_and_the_stream_needs() throws Exception {
            var db = database();
            db.execute(TABLE, "CREATE TABLE p(id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)");
            db.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)");
            var target = target(db);
            var tables = List.of(TableName.parse("t"), TableName.parse("p"));
            var wanted = new Setup.Wanted(
                    false,
                    tables,
                    Map.of(tables.get(0), ReplicaIdentity.FULL, tables.get(1), ReplicaIdentity.FULL),
                    Set.of());

            assertThat(ReplicationCheck.findings(target))
                    .extracting(Finding::fault)
                    .containsExactly(Finding.Fault.PUBLICATION_MISSING, Finding.Fault.SLOT_MISSING);
            try (Connection connection = target.connect()) {
                var setup = new Setup(connection, target);
                var plan = setup.plan(wanted);
                assertThat(plan.slot().orElseThrow().sql().contains("failover"))
                        .isEqualTo(version == PostgresVersion.V17);
                assertThat(setup.apply(plan)).hasSize(5);
                assertThat(setup.plan(wanted).steps()).as("a second time").isEmpty();
                assertThat(SlotInfo.read(connection, target.slot()).orElseThrow())
                        .satisfies(slot -> {
                            assertThat(slot.walStatus()).isEqualTo("reserved");
                            assertThat(slot.isInvalidated()).isFalse();
                            assertThat(slot.failover()).isEqualTo(version == PostgresVersion.V17);
                        });
            }
            assertThat(ReplicationCheck.findings(target)).isEmpty();

            try (var rig = WalRig.on(db, target.slot()).start()) {
                rig.awaitStreaming();
                var made = rig.make(
                        3,
                        "INSERT INTO p VALUES (1, 'a')",
                        "UPDATE p SET v = 'b' WHERE id = 1",
                        "INSERT INTO t VALUES (1, 'a')");
                assertThat(made).extracting(ChangeEvent::table).containsExactly("p", "p", "t");
                assertThat(made.get(1).oldRow()).isEqualTo(Map.of("id", 1L, "v", "a"));
                assertThat(ReplicationCheck.findings(target))
                        .extracting(Finding::fault)
                        .containsExactly(Finding.Fault.SLOT_ACTIVE);
            }
        }

        @Test
        void setup_of_all_tables_says_what_postgresql_would_freeze() throws Exception {
            var db = database();
            db.execute(TABLE, "CREATE TABLE keyless(v text)");
            var target = target(db);
            var all = new Setup.Wanted(true, List.of(), Map.of(), Set.of());
            try (Connection connection = target.connect()) {
                var setup = new Setup(connection, target);
                var plan = setup.plan(all);
                assertThat(plan.notes()).singleElement().asString().contains("keyless");
                assertThat(setup.apply(plan)).first().isEqualTo("Created publication pub for all tables");
                assertThat(setup.plan(all).steps()).isEmpty();
            }
            assertThat(ReplicationCheck.findings(target)).isEmpty();
        }

        private synchronized Postgres.Database database() throws Exception {
            String name = "v" + ++databases;
            server.createDatabase(name);
            return new Postgres.Database("127.0.0.1", server.port(), name);
        }

        private static ReplicationTarget target(Postgres.Database db) {
            return new ReplicationTarget(
                    "jdbc:postgresql://" + db.host() + ":" + db.port() + "/" + db.name(),
                    Map.of("user", "postgres", "password", "postgres"),
                    "setup_" + db.name(),
                    "pub");
        }

        private static void copy(Postgres.Database db, int from, int rows) throws Exception {
            var text = new StringBuilder();
            for (int i = from; i < from + rows; i++) {
                text.append(i).append("\tcopied\t\\N\n");
            }
            try (Connection connection = db.connect()) {
                connection
                        .unwrap(PGConnection.class)
                        .getCopyAPI()
                        .copyIn("COPY t FROM STDIN", new StringReader(text.toString()));
            }
        }

        private static long ids(WalRig rig) {
            return rig.changes.stream()
                    .map(e -> e.newRow().get("id"))
                    .distinct()
                    .count();
        }

        private static String confirmed(WalRig rig) {
            return rig.db.query(
                    "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name='" + rig.slot + "'");
        }
    }
}
