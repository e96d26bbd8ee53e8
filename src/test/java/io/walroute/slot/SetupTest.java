package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.walroute.slot.Finding.Fault;
import io.walroute.testing.Postgres;
import java.sql.Connection;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SetupTest {
    private final Postgres.Database database = Postgres.newDatabase();
    private final String slot = "setup_" + database.name();

    @AfterEach
    void dropSlot() {
        database.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"
                + slot + "'");
    }

    @Test
    void an_untouched_database_gets_publication_identity_and_slot() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)");
        var wanted = wanted(List.of("a", "b"), Map.of("a", "full"));

        assertThat(plan(wanted).steps())
                .extracting(Setup.Step::sql)
                .containsExactly(
                        "CREATE PUBLICATION \"pub\" FOR TABLE \"public\".\"a\", \"public\".\"b\" WITH"
                                + " (publish_via_partition_root = true)",
                        "ALTER TABLE \"public\".\"a\" REPLICA IDENTITY FULL",
                        "SELECT lsn FROM pg_create_logical_replication_slot('" + slot + "', 'pgoutput', failover =>"
                                + " true)");
        assertThat(database.query("SELECT count(*) FROM pg_publication"))
                .as("a plan")
                .isEqualTo("0");

        assertThat(setUp(wanted))
                .hasSize(3)
                .startsWith("Created publication pub for a, b", "Set REPLICA IDENTITY FULL on a")
                .last()
                .asString()
                .matches("Created replication slot " + slot + " at [0-9A-F]+/[0-9A-F]+");
        assertThat(publishedTables()).isEqualTo("public.a, public.b");
        assertThat(identity("a")).isEqualTo("f");
        assertThat(identity("b")).isEqualTo("d");
        assertThat(database.query("SELECT pubviaroot FROM pg_publication")).isEqualTo("t");
        assertThat(database.query(
                        "SELECT plugin || failover FROM pg_replication_slots WHERE slot_name = '" + slot + "'"))
                .isEqualTo("pgoutputtrue");
        assertThat(ReplicationCheck.findings(target("postgres"))).isEmpty();
    }

    @Test
    void a_second_time_there_is_nothing_to_do() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)");
        var wanted = wanted(List.of("a"), Map.of("a", "full"));
        setUp(wanted);
        String position = slotPosition();

        assertThat(plan(wanted)).isEqualTo(new Setup.Plan(List.of(), java.util.Optional.empty(), List.of()));
        assertThat(setUp(wanted)).isEmpty();
        assertThat(slotPosition()).isEqualTo(position);
    }

    @Test
    void tables_are_added_never_taken_out_and_foreign_ones_are_named() throws Exception {
        database.execute(
                "CREATE TABLE a (id int PRIMARY KEY)",
                "CREATE TABLE b (id int PRIMARY KEY)",
                "CREATE TABLE c (id int PRIMARY KEY)",
                "CREATE PUBLICATION pub FOR TABLE c, a WITH (publish = 'insert, update')");

        Setup.Plan plan = plan(wanted(List.of("a", "b"), Map.of()));

        assertThat(plan.transaction())
                .extracting(Setup.Step::done)
                .containsExactly(
                        "Made publication pub publish partitions under their root table's name",
                        "Added b to publication pub");
        assertThat(plan.notes())
                .containsExactly(
                        "The publication pub leaves out DELETE, TRUNCATE: such changes never arrive. To change that: ALTER"
                                + " PUBLICATION \"pub\" SET (publish = 'insert, update, delete, truncate')",
                        "The publication pub also publishes c: routed and audited too. To take it out: ALTER PUBLICATION"
                                + " \"pub\" DROP TABLE \"public\".\"c\"");
        setUp(wanted(List.of("a", "b"), Map.of()));
        assertThat(publishedTables()).isEqualTo("public.a, public.b, public.c");
    }

    @Test
    void all_tables_are_published_as_such() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE keyless (x int)");
        var all = new Setup.Wanted(
                true,
                List.of(),
                Map.of(TableName.parse("listings"), ReplicaIdentity.FULL),
                Set.of(TableName.parse("listings")));

        assertThat(plan(all).notes())
                .containsExactly("PostgreSQL refuses UPDATE and DELETE while these tables are published, for they have"
                        + " neither a primary key nor a replica identity: keyless. Set"
                        + " walroute.tables.keyless.replica-identity=full");
        assertThat(setUp(all)).first().isEqualTo("Created publication pub for all tables");
        assertThat(setUp(all)).isEmpty();
        assertThat(setUp(wanted(List.of("a"), Map.of()))).isEmpty();
        assertThat(plan(wanted(List.of("a"), Map.of())).notes())
                .singleElement()
                .asString()
                .startsWith("The publication pub publishes all tables");
    }

    @Test
    void a_publication_of_listed_tables_can_not_become_one_of_all() throws Exception {
        database.execute("CREATE PUBLICATION pub");

        assertThat(failure(new Setup.Wanted(true, List.of(), Map.of(), Set.of()))
                        .fault())
                .isEqualTo(Fault.PUBLICATION_OF_OTHER_KIND);
    }

    @Test
    void missing_tables_are_all_named_and_nothing_is_done() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)");

        Finding finding = failure(wanted(List.of("a", "b", "x.\"C\""), Map.of("d", "full")));

        assertThat(finding.line())
                .isEqualTo("Database " + database.name() + " has no table b, x.C, d. Create what is missing, or correct"
                        + " walroute.tables");
        assertThatNothingWasDone();
    }

    @Test
    void what_can_not_be_published_is_told_before_anything_is_done() throws Exception {
        database.execute("CREATE VIEW v AS SELECT 1", "CREATE UNLOGGED TABLE u (id int PRIMARY KEY)");

        assertThat(failure(wanted(List.of("v"), Map.of())).line())
                .isEqualTo("v is a view and can't be published. Take it out of walroute.tables");
        assertThat(failure(wanted(List.of("u"), Map.of())).line()).startsWith("u is unlogged");
        assertThat(failure(wanted(List.of("pg_catalog.pg_class"), Map.of())).line())
                .contains("a system table");
        assertThatNothingWasDone();
    }

    @Test
    void names_of_every_kind_are_quoted() throws Exception {
        String table = "Ünï \"Tabelle\"; DROP TABLE a --";
        String schema = "Sché'ma.x";
        database.execute(
                "CREATE SCHEMA " + Quote.identifier(schema),
                "CREATE TABLE " + new TableName(schema, table).sql() + " (\"Ä key\" int NOT NULL, b int)",
                "CREATE UNIQUE INDEX \"İndex '1'\" ON " + new TableName(schema, table).sql() + " (\"Ä key\")");
        var wanted = new Setup.Wanted(
                false,
                List.of(new TableName(schema, table)),
                Map.of(new TableName(schema, table), ReplicaIdentity.parse("index:\"İndex '1'\"")),
                Set.of());
        var target = new ReplicationTarget(
                jdbcUrl(), Map.of("user", "postgres", "password", "postgres"), slot, "Pub \"1\" 'ü'");
        try (Connection connection = target.connect()) {
            var setup = new Setup(connection, target);

            assertThat(setup.apply(setup.plan(wanted))).hasSize(3);
            assertThat(setup.plan(wanted).steps()).isEmpty();
        }
        assertThat(ReplicationCheck.findings(target)).isEmpty();
        assertThat(database.query("SELECT pubname FROM pg_publication")).isEqualTo("Pub \"1\" 'ü'");
        assertThat(publishedTables()).isEqualTo(schema + "." + table);
    }

    @Test
    void a_partitioned_tables_identity_goes_to_its_partitions_too() throws Exception {
        database.execute(
                "CREATE TABLE p (id int NOT NULL, at date NOT NULL, v text) PARTITION BY RANGE (at)",
                "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
                "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id)",
                "CREATE TABLE p21 PARTITION OF p2 DEFAULT",
                "CREATE UNIQUE INDEX p_key ON p (at, id)");

        setUp(wanted(List.of("p"), Map.of("p", "full")));
        assertThat(publishedTables()).isEqualTo("public.p");
        assertThat(Stream.of("p", "p1", "p2", "p21").map(this::identity)).containsOnly("f");

        setUp(wanted(List.of("p"), Map.of("p", "index:p_key")));
        assertThat(Stream.of("p", "p1", "p2", "p21").map(this::identity)).containsOnly("i");
        assertThat(plan(wanted(List.of("p"), Map.of("p", "index:p_key"))).steps())
                .isEmpty();
    }

    @Test
    void every_identity_can_be_set_and_set_back() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY, x int NOT NULL UNIQUE)");

        for (String identity : List.of("full", "nothing", "index:a_x_key", "default", "index:a_pkey")) {
            setUp(wanted(List.of("a"), Map.of("a", identity)));
            assertThat(identity("a")).as(identity).isEqualTo(identity.substring(0, 1));
        }
        assertThat(failure(wanted(List.of("a"), Map.of("a", "index:no_such"))).line())
                .isEqualTo("Table a has no index no_such. Correct walroute.tables.a.replica-identity");
    }

    @Test
    void a_table_whose_updates_postgresql_would_refuse_is_named() throws Exception {
        database.execute("CREATE TABLE keyless (x int)");

        assertThat(plan(wanted(List.of("keyless"), Map.of())).notes())
                .singleElement()
                .asString()
                .contains("neither a primary key nor a replica identity: keyless");
        assertThat(plan(wanted(List.of("keyless"), Map.of("keyless", "full"))).notes())
                .isEmpty();
    }

    @Test
    void what_postgresql_refuses_half_way_leaves_nothing_behind() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY, x int)", "CREATE UNIQUE INDEX nullable ON a (x)");

        Finding finding = failure(wanted(List.of("a"), Map.of("a", "index:nullable")));

        assertThat(finding.line())
                .contains("index \"nullable\" cannot be used as replica identity")
                .contains("Nothing was changed")
                .doesNotContain("\n");
        assertThatNothingWasDone();
    }

    @Test
    void a_user_without_rights_is_told_how_somebody_else_can_do_it() throws Exception {
        String role = "limited_" + database.name();
        database.execute(
                "CREATE TABLE a (id int PRIMARY KEY)",
                "CREATE ROLE " + role + " LOGIN REPLICATION PASSWORD 'postgres'");
        try (Connection connection = target(role).connect()) {
            var setup = new Setup(connection, target(role));
            var plan = setup.plan(wanted(List.of("a"), Map.of()));

            assertThat(catchThrowableOfType(SlotException.class, () -> setup.apply(plan))
                            .finding())
                    .satisfies(finding -> {
                        assertThat(finding.fault()).isEqualTo(Fault.PERMISSION);
                        assertThat(finding.line())
                                .startsWith("User " + role + " may not set this up: permission denied for database")
                                .endsWith("walroute setup --dry-run");
                    });
        } finally {
            database.execute("DROP ROLE " + role);
        }
        assertThatNothingWasDone();
    }

    @Test
    void a_slot_that_waits_for_an_old_transaction_gives_up_and_names_it() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)");
        var wanted = wanted(List.of("a"), Map.of());
        try (Connection old = database.connect();
                Connection connection = target("postgres").connect()) {
            old.setAutoCommit(false);
            old.createStatement().execute("CREATE TABLE uncommitted (id int)");
            String pid;
            try (var row = old.createStatement().executeQuery("SELECT pg_backend_pid()")) {
                row.next();
                pid = row.getString(1);
            }
            var setup = new Setup(connection, target("postgres"), Duration.ofSeconds(1));
            var plan = setup.plan(wanted);

            assertThat(catchThrowableOfType(SlotException.class, () -> setup.apply(plan))
                            .getMessage())
                    .startsWith("The publication is in place, but the replication slot " + slot
                            + " was not created within 1 s: PostgreSQL waits for transactions begun before it (process "
                            + pid + ",");
            old.rollback();
        }

        assertThat(setUp(wanted)).singleElement().asString().startsWith("Created replication slot");
    }

    @Test
    void a_publication_that_is_younger_than_the_slot_is_told() throws Exception {
        database.execute("CREATE TABLE a (id int PRIMARY KEY)");
        setUp(wanted(List.of("a"), Map.of()));
        database.execute("DROP PUBLICATION pub");

        assertThat(plan(wanted(List.of("a"), Map.of())).notes())
                .containsExactly(
                        "The replication slot " + slot + " is older than the publication: changes that were committed"
                                + " in between are not published");
    }

    private Setup.Plan plan(Setup.Wanted wanted) throws Exception {
        var target = target("postgres");
        try (Connection connection = target.connect()) {
            return new Setup(connection, target).plan(wanted);
        }
    }

    private List<String> setUp(Setup.Wanted wanted) throws Exception {
        var target = target("postgres");
        try (Connection connection = target.connect()) {
            var setup = new Setup(connection, target);
            return setup.apply(setup.plan(wanted));
        }
    }

    private Finding failure(Setup.Wanted wanted) {
        return catchThrowableOfType(SlotException.class, () -> setUp(wanted)).finding();
    }

    private static Setup.Wanted wanted(List<String> tables, Map<String, String> identities) {
        Map<TableName, ReplicaIdentity> byTable = new LinkedHashMap<>();
        identities.forEach((table, identity) -> byTable.put(TableName.parse(table), ReplicaIdentity.parse(identity)));
        return new Setup.Wanted(false, tables.stream().map(TableName::parse).toList(), byTable, Set.of());
    }

    private void assertThatNothingWasDone() {
        assertThat(database.query("SELECT count(*) FROM pg_publication")).isEqualTo("0");
        assertThat(database.query("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + slot + "'"))
                .isEqualTo("0");
    }

    private String slotPosition() {
        return database.query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + slot + "'");
    }

    private String publishedTables() {
        return database.query("SELECT string_agg(schemaname || '.' || tablename, ', ' ORDER BY tablename)"
                + " FROM pg_publication_tables");
    }

    private String identity(String table) {
        return database.query("SELECT relreplident FROM pg_class WHERE relname = '" + table + "'");
    }

    private ReplicationTarget target(String user) {
        return new ReplicationTarget(jdbcUrl(), Map.of("user", user, "password", "postgres"), slot, "pub");
    }

    private String jdbcUrl() {
        return "jdbc:postgresql://" + database.host() + ":" + database.port() + "/" + database.name();
    }
}
