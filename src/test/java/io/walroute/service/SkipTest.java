package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code walroute skip}, through the command line. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SkipTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    /** In the route that nothing may fail in: the stream ends and comes again, for ever. */
    static final String STUMBLE = """
                - filter:
                    simple: "${header.table} == 'sales' && ${body.new[amount]} == 666"
                    steps:
                      - throwException: { exceptionType: java.lang.IllegalStateException, message: "stumbled" }
                - to:
                    id: source-to-audit
        """.stripTrailing();

    @TempDir
    Path routes;

    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig(
                "CREATE TABLE sales(id int PRIMARY KEY, amount int)", "CREATE TABLE other(id int PRIMARY KEY)");
        try (var own = Files.list(Path.of("routes"))) {
            for (Path file : own.toList()) {
                String text = Files.readString(file);
                if (file.getFileName().toString().equals("router.camel.yaml")) {
                    String step = "        - to:\n            id: source-to-audit";
                    assertThat(text).contains(step);
                    text = text.replace(step, STUMBLE);
                }
                Files.writeString(routes.resolve(file.getFileName()), text);
            }
        }
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private JsonNode json() throws Exception {
        return ServiceRig.JSON.readTree(rig.cli.out());
    }

    /** Commits the statements in one transaction. @return its xid */
    private long commit(String... statements) throws Exception {
        try (Connection c = rig.db.connect();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            for (String each : statements) {
                s.execute(each);
            }
            long xid = xid(c);
            c.commit();
            return xid;
        }
    }

    private static long xid(Connection c) throws Exception {
        try (var s = c.createStatement();
                var row = s.executeQuery("SELECT pg_current_xact_id()::text::bigint")) {
            row.next();
            return row.getLong(1);
        }
    }

    private List<String> audited() {
        return rig.audit().stream()
                .map(e -> e.path("table").asText()
                        + e.at("/new/id").asText(e.at("/old/id").asText()))
                .toList();
    }

    private JsonNode newest() throws Exception {
        assertThat(walroute("skip", "--list", "--json")).as(rig.cli.err()).isZero();
        return json().get(0);
    }

    private void awaitDone() {
        await().atMost(LONG).until(() -> newest().path("state").asText().equals("done"));
    }

    private List<String> slots() throws Exception {
        List<String> names = new ArrayList<>();
        try (Connection c = rig.db.connect();
                var s = c.createStatement();
                var rows = s.executeQuery(
                        "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'walroute_skip%'"
                                + " AND database = current_database()")) {
            while (rows.next()) {
                names.add(rows.getString(1));
            }
        }
        return names;
    }

    // ---------------------------------------------------------------- the one that blocks

    @Test
    void a_transaction_that_stops_the_stream_for_ever_is_passed_over_and_all_others_come_in_their_order()
            throws Exception {
        rig.startReady();
        long poison;
        try (Connection early = rig.db.connect();
                var s = early.createStatement()) {
            early.setAutoCommit(false);
            s.execute("INSERT INTO other VALUES (1)"); // committed behind the poison, begun before it
            try (Connection c = rig.db.connect();
                    var p = c.createStatement()) {
                c.setAutoCommit(false);
                p.execute("INSERT INTO sales VALUES (1, 666)");
                p.execute("SAVEPOINT a");
                p.execute("INSERT INTO sales VALUES (2, 2), (3, 3)");
                p.execute("RELEASE a");
                p.execute("UPDATE sales SET id = 4 WHERE id = 3");
                p.execute("DELETE FROM sales WHERE id = 2");
                poison = xid(c);
                c.commit();
            }
            early.commit();
        }
        rig.db.execute("INSERT INTO sales VALUES (10, 10)", "INSERT INTO other VALUES (11)");
        String end = rig.walPosition();
        await().atMost(LONG).until(() -> rig.service().walStatus().orElseThrow().restarts() >= 2);
        assertThat(rig.slotHasConfirmed(end)).isFalse();
        assertThat(audited()).isEmpty();

        assertThat(walroute("skip", "--xid", "" + poison, "--dry-run"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.cli.out())
                .contains("Transaction " + poison + ", committed at ")
                .containsPattern("sales +3 +1 +1 +0")
                .contains("Nothing was changed (--dry-run).");
        assertThat(rig.count("walroute_skips")).isZero();

        assertThat(walroute("skip", "--xid", "" + poison, "--reason", "a broken\nimport", "--json"))
                .as(rig.cli.err())
                .isZero();
        JsonNode document = json();
        assertThat(document.path("by_the_service").asBoolean()).isTrue();
        assertThat(document.at("/transaction/changes").asInt()).isEqualTo(5);
        assertThat(document.at("/skip/reason").asText()).isEqualTo("a broken import");
        assertThat(document.at("/skip/by").asText()).isEqualTo(System.getProperty("user.name"));

        await().atMost(LONG).until(() -> rig.slotHasConfirmed(end));
        assertThat(audited()).containsExactly("other1", "sales10", "other11");
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(rig.redis().sync().keys("*"))
                        .contains("other:1", "sales:10", "other:11")
                        .noneMatch(key -> key.matches("sales:[1-4]")));
        awaitDone();
        JsonNode record = newest();
        assertThat(record.path("xid").asLong()).isEqualTo(poison);
        assertThat(record.path("passed").asInt()).isEqualTo(5);
        assertThat(record.hasNonNull("passed_at")).isTrue();

        await().atMost(LONG).until(() -> rig.service().health().report().isReady());
        assertThat(walroute("metrics", "stats", "--json")).isZero();
        JsonNode stats = json();
        int skipped = 0;
        for (JsonNode row : stats) {
            skipped += row.path("skipped").asInt();
        }
        assertThat(skipped).as(stats.toString()).isGreaterThanOrEqualTo(5);
        assertThat(rig.management("/observe/metrics").body())
                .contains("walroute_skipped_total{operation=\"update\",table=\"sales\"}");
        assertThat(walroute("status")).isZero();
        assertThat(rig.cli.out()).contains("done: transaction " + poison).contains("a broken import");
        inTheStore("UPDATE walroute_skips SET done_at = '" + Instant.now().minus(Duration.ofMinutes(61)) + "'");
        assertThat(walroute("status")).isZero();
        assertThat(rig.cli.out()).as("an hour later").doesNotContain("transaction " + poison);
        assertThat(slots()).isEmpty();

        // A restart and a repeated order change nothing.
        rig.stop();
        rig.startReady();
        assertThat(audited()).hasSize(3);
        assertThat(walroute("skip", "--xid", "" + poison, "--reason", "again")).isEqualTo(1);
        assertThat(rig.cli.err())
                .contains("does not hold transaction " + poison)
                .hasLineCount(1);
    }

    private void inTheStore(String update) throws Exception {
        try (var c = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement()) {
            s.execute("PRAGMA busy_timeout = 10000");
            s.execute(update);
        }
    }

    // ---------------------------------------------------------------- without the service

    @Test
    void a_transaction_in_the_backlog_is_passed_over_by_the_next_start_and_only_that_one() throws Exception {
        rig.startReady();
        rig.db.execute("INSERT INTO sales VALUES (1, 1)");
        await().atMost(LONG).until(() -> audited().size() == 1);
        rig.stop();
        // More than one call's worth of changes lies before it.
        commit("INSERT INTO other SELECT * FROM generate_series(1, 10001)");
        commit("INSERT INTO other SELECT * FROM generate_series(10002, 20002)");
        long unwanted = commit(
                "INSERT INTO sales SELECT i, i FROM generate_series(100, 399) i", "DELETE FROM other WHERE id < 11");
        rig.db.execute("INSERT INTO sales VALUES (2, 2)");

        assertThat(walroute("skip", "--xid", "" + unwanted, "--dry-run", "--json"))
                .as(rig.cli.err())
                .isZero();
        JsonNode shown = json();
        assertThat(shown.path("skip").isNull()).isTrue();
        assertThat(shown.at("/transaction/tables")).isEqualTo(ServiceRig.JSON.readTree("""
                        [{"table":"sales","inserts":300,"updates":0,"deletes":0,"truncates":0},
                         {"table":"other","inserts":0,"updates":0,"deletes":10,"truncates":0}]"""));
        String commitLsn = shown.at("/transaction/commit_lsn").asText();
        for (String lsn : List.of(commitLsn, shown.at("/transaction/first_lsn").asText())) {
            assertThat(walroute("skip", "--lsn", lsn, "--dry-run", "--json"))
                    .as(rig.cli.err())
                    .isZero();
            assertThat(json().path("transaction")).isEqualTo(shown.path("transaction"));
        }

        assertThat(walroute("skip", "--xid", "" + unwanted, "--reason", "loaded twice"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.cli.out()).contains("the next start passes over it").contains("--table sales --table other");
        assertThat(walroute("skip", "--lsn", commitLsn, "--reason", "me too")).isEqualTo(1);
        assertThat(rig.cli.err())
                .contains("is passed over already")
                .contains("loaded twice")
                .hasLineCount(1);
        assertThat(walroute("status", "--json")).isZero();
        assertThat(json().at("/skips/0/state").asText()).isEqualTo("pending");
        assertThat(json().at("/skips").size()).isEqualTo(1);

        rig.startReady();
        String end = rig.walPosition();
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(end));
        assertThat(rig.count("audit_log")).isEqualTo(20_004);
        assertThat(audited()).endsWith("sales2").doesNotContain("sales100", "sales399");
        awaitDone();
        assertThat(newest().path("passed").asInt()).isEqualTo(310);
    }

    @Test
    void an_order_that_was_given_while_the_source_stood_still_survives_the_end_of_the_service() throws Exception {
        rig.startReady();
        assertThat(walroute("pause", "source")).as(rig.cli.err()).isZero();
        long unwanted = commit("INSERT INTO sales VALUES (1, 1)");
        rig.db.execute("INSERT INTO sales VALUES (2, 2)");
        assertThat(walroute("skip", "--xid", "" + unwanted, "--reason", "wrong"))
                .as(rig.cli.err())
                .isZero();
        assertThat(rig.count("walroute_skips")).isEqualTo(1);
        rig.stop();
        rig.startReady();
        await().atMost(LONG).until(() -> audited().equals(List.of("sales2")));
        awaitDone();
    }

    @Test
    void an_order_reaches_a_stream_that_runs_before_the_transaction_does() throws Exception {
        rig.startReady();
        // Written into the store by another process: the stream looks for that by itself.
        assertThat(walroute("pause", "source")).isZero();
        long unwanted = commit("INSERT INTO sales VALUES (1, 1)");
        assertThat(walroute("skip", "--xid", "" + unwanted, "--reason", "wrong"))
                .as(rig.cli.err())
                .isZero();
        assertThat(walroute("resume", "source")).isZero();
        rig.db.execute("INSERT INTO sales VALUES (2, 2)");
        await().atMost(LONG).until(() -> audited().equals(List.of("sales2")));
        awaitDone();
        assertThat(rig.service().walStatus().orElseThrow().restarts())
                .as("no failure")
                .isZero();
    }

    // ---------------------------------------------------------------- at once, and wrong

    @Test
    void of_two_operators_at_once_one_gets_it_and_the_other_is_told() throws Exception {
        rig.startReady();
        walroute("pause", "source");
        long unwanted = commit("INSERT INTO sales VALUES (1, 1)");
        var together = new CyclicBarrier(2);
        Callable<Integer> order = () -> {
            var cli = new InProcessCli(rig.environment);
            together.await();
            return cli.run("skip", "--xid", "" + unwanted, "--reason", "wrong");
        };
        var pool = Executors.newFixedThreadPool(2);
        try {
            List<Integer> codes = new ArrayList<>();
            for (var each : pool.invokeAll(List.of(order, order))) {
                codes.add(each.get());
            }
            assertThat(codes).containsExactlyInAnyOrder(0, 1);
        } finally {
            pool.shutdownNow();
        }
        assertThat(rig.count("walroute_skips")).isEqualTo(1);
    }

    private void refused(int code, String says, String... args) throws Exception {
        List<String> all = new ArrayList<>(List.of("skip"));
        all.addAll(List.of(args));
        assertThat(walroute(all.toArray(String[]::new)))
                .as(rig.cli.out() + rig.cli.err())
                .isEqualTo(code);
        assertThat(rig.cli.err()).contains(says).hasLineCount(1);
        assertThat(rig.cli.out()).isEmpty();
        assertThat(slots()).isEmpty();
    }

    @Test
    void what_cannot_be_passed_over_is_refused_in_one_line() throws Exception {
        String before =
                rig.db.query("SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'");
        long known = commit("INSERT INTO sales VALUES (1, 1)");
        refused(2, "Give --xid or --lsn, one of them");
        refused(2, "Give --xid or --lsn, one of them", "--xid", "1", "--lsn", "0/1");
        refused(2, "--xid abc is not a transaction's number", "--xid", "abc", "--reason", "x");
        refused(2, "--xid -5 is not a transaction's number", "--xid=-5", "--reason", "x");
        refused(2, "--xid 4294967296 is not", "--xid", "4294967296", "--reason", "x");
        refused(2, "--lsn 17D5A48 is not an LSN", "--lsn", "17D5A48", "--reason", "x");
        refused(2, "Give --reason TEXT", "--xid", "" + known);
        refused(2, "Give --reason TEXT", "--xid", "" + known, "--reason", "  ");
        refused(1, "lies in the future", "--lsn", "FFFF/0", "--dry-run");
        refused(1, "is behind the slot", "--lsn", "0/1", "--dry-run");
        refused(1, "has not begun yet", "--xid", "4000000000", "--dry-run");
        refused(1, "does not hold transaction 3", "--xid", "3", "--dry-run");
        refused(1, "does not hold a transaction with a change", "--lsn", before, "--dry-run");
        try (Connection c = rig.db.connect();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            s.execute("INSERT INTO sales VALUES (2, 2)");
            long open = xid(c);
            refused(1, "is still under way", "--xid", "" + open, "--dry-run");
            c.rollback();
            refused(1, "was rolled back", "--xid", "" + open, "--dry-run");
        }
        assertThat(rig.folder.resolve("walroute.db")).as("nothing was noted").doesNotExist();

        // A reader of the slot, and nobody who answers: no service to ask, and none that would look.
        rig.startReady();
        String port = rig.environment.put("MANAGEMENT_PORT", "" + ServiceRig.freePort());
        rig.db.execute("INSERT INTO sales VALUES (3, 3)");
        refused(1, "is in use by process", "--xid", "" + known, "--reason", "x");
        rig.environment.put("MANAGEMENT_PORT", port);
        walroute("pause", "source");
        long next = commit("INSERT INTO sales VALUES (4, 4)");
        rig.environment.put("WALROUTE_MANAGEMENT_TOKEN", "quite-another-token-0123456789");
        assertThat(walroute("skip", "--xid", "" + next, "--reason", "x")).isEqualTo(1);
        assertThat(rig.cli.err()).contains("refuses the token").hasLineCount(1);
        rig.environment.remove("WALROUTE_MANAGEMENT_TOKEN");
        assertThat(rig.count("walroute_skips")).isZero();
    }

    @Test
    void the_api_takes_orders_and_shows_them() throws Exception {
        rig.startReady();
        walroute("pause", "source");
        long xid = commit("INSERT INTO sales VALUES (1, 1)");
        assertThat(post("{\"xid\":" + xid + ",\"reason\":\"x\",\"nosuch\":1}").statusCode())
                .isEqualTo(400);
        assertThat(post("{\"xid\":" + xid + "}").statusCode()).isEqualTo(400);
        assertThat(post("{\"xid\":3,\"reason\":\"x\"}").statusCode()).isEqualTo(409);
        assertThat(ServiceRig.JSON
                        .readTree(post("{\"xid\":" + xid + ",\"dry_run\":true}").body())
                        .at("/transaction/changes")
                        .asInt())
                .isEqualTo(1);
        JsonNode answer = ServiceRig.JSON.readTree(
                post("{\"xid\":" + xid + ",\"reason\":\"x\"}").body());
        assertThat(answer.at("/skip/by").asText()).isEqualTo("a caller of the API");
        assertThat(ServiceRig.JSON.readTree(rig.management("/api/skips").body()).get(0))
                .isEqualTo(answer.path("skip"));
        assertThat(ServiceRig.JSON.readTree(rig.management("/api/skips/1").body()))
                .isEqualTo(answer.path("skip"));
        assertThat(rig.management("/api/skips/99").statusCode()).isEqualTo(404);
        assertThat(rig.management("/api/skips/x").statusCode()).isEqualTo(400);
        assertThat(ServiceRig.JSON
                        .readTree(rig.management("/api/status").body())
                        .at("/skips/0/state")
                        .asText())
                .isEqualTo("pending");
    }

    private HttpResponse<String> post(String body) throws Exception {
        String token = Files.readString(rig.folder.resolve("management.token")).strip();
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + rig.managementPort + "/api/skips"))
                .header("Authorization", "Bearer " + token)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void a_role_that_may_only_replicate_can_look_for_it() throws Exception {
        rig.db.execute("DROP ROLE IF EXISTS skipper", "CREATE ROLE skipper LOGIN REPLICATION PASSWORD 'skipper'");
        long xid = commit("INSERT INTO sales VALUES (1, 1)");
        rig.environment.put("DATABASE_URL", rig.db.url().replaceFirst("//[^@]*@", "//skipper:skipper@"));
        assertThat(walroute("skip", "--xid", "" + xid, "--dry-run"))
                .as(rig.cli.err())
                .isZero();
    }
}
