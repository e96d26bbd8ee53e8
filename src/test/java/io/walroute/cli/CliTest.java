package io.walroute.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.demo.DemoSettings;
import io.walroute.demo.Marketplace;
import io.walroute.settings.Settings;
import io.walroute.testing.JsonSchemas;
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
import java.util.Optional;
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

        List<String> commands = commandsOf(out());
        assertThat(commands).hasSizeGreaterThan(15);
        for (String command : commands) {
            assertThat(walroute(command, "--help")).as(command).isZero();
            assertThat(out())
                    .contains("Usage: walroute " + command, "--verbose", "--home=DIR")
                    .containsPattern("(?m)^Example: .*\\bwalroute " + command + "\\b");
            assertThat(err()).isEmpty();
            for (String below : commandsOf(out())) {
                assertThat(walroute(command, below, "-h"))
                        .as(command + " " + below)
                        .isZero();
                assertThat(out())
                        .contains("Usage: walroute " + command + " " + below)
                        .containsPattern("(?m)^Example: .*\\bwalroute " + command + " " + below + "\\b")
                        .contains("--json");
            }
        }
        assertThat(walroute("dead-letters", "--help")).isZero();
        assertThat(commandsOf(out())).containsExactly("list", "show", "redrive", "discard");
    }

    /** As a help lists them; a description goes on in lines that are indented further. */
    private static List<String> commandsOf(String help) {
        return help.lines()
                .dropWhile(line -> !line.equals("Commands:"))
                .skip(1)
                .takeWhile(line -> line.startsWith("  "))
                .filter(line -> !line.startsWith("   "))
                .map(line -> line.strip().split("\\s+", 2)[0])
                .toList();
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
                .startsWith("Which command? One of: setup, ")
                .contains(", run, ", " replay,", "dead-letters. See: walroute --help")
                .hasLineCount(1);

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
        assertThat(err())
                .startsWith(
                        "What of the dead letters? One of: list, show, redrive, discard. See: walroute dead-letters --help");
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

        Map<String, Object> summary = letter();
        summary.remove("event");
        parked.add(summary);
        assertThat(walroute("dead-letters", "list", "--sink", "hook", "--since", "2026-01-31T12:00:00Z", "1", "2"))
                .isZero();
        assertThat(out().lines())
                .containsExactly(
                        "ID  SINK  STATE   TABLE     KEY  OPERATION  ATTEMPTS  LAST FAILURE          NEXT ATTEMPT  CAUSE",
                        "1   hook  parked  listings  42   UPDATE     5         2026-01-31 12:00:05Z  due           503"
                                + " from the receiver");
        assertThat(started)
                .containsExactly(
                        Map.of("sink", "hook", "since", "2026-01-31T12:00:00Z", "ids", "1,2", "limit", "1000"));
        assertThat(walroute("dead-letters", "list", "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out()).get(0).get("cause").asText())
                .isEqualTo("503\nfrom the receiver");

        assertThat(walroute("dead-letters", "show", "1")).isZero();
        assertThat(out())
                .contains(
                        "key            42",
                        "last failure   2026-01-31 12:00:05Z",
                        "cause          503 from the receiver");
        assertThat(walroute("dead-letters", "show", "2")).isEqualTo(1);
        assertThat(err()).startsWith("There is no dead letter 2.").hasLineCount(1);
    }

    private static Map<String, Object> letter() {
        Map<String, Object> letter = new LinkedHashMap<>();
        letter.put("id", 1);
        letter.put("sink", "hook");
        letter.put("state", "parked");
        letter.put("table", "listings");
        letter.put("key", new ObjectMapper().createObjectNode().put("id", 42));
        letter.put("operation", "UPDATE");
        letter.put("attempts", 5);
        letter.put("first_failure", "2026-01-31T12:00:00.123456Z");
        letter.put("last_failure", "2026-01-31T12:00:05.123456Z");
        letter.put("next_attempt", "2026-01-31T12:00:10.123456Z");
        letter.put("route", "hook");
        letter.put("endpoint", "hook://marketplace");
        letter.put("event_id", "e1");
        letter.put("cause", "503\nfrom the receiver");
        letter.put("event", new ObjectMapper().createObjectNode().put("id", "e1"));
        return letter;
    }

    @Test
    void a_change_of_dead_letters_says_what_is_missing_before_it_calls_anybody() {
        assertThat(walroute("dead-letters", "redrive")).isEqualTo(2);
        assertThat(err())
                .startsWith("Which ones? Give ids or a filter, or --all")
                .hasLineCount(1);

        assertThat(walroute("dead-letters", "discard", "1")).isEqualTo(2);
        assertThat(err())
                .startsWith("Why are they discarded? Give --reason TEXT")
                .hasLineCount(1);

        assertThat(walroute("dead-letters", "redrive", "--since", "yesterday", "--all"))
                .isEqualTo(2);
        assertThat(err())
                .contains("'yesterday' is no time. Write it as 2026-01-31T12:00:00Z")
                .hasLineCount(1);

        assertThat(walroute("dead-letters", "redrive", "--all", "--sink", "hook"))
                .isEqualTo(2);
        assertThat(err()).startsWith("--all means all").hasLineCount(1);
    }

    @Test
    void without_a_service_a_change_is_not_made_unless_offline() throws Exception {
        int port = closedPort();
        environment.put("MANAGEMENT_PORT", Integer.toString(port));
        assertThat(walroute("dead-letters", "redrive", "1")).isEqualTo(1);
        assertThat(err())
                .isEqualToIgnoringNewLines("The service does not answer at 127.0.0.1:" + port
                        + " (walroute.management.host, MANAGEMENT_PORT). Is it running? Start it: walroute run");
        assertThat(started).isEmpty();

        assertThat(walroute("dead-letters", "redrive", "1", "--offline", "--json"))
                .isZero();
        assertThat(new ObjectMapper().readTree(out()).at("/results/due").asInt())
                .isEqualTo(1);
        assertThat(started).containsExactly(Map.of("dry_run", false, "ids", List.of(1L)));

        environment.put("MANAGEMENT_PORT", "off");
        assertThat(walroute("dead-letters", "redrive", "1")).isEqualTo(2);
        assertThat(err()).startsWith("MANAGEMENT_PORT is off").hasLineCount(1);
    }

    @Test
    void what_answers_at_the_port_may_be_something_else() throws Exception {
        var server = com.sun.net.httpserver.HttpServer.create(new java.net.InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write("ok".getBytes(StandardCharsets.US_ASCII));
            exchange.close();
        });
        server.start();
        try {
            environment.put(
                    "MANAGEMENT_PORT", Integer.toString(server.getAddress().getPort()));
            environment.put("WALROUTE_MANAGEMENT_TOKEN", "0123456789abcdef");
            assertThat(walroute("dead-letters", "redrive", "1")).isEqualTo(1);
            assertThat(err()).contains("(HTTP 200) is not walroute").hasLineCount(1);

            assertThat(walroute("dead-letters", "discard", "1", "--reason", "x", "--offline"))
                    .isEqualTo(1);
            assertThat(err())
                    .startsWith("The service is running. Leave out --offline")
                    .hasLineCount(1);
        } finally {
            server.stop(0);
        }
    }

    @Test
    void drop_removes_the_slot_and_on_request_the_publication_and_may_run_again() {
        database.execute(
                "CREATE PUBLICATION grails_publication FOR ALL TABLES",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
        assertThat(walroute("drop", "--publication")).as(err()).isZero();
        assertThat(out())
                .containsSubsequence(
                        "Dropped replication slot " + slot + " at ", "Dropped publication grails_publication.");
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
        int code = new Cli(
                        stream(stdout),
                        stream(stderr),
                        environment,
                        new EntryPoints(
                                this::run,
                                this::demo,
                                deadLetters,
                                io.walroute.service.Commands.slots(),
                                new io.walroute.service.Diagnosis(),
                                io.walroute.service.Commands::beside))
                .run(args);
        JsonSchemas.checkOutput(out(), args);
        return code;
    }

    private int run(Settings settings, boolean dev) throws Exception {
        return service.run(settings, dev);
    }

    private int demo(Path folder, DemoSettings settings, PrintStream out) {
        started.add(settings);
        out.println("board of " + folder);
        return 0;
    }

    private final EntryPoints.DeadLetters deadLetters = new EntryPoints.DeadLetters() {
        @Override
        public List<Map<String, Object>> list(Settings settings, Map<String, String> query) {
            if (query.size() > 1) {
                started.add(query);
            }
            return parked;
        }

        @Override
        public Optional<Map<String, Object>> show(Settings settings, long id) {
            return id == 1 ? Optional.of(letter()) : Optional.empty();
        }

        @Override
        public Map<String, Object> redrive(Settings settings, Map<String, Object> body) {
            started.add(Map.copyOf(body));
            return Map.of("entries", List.of(Map.of("id", 1, "result", "due")), "up_to", 1);
        }

        @Override
        public Map<String, Object> discard(Settings settings, Map<String, Object> body) {
            throw new AssertionError("not called");
        }
    };

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
