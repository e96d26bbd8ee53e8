package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.slot.Finding.Fault;
import io.walroute.slot.Finding.Kind;
import io.walroute.testing.Postgres;
import java.net.ServerSocket;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Map;
import java.util.Properties;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;
import org.postgresql.replication.PGReplicationStream;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ReplicationCheckTest {
    private final Postgres.Database database = Postgres.newDatabase();
    private final String slot = "check_" + database.name();

    @AfterEach
    void dropSlot() {
        database.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"
                + slot + "' AND NOT active");
    }

    @Test
    void a_database_that_was_set_up_has_nothing_in_the_way() {
        database.execute("CREATE PUBLICATION pub FOR ALL TABLES", createSlot("pgoutput"));

        assertThat(ReplicationCheck.findings(target("postgres"))).isEmpty();
    }

    @Test
    void a_database_that_was_not_set_up_lacks_publication_and_slot() {
        assertThat(ReplicationCheck.findings(target("postgres")))
                .containsExactly(
                        new Finding(
                                Kind.CONFIGURATION,
                                Fault.PUBLICATION_MISSING,
                                "The publication pub does not exist. Run: walroute setup"),
                        new Finding(
                                Kind.CONFIGURATION,
                                Fault.SLOT_MISSING,
                                "The replication slot " + slot
                                        + " does not exist: changes are not being kept. Run: walroute setup"));
    }

    @Test
    void a_role_without_the_replication_privilege_is_told_the_statement_that_gives_it() {
        database.execute("CREATE PUBLICATION pub FOR ALL TABLES", createSlot("pgoutput"));
        String role = "Rôle \"" + database.name();
        database.execute("CREATE ROLE " + Quote.identifier(role) + " LOGIN PASSWORD 'postgres'");
        try {
            assertThat(ReplicationCheck.findings(target(role)))
                    .containsExactly(new Finding(
                            Kind.CONFIGURATION,
                            Fault.NO_REPLICATION_PRIVILEGE,
                            "User " + role + " may not replicate. Run as a superuser: ALTER ROLE "
                                    + Quote.identifier(role) + " REPLICATION"));
            database.execute("ALTER ROLE " + Quote.identifier(role) + " REPLICATION");
            assertThat(ReplicationCheck.findings(target(role))).isEmpty();
        } finally {
            database.execute("DROP ROLE " + Quote.identifier(role));
        }
    }

    @Test
    void a_slot_of_another_plugin_or_database_is_not_read() {
        database.execute("CREATE PUBLICATION pub FOR ALL TABLES", createSlot("test_decoding"));
        assertThat(ReplicationCheck.findings(target("postgres")))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.SLOT_OF_OTHER_PLUGIN,
                        "The replication slot " + slot
                                + " decodes with test_decoding, not pgoutput. Choose another name: REPLICATION_SLOT"));

        var other = Postgres.newDatabase();
        other.execute("CREATE PUBLICATION pub FOR ALL TABLES");
        assertThat(ReplicationCheck.findings(target(other.name(), "postgres")))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.SLOT_OF_OTHER_DATABASE,
                        "The replication slot " + slot + " belongs to database " + database.name() + ", not to "
                                + other.name() + ". Choose another name: REPLICATION_SLOT"));
    }

    @Test
    void a_physical_slot_is_not_read() {
        database.execute(
                "CREATE PUBLICATION pub FOR ALL TABLES", "SELECT pg_create_physical_replication_slot('" + slot + "')");

        assertThat(ReplicationCheck.findings(target("postgres")))
                .singleElement()
                .extracting(Finding::line)
                .isEqualTo(
                        "The replication slot " + slot + " is a physical one. Choose another name: REPLICATION_SLOT");
    }

    @Test
    void a_slot_that_another_process_reads_makes_a_standby_until_it_is_free() throws Exception {
        database.execute("CREATE PUBLICATION pub FOR ALL TABLES", createSlot("pgoutput"));

        try (Connection reader = replicationConnection();
                PGReplicationStream stream = stream(reader)) {
            String pid = database.query("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + slot + "'");

            assertThat(ReplicationCheck.findings(target("postgres")))
                    .singleElement()
                    .satisfies(finding -> {
                        assertThat(finding.kind()).isEqualTo(Kind.STANDBY);
                        assertThat(finding.fault()).isEqualTo(Fault.SLOT_ACTIVE);
                        assertThat(finding.line())
                                .startsWith("The replication slot " + slot + " is in use by process " + pid
                                        + " (first instance ")
                                .endsWith("). Waiting for it as a standby");
                    });
            try (Connection connection = database.connect()) {
                SlotInfo info = SlotInfo.read(connection, slot).orElseThrow();
                assertThat(info.active()).isTrue();
                assertThat(info.activePid()).hasToString(pid);
            }
        }

        Awaitility.await()
                .untilAsserted(() -> assertThat(ReplicationCheck.findings(target("postgres")))
                        .isEmpty());
    }

    @Test
    void a_database_that_is_not_there_is_told() {
        assertThat(ReplicationCheck.findings(target("no_such", "postgres")))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.DATABASE_MISSING,
                        "PostgreSQL at " + server()
                                + " has no such database: database \"no_such\" does not exist. Correct DATABASE_URL"));
    }

    @Test
    void a_wrong_or_missing_password_and_an_unknown_role_are_told_without_the_password() {
        String url = "jdbc:postgresql://" + server() + "/" + database.name();

        assertThat(ReplicationCheck.findings(target(url, Map.of("user", "postgres", "password", "s3cret"))))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.LOGIN_REFUSED,
                        "PostgreSQL at " + server() + " refuses the password of user postgres. Correct DATABASE_URL"));
        assertThat(ReplicationCheck.findings(target("nobody")))
                .singleElement()
                .extracting(Finding::line)
                .isEqualTo("PostgreSQL at " + server() + " refuses the password of user nobody. Correct DATABASE_URL");
        assertThat(ReplicationCheck.findings(target(url, Map.of("user", "postgres"))))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.LOGIN_REFUSED,
                        "PostgreSQL at " + server()
                                + " asks for a password of user postgres, and DATABASE_URL has none. Write"
                                + " postgresql://user:password@…"));
    }

    @Test
    void an_unknown_host_is_a_wrong_setting_and_a_closed_port_may_open() throws Exception {
        int closed;
        try (var socket = new ServerSocket(0)) {
            closed = socket.getLocalPort();
        }

        assertThat(ReplicationCheck.findings(
                        target("jdbc:postgresql://no-such-host.invalid:5432/db", Map.of("user", "u"))))
                .containsExactly(new Finding(
                        Kind.CONFIGURATION,
                        Fault.UNKNOWN_HOST,
                        "The host no-such-host.invalid of DATABASE_URL is not known. Correct DATABASE_URL, or the name"
                                + " service"));
        assertThat(ReplicationCheck.findings(
                        target("jdbc:postgresql://localhost:" + closed + "/db", Map.of("user", "u"))))
                .singleElement()
                .satisfies(finding -> {
                    assertThat(finding.kind()).isEqualTo(Kind.UNREACHABLE);
                    assertThat(finding.fault()).isEqualTo(Fault.NO_ANSWER);
                    assertThat(finding.line()).startsWith("PostgreSQL at localhost:" + closed + " does not answer: ");
                });
    }

    @Test
    void a_server_that_never_answers_is_given_up() throws Exception {
        try (var silent = new ServerSocket(0)) {
            var target = target(
                    "jdbc:postgresql://localhost:" + silent.getLocalPort() + "/db",
                    Map.of("user", "u", "loginTimeout", "1", "socketTimeout", "1"));

            assertThat(ReplicationCheck.findings(target))
                    .singleElement()
                    .extracting(Finding::kind)
                    .isEqualTo(Kind.UNREACHABLE);
        }
    }

    @Test
    void tls_that_the_server_does_not_speak_is_told() {
        var target = target(
                "jdbc:postgresql://" + server() + "/" + database.name(),
                Map.of("user", "postgres", "password", "postgres", "sslmode", "require"));

        assertThat(ReplicationCheck.findings(target)).singleElement().satisfies(finding -> {
            assertThat(finding.fault()).isEqualTo(Fault.TLS);
            assertThat(finding.line()).endsWith("Correct sslmode in DATABASE_URL");
        });
    }

    @Test
    void the_slot_tells_what_it_holds() throws Exception {
        database.execute(
                createSlot("pgoutput"),
                "CREATE TABLE t (id int)",
                "SET synchronous_commit = on",
                "INSERT INTO t SELECT generate_series(1, 1000)");

        try (Connection connection = database.connect()) {
            SlotInfo info = SlotInfo.read(connection, slot).orElseThrow();
            assertThat(info.plugin()).isEqualTo("pgoutput");
            assertThat(info.database()).isEqualTo(database.name());
            assertThat(info.active()).isFalse();
            assertThat(info.walStatus()).isEqualTo("reserved");
            assertThat(info.isInvalidated()).isFalse();
            assertThat(info.restartLsn()).isLessThanOrEqualTo(info.confirmedFlushLsn());
            assertThat(info.lagBytes()).isGreaterThan(50_000);
            assertThat(info.keptBytes()).isGreaterThanOrEqualTo(info.lagBytes());
            assertThat(SlotInfo.read(connection, "no_such")).isEmpty();
        }
    }

    @Test
    void any_role_is_told_which_server_it_is() throws Exception {
        String role = "plain_" + database.name();
        database.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'postgres'");
        try (Connection connection = target(role).connect()) {
            ServerInfo before = ServerInfo.read(connection);

            assertThat(before.timeline()).isEqualTo(1);
            assertThat(before.majorVersion()).isEqualTo(18);
            assertThat(before.standby()).isFalse();
            assertThat(before.systemIdentifier())
                    .isEqualTo(database.query("SELECT system_identifier FROM pg_control_system()"));
        } finally {
            database.execute("DROP ROLE " + role);
        }
    }

    private String createSlot(String plugin) {
        return "SELECT pg_create_logical_replication_slot('" + slot + "', '" + plugin + "')";
    }

    private ReplicationTarget target(String user) {
        return target(database.name(), user);
    }

    private ReplicationTarget target(String name, String user) {
        return target("jdbc:postgresql://" + server() + "/" + name, Map.of("user", user, "password", "postgres"));
    }

    private String server() {
        return database.host() + ":" + database.port();
    }

    private ReplicationTarget target(String jdbcUrl, Map<String, String> properties) {
        return new ReplicationTarget(jdbcUrl, properties, slot, "pub");
    }

    private Connection replicationConnection() throws Exception {
        var properties = new Properties();
        properties.put("user", "postgres");
        properties.put("password", "postgres");
        properties.put("replication", "database");
        properties.put("preferQueryMode", "simple");
        properties.put("assumeMinServerVersion", "10");
        properties.put("ApplicationName", "first instance");
        return DriverManager.getConnection("jdbc:postgresql://" + server() + "/" + database.name(), properties);
    }

    private PGReplicationStream stream(Connection connection) throws Exception {
        return connection
                .unwrap(PGConnection.class)
                .getReplicationAPI()
                .replicationStream()
                .logical()
                .withSlotName(slot)
                .withSlotOption("proto_version", 1)
                .withSlotOption("publication_names", "pub")
                .start();
    }
}
