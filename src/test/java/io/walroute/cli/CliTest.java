package io.walroute.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.demo.DemoSettings;
import io.walroute.demo.Marketplace;
import io.walroute.settings.Settings;
import io.walroute.testing.Postgres;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands as a user types them: exit code, what is on stdout and on stderr, and what has happened. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class CliTest {
    @TempDir
    Path home;

    private final Postgres.Database database = Postgres.newDatabase();
    private final String slot = "cli_" + database.name();
    private final Map<String, String> environment = new LinkedHashMap<>();
    private final List<Object> started = new ArrayList<>();
    private final List<Map<String, Object>> parked = new ArrayList<>();
    private final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    private final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
    private EntryPoints.ServiceRun service = (settings, dev) -> {
        started.add(settings.replicationSlot() + (dev ? " dev" : " run"));
        return 0;
    };

    CliTest() {
        environment.put("DATABASE_URL", database.url());
        environment.put("REPLICATION_SLOT", slot);
    }

    @AfterEach
    void dropSlot() {
        database.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"
                + slot + "'");
    }

    @Test
    void help_names_the_commands_and_each_command_has_an_example() {
        assertThat(walroute("--help")).isZero();
        assertThat(out()).contains("setup", "run", "dev", "demo", "simulate", "dead-letters", "Exit codes: 0 done");

        for (String command : List.of("setup", "run", "dev", "demo", "simulate", "dead-letters")) {
            assertThat(walroute(command, "--help")).as(command).isZero();
            assertThat(out()).contains("Usage: walroute " + command, "Example: ", "--verbose", "--home=DIR");
            assertThat(err()).isEmpty();
        }
        assertThat(walroute("dead-letters", "list", "-h")).isZero();
        assertThat(out()).contains("Usage: walroute dead-letters list", "--json");
    }

    @Test
    void the_version_is_one_line() {
        assertThat(walroute("--version")).isZero();
        assertThat(out()).matches("walroute \\S.*\\R");
    }

    @Test
    void wrong_usage_is_one_line_and_exit_code_2() {
        assertThat(walroute()).isEqualTo(2);
        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "Which command? One of: setup, reset, drop, run, dev, demo, simulate, dead-letters. See:"
                                + " walroute --help");

        assertThat(walroute("setpu")).isEqualTo(2);
        assertThat(err())
                .startsWith("Unmatched argument at index 0: 'setpu'. Did you mean ")
                .hasLineCount(1);

        assertThat(walroute("setup", "--dry-rn")).isEqualTo(2);
        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "Unknown option: '--dry-rn'. Did you mean --dry-run? See: walroute setup --help");

        assertThat(walroute("demo", "--duration", "soon")).isEqualTo(2);
        assertThat(err())
                .contains("'soon' is not a time. Write it as 500ms, 30s, 5m or 2h")
                .hasLineCount(1);

        assertThat(walroute("demo", "--rate", "-1")).isEqualTo(2);
        assertThat(err()).startsWith("--rate -1.0 is not a rate").hasLineCount(1);

        assertThat(walroute("dead-letters")).isEqualTo(2);
        assertThat(err()).startsWith("What of the dead letters? One of: list. See: walroute dead-letters --help");
        assertThat(out()).isEmpty();
    }

    @Test
    void all_wrong_settings_are_told_at_once_with_exit_code_2() throws IOException {
        Files.writeString(home.resolve("application.properties"), "walroute.adit.keep=1d\nWAL_SENDER_TIMEOUT=60s\n");

        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err().lines())
                .containsExactly(
                        "walroute.adit.keep is not a setting (application.properties:1). Did you mean walroute.audit.keep?",
                        "WAL_SENDER_TIMEOUT=60s is not a number of milliseconds above 0 (application.properties:2). Write"
                                + " 60000");
        assertThat(out()).isEmpty();
        assertThat(started).isEmpty();
    }

    @Test
    void setup_prints_what_it_did_and_what_comes_next() throws Exception {
        createMarketplace();

        assertThat(walroute("setup", "--home", home.toString())).isZero();
        assertThat(out().lines())
                .hasSize(5)
                .startsWith(
                        "Created publication grails_publication for listings, offers, ens_names, opensea_events.",
                        "Set REPLICA IDENTITY FULL on listings.",
                        "Set REPLICA IDENTITY FULL on ens_names.")
                .last()
                .isEqualTo("Next: walroute run");
        assertThat(database.query("SELECT count(*) FROM pg_publication_tables")).isEqualTo("4");
        assertThat(database.query("SELECT plugin FROM pg_replication_slots WHERE slot_name = '" + slot + "'"))
                .isEqualTo("pgoutput");

        assertThat(walroute("setup")).isZero();
        assertThat(out().lines())
                .containsExactly(
                        "Nothing to do: publication, replica identities and slot are in place.", "Next: walroute run");
    }

    @Test
    void a_dry_run_prints_sql_that_does_the_same() throws Exception {
        createMarketplace();

        assertThat(walroute("setup", "--dry-run")).isZero();
        String sql = out();
        assertThat(database.query("SELECT count(*) FROM pg_publication")).isEqualTo("0");

        database.execute(sql.split(";\\R"));
        assertThat(walroute("setup", "--dry-run")).isZero();
        assertThat(out())
                .isEqualToIgnoringNewLines("-- Nothing to do: publication, replica identities and slot are in place.");
    }

    @Test
    void json_is_one_document_on_stdout() throws Exception {
        createMarketplace();

        assertThat(walroute("setup", "--json", "--dry-run")).isZero();
        JsonNode plan = new ObjectMapper().readTree(out());
        assertThat(plan.get("dry_run").asBoolean()).isTrue();
        assertThat(plan.get("sql")).hasSize(4);
        assertThat(plan.get("done")).isEmpty();

        assertThat(walroute("setup", "--json")).isZero();
        JsonNode done = new ObjectMapper().readTree(out());
        assertThat(done.get("slot").asText()).isEqualTo(slot);
        assertThat(done.get("publication").asText()).isEqualTo("grails_publication");
        assertThat(done.get("done")).hasSize(4);
        assertThat(done.get("next").asText()).isEqualTo("walroute run");
        assertThat(done.get("database").asText()).doesNotContain(":postgres@");
    }

    @Test
    void setup_names_missing_tables_and_does_nothing() {
        database.execute("CREATE TABLE listings (id int PRIMARY KEY)");

        assertThat(walroute("setup")).isEqualTo(2);
        assertThat(err())
                .isEqualToIgnoringNewLines("Database " + database.name()
                        + " has no table offers, ens_names, opensea_events. Create what is missing, or correct"
                        + " walroute.tables");
        assertThat(database.query("SELECT count(*) FROM pg_publication")).isEqualTo("0");
    }

    @Test
    void run_starts_the_service_once_everything_is_in_place() throws Exception {
        Files.createDirectory(home.resolve("routes"));

        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err().lines())
                .containsExactly(
                        "The publication grails_publication does not exist. Run: walroute setup",
                        "The replication slot " + slot
                                + " does not exist: changes are not being kept. Run: walroute setup");
        assertThat(started).isEmpty();

        createMarketplace();
        assertThat(walroute("setup")).isZero();
        assertThat(walroute("run")).isZero();
        assertThat(walroute("dev", "--verbose")).isZero();
        assertThat(started).containsExactly(slot + " run", slot + " dev");
    }

    @ParameterizedTest
    @ValueSource(strings = {"run", "dev"})
    void without_routes_there_is_no_start(String command) {
        assertThat(walroute(command)).isEqualTo(2);
        assertThat(err())
                .startsWith("There is no folder " + home.resolve("routes") + ".")
                .hasLineCount(1);
    }

    @Test
    void a_wrong_database_url_ends_the_start_and_an_absent_server_does_not() throws Exception {
        Files.createDirectory(home.resolve("routes"));

        environment.put("DATABASE_URL", database.url().replace(":postgres@", ":wr0ng@"));
        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err())
                .contains("refuses the password of user postgres")
                .doesNotContain("wr0ng")
                .hasLineCount(1);

        environment.put("DATABASE_URL", "postgresql://u:p@no-such-host.invalid/db");
        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err())
                .startsWith("The host no-such-host.invalid of DATABASE_URL is not known")
                .hasLineCount(1);

        environment.put("DATABASE_URL", "postgresql://u:s3cret@h");
        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err())
                .isEqualToIgnoringNewLines("DATABASE_URL names no database (environment). Expected"
                        + " postgresql://user:password@host:5432/database");

        environment.remove("DATABASE_URL");
        assertThat(walroute("run")).isEqualTo(2);
        assertThat(err()).startsWith("DATABASE_URL is not set.").hasLineCount(1);
        assertThat(started).isEmpty();

        environment.put("DATABASE_URL", "postgresql://u:p@127.0.0.1:" + closedPort() + "/db");
        assertThat(walroute("run")).isZero();
        assertThat(started).hasSize(1);
        assertThat(walroute("setup")).isEqualTo(1);
        assertThat(err()).contains("does not answer").hasLineCount(1);
    }

    @Test
    void a_failure_is_one_line_and_its_stack_trace_is_for_verbose() throws Exception {
        Files.createDirectory(home.resolve("routes"));
        createMarketplace();
        walroute("setup");
        service = (settings, dev) -> {
            throw new IllegalStateException("the audit log\ncan't be opened");
        };

        assertThat(walroute("run")).isEqualTo(1);
        assertThat(err()).isEqualToIgnoringNewLines("the audit log; can't be opened (--verbose shows where)");

        assertThat(walroute("--verbose", "run")).isEqualTo(1);
        assertThat(err()).startsWith("the audit log; can't be opened\n").contains("\tat io.walroute.cli.CliTest");
    }

    @Test
    void the_services_exit_code_is_the_programs() throws Exception {
        Files.createDirectory(home.resolve("routes"));
        createMarketplace();
        walroute("setup");
        service = (settings, dev) -> 2;

        assertThat(walroute("run")).isEqualTo(2);
    }

    @Test
    void demo_passes_its_options_on() {
        environment.remove("DATABASE_URL");

        assertThat(walroute("demo", "--rate", "200", "--duration", "90s", "--seed", "7"))
                .isZero();
        assertThat(started)
                .containsExactly(new DemoSettings(
                        200,
                        Duration.ofSeconds(90),
                        7,
                        DemoSettings.DEFAULTS.webSocketPort(),
                        DemoSettings.DEFAULTS.managementPort()));
        assertThat(out()).isEqualToIgnoringNewLines("board of " + home);
    }

    @Test
    void simulate_makes_as_many_changes_as_it_is_told() throws Exception {
        createMarketplace();

        assertThat(walroute("simulate", "--rate", "0", "--changes", "50", "--connections", "1", "--json"))
                .isZero();
        JsonNode result = new ObjectMapper().readTree(out());
        assertThat(result.get("changes").asLong()).isEqualTo(50);
        assertThat(database.query("SELECT count(*) > 0 FROM listings")).isEqualTo("t");

        assertThat(walroute("simulate", "--rate", "0", "--changes", "10")).isZero();
        assertThat(out()).startsWith("Committed 10 changes in ");
    }

    @Test
    void simulate_needs_the_marketplaces_tables() {
        assertThat(walroute("simulate")).isEqualTo(2);
        assertThat(err())
                .startsWith(
                        "Database " + database.name() + " has no table listings, offers, ens_names, opensea_events");
    }

    @Test
    void dead_letters_are_listed_as_text_or_json() throws Exception {
        assertThat(walroute("dead-letters", "list")).isZero();
        assertThat(out()).isEqualToIgnoringNewLines("No dead letters.");
        assertThat(walroute("dead-letters", "list", "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out())).isEmpty();

        Map<String, Object> letter = new LinkedHashMap<>();
        letter.put("id", 1);
        letter.put("cause", "503\nfrom the receiver");
        letter.put("endpoint", null);
        parked.add(letter);
        assertThat(walroute("dead-letters", "list")).isZero();
        assertThat(out().lines()).containsExactly("ID  CAUSE                  ENDPOINT", "1   503 from the receiver");
        assertThat(walroute("dead-letters", "list", "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out()).get(0).get("cause").asText())
                .isEqualTo("503\nfrom the receiver");
    }

    @Test
    void drop_removes_the_slot_and_on_request_the_publication_and_may_run_again() {
        database.execute(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
        assertThat(walroute("drop", "--publication")).as(err()).isZero();
        assertThat(out())
                .containsSubsequence(
                        "Dropped replication slot " + slot + ".", "Dropped publication grails_publication.");
        assertThat(database.query("SELECT count(*) FROM pg_publication")).isEqualTo("0");
        assertThat(walroute("drop")).isZero();
        assertThat(out()).contains("Nothing to do: there is no such slot.");
    }

    @Test
    void reset_says_what_it_gives_up_before_it_moves_the_slot_and_there_is_no_gap_to_accept() throws Exception {
        database.execute(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')",
                "CREATE TABLE t (id int)",
                "INSERT INTO t VALUES (1)");
        environment.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + home.resolve("reset.db"));
        assertThat(walroute("reset", "--accept-gap")).as(err()).isZero();
        assertThat(out()).contains("There is no gap: nothing to accept.");
        assertThat(walroute("reset", "--dry-run")).isZero();
        assertThat(out()).contains("Nothing was changed (--dry-run).");
        assertThat(walroute("reset")).as(err()).isZero();
        assertThat(out())
                .containsPattern("Gives up the changes from [0-9A-F/]+ to [0-9A-F/]+: [0-9,]+ bytes of WAL\\.")
                .contains("Moved replication slot " + slot + " to ");
        assertThat(walroute("reset", "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out()).path("slot").asText()).isEqualTo(slot);
    }

    @Test
    void reset_without_a_slot_names_setup() {
        environment.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + home.resolve("reset.db"));
        assertThat(walroute("reset")).isEqualTo(2);
        assertThat(err()).contains("does not exist. Run: walroute setup");
    }

    @Test
    void a_home_that_is_no_folder_is_told() {
        assertThat(walroute("setup", "--home", home.resolve("nowhere").toString()))
                .isEqualTo(2);
        assertThat(err())
                .startsWith("--home " + home.resolve("nowhere") + " is not a folder")
                .hasLineCount(1);
    }

    private void createMarketplace() throws Exception {
        try (var connection = database.connect()) {
            Marketplace.create(connection);
        }
    }

    /** The real entry point but for {@code System.exit}. */
    private int walroute(String... args) {
        stdout.reset();
        stderr.reset();
        environment.putIfAbsent("WALROUTE_HOME", home.toString());
        return new Cli(
                        stream(stdout),
                        stream(stderr),
                        environment,
                        new EntryPoints(this::run, this::demo, this::parked, io.walroute.service.Commands.slots()))
                .run(args);
    }

    private int run(Settings settings, boolean dev) throws Exception {
        return service.run(settings, dev);
    }

    private int demo(Path folder, DemoSettings settings, PrintStream out) {
        started.add(settings);
        out.println("board of " + folder);
        return 0;
    }

    private List<Map<String, Object>> parked(Settings settings) {
        return parked;
    }

    private static int closedPort() throws IOException {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static PrintStream stream(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private String out() {
        return stdout.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return stderr.toString(StandardCharsets.UTF_8);
    }
}
