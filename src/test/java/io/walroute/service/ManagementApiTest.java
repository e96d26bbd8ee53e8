package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.testing.Receiver;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** {@code /api} and the commands that use it, against a whole running service. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ManagementApiTest {
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.receiver.otherwise(Receiver.Answer.status(400)); // never tried again at once
        rig.environment.put(
                "WALROUTE_HOME", java.nio.file.Path.of("").toAbsolutePath().toString());
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    // ---------------------------------------------------------------- HTTP

    private String token() throws Exception {
        return Files.readString(rig.folder.resolve("management.token")).strip();
    }

    private HttpResponse<String> call(String method, String path, String body, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + rig.managementPort + path))
                .method(method, HttpRequest.BodyPublishers.ofString(body));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> post(String path, String body) throws Exception {
        return call("POST", path, body, "Authorization", "Bearer " + token(), "Content-Type", "application/json");
    }

    private static JsonNode json(HttpResponse<String> response) throws Exception {
        return ServiceRig.JSON.readTree(response.body());
    }

    /** With headers that the JDK's client doesn't let be set. */
    private String raw(String request) throws Exception {
        try (var socket = new Socket("127.0.0.1", rig.managementPort)) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.replace("\n", "\r\n").getBytes(StandardCharsets.US_ASCII));
            var line = new StringBuilder();
            for (int c = socket.getInputStream().read();
                    c >= 0 && c != '\r';
                    c = socket.getInputStream().read()) {
                line.append((char) c);
            }
            return line.toString();
        }
    }

    @Test
    void calls_are_let_in_or_refused_with_json_and_a_fitting_status() throws Exception {
        rig.startReady();

        assertThat(rig.management("/api/dead-letters").statusCode()).isEqualTo(200);
        assertThat(rig.management("/api/dead-letters").body()).isEqualTo("[]");
        assertThat(rig.management("/api/dead-letters").headers().map())
                .doesNotContainKey("access-control-allow-origin");
        assertThat(rig.management("/api/dead-letters/17").statusCode()).isEqualTo(404);
        assertThat(json(rig.management("/api/dead-letters/17")).path("error").asText())
                .startsWith("There is no dead letter 17");
        assertThat(rig.management("/api/dead-letters/x").statusCode()).isEqualTo(400);
        assertThat(rig.management("/api/dead-letters?snk=hook").statusCode()).isEqualTo(400);
        assertThat(rig.management("/api/dead-letters?sink=a&sink=b").statusCode())
                .isEqualTo(400);
        assertThat(rig.management("/api").statusCode()).isEqualTo(404);
        assertThat(rig.management("/api/nothing").statusCode()).isEqualTo(404);
        assertThat(json(rig.management("/api/nothing")).path("error").asText()).contains("/api/nothing");

        var withoutToken = call("POST", "/api/dead-letters/redrive", "{}", "Content-Type", "application/json");
        assertThat(withoutToken.statusCode()).isEqualTo(401);
        assertThat(withoutToken.headers().firstValue("www-authenticate")).contains("Bearer realm=\"walroute\"");
        assertThat(json(withoutToken).path("error").asText())
                .contains(rig.folder.resolve("management.token").toString())
                .doesNotContain(token());
        assertThat(call("POST", "/api/dead-letters/redrive", "{}", "Authorization", "Bearer " + token())
                        .statusCode())
                .isEqualTo(415);
        assertThat(call(
                                "POST",
                                "/api/dead-letters/redrive",
                                "{}",
                                "Authorization",
                                "Bearer " + token(),
                                "Content-Type",
                                "application/json",
                                "Origin",
                                "https://evil.example.com")
                        .statusCode())
                .isEqualTo(403);
        assertThat(call("DELETE", "/api/dead-letters/1", "", "Content-Type", "application/json")
                        .statusCode())
                .isEqualTo(401);
        var wrongMethod = call(
                "PUT",
                "/api/dead-letters",
                "",
                "Authorization",
                "Bearer " + token(),
                "Content-Type",
                "application/json");
        assertThat(wrongMethod.statusCode()).isEqualTo(405);
        assertThat(wrongMethod.headers().firstValue("allow")).contains("GET");
        assertThat(call("GET", "/api/dead-letters/redrive", "").statusCode()).isEqualTo(400); // taken for an id

        assertThat(post("/api/dead-letters/redrive", "{}").statusCode()).isEqualTo(400);
        assertThat(post("/api/dead-letters/redrive", "[1]").statusCode()).isEqualTo(400);
        assertThat(post("/api/dead-letters/redrive", "{\"all\":tru").statusCode())
                .isEqualTo(400);
        assertThat(post("/api/dead-letters/redrive", "{\"all\":true,\"snk\":\"hook\"}")
                        .statusCode())
                .isEqualTo(400);
        assertThat(post("/api/dead-letters/discard", "{\"all\":true}").statusCode())
                .isEqualTo(400);
        assertThat(post("/api/dead-letters/redrive", "{\"all\":true}").statusCode())
                .isEqualTo(200);
        assertThat(post("/api/dead-letters/redrive", " ".repeat(1 << 21)).statusCode())
                .isEqualTo(413);

        assertThat(raw("GET /api/dead-letters HTTP/1.1\nHost: evil.example.com\n\n"))
                .contains(" 403 ");
        assertThat(raw("GET /observe/jolokia/version HTTP/1.1\nHost: evil.example.com\n\n"))
                .contains(" 403 ");
        assertThat(raw("GET /observe//jolokia/version HTTP/1.1\nHost: evil.example.com\n\n"))
                .doesNotContain(" 200 ");
        assertThat(raw("GET /observe/jolokia/version HTTP/1.1\nHost: localhost:1\n\n"))
                .contains(" 200 ");
        assertThat(raw("GET /observe/health/live HTTP/1.1\nHost: pod.example.com\n\n"))
                .contains(" 200 ");
        assertThat(raw("POST /observe/jolokia HTTP/1.1\nHost: localhost\nOrigin: http://evil.example.com\n"
                        + "Content-Length: 2\n\n{}"))
                .contains(" 403 ");
    }

    @Test
    void bound_to_all_addresses_looking_needs_the_token_too() throws Exception {
        rig.environment.put("WALROUTE_MANAGEMENT_HOST", "0.0.0.0");
        rig.environment.put("WALROUTE_MANAGEMENT_TOKEN", "0123456789abcdef");
        rig.startReady();

        assertThat(rig.management("/api/dead-letters").statusCode()).isEqualTo(401);
        assertThat(call("GET", "/api/dead-letters", "", "Authorization", "Bearer 0123456789abcdef")
                        .statusCode())
                .isEqualTo(200);
        assertThat(rig.management("/observe/jolokia/version").statusCode()).isEqualTo(404);
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);
        assertThat(rig.folder.resolve("management.token")).doesNotExist();
        assertThat(walroute("dead-letters", "redrive", "--all")).isZero();
    }

    @Test
    void no_answer_shows_a_stack_trace_or_what_it_was_made_by() throws Exception {
        rig.startReady();
        String missing = "/observe/jolokia/read/io.walroute:type=Missing/State";
        String traces = "includeStackTrace=true&serializeException=true";
        String wanted = "{\"type\":\"read\",\"mbean\":\"io.walroute:type=Missing\",\"config\":"
                + "{\"includeStackTrace\":\"true\",\"serializeException\":\"true\"}}";
        try (var c = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement()) {
            s.execute("PRAGMA busy_timeout = 10000");
            s.execute("DROP TABLE replays");
        }
        var failed = rig.management("/api/replays");
        assertThat(failed.statusCode()).isEqualTo(500);
        String websocket = "http://127.0.0.1:" + rig.service().websocketPort().getAsInt();
        for (var answer : List.of(
                failed,
                rig.management(missing + "?" + traces),
                rig.management("/observe/jolokia/" + "read/nonsense?" + traces),
                call("POST", "/observe/jolokia", wanted),
                call("POST", "/observe/jolokia?" + traces, "[" + wanted + "]"),
                call("POST", "/observe/jolokia?" + traces, wanted, "Authorization", "Bearer " + token()),
                rig.management("/api/nothing"),
                rig.management("/nothing"),
                rig.management("/observe/metrics"),
                rig.management("/observe/health"),
                get(websocket + "/"),
                get(websocket + "/ws"))) {
            String said = answer.uri() + " " + answer.statusCode() + " " + answer.body();
            assertThat(said).doesNotContain("\tat ", "\\tat ", "stacktrace", "stackTrace", "error_value", ".java:");
            assertThat(answer.headers().map())
                    .as(said)
                    .doesNotContainKeys("server", "x-powered-by", "via", "x-aspnet-version");
        }
        assertThat(raw("GET / HTTP/9.9\nHost: localhost\n\n")).doesNotContainIgnoringCase("vert.x", "netty");
    }

    private static HttpResponse<String> get(String url) throws Exception {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
    }

    // ---------------------------------------------------------------- commands

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out();
    }

    private String err() {
        return rig.cli.err();
    }

    private JsonNode outJson() throws Exception {
        return ServiceRig.JSON.readTree(out());
    }

    private void park(int count) {
        rig.db.execute(
                "INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(1, " + count + ") g");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.deadLetters("hook").size() == count);
    }

    private long idOf(int listing) throws Exception {
        assertThat(walroute("dead-letters", "list", "--json", "--key", Integer.toString(listing)))
                .isZero();
        assertThat(outJson()).hasSize(1);
        return outJson().get(0).get("id").asLong();
    }

    private double counter(String name, String... tags) {
        return rig.service().meters().get(name).tags(tags).counter().count();
    }

    @Test
    void parked_changes_are_listed_shown_redriven_and_discarded() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "1h,1h");
        rig.startReady();
        park(12);

        assertThat(walroute("dead-letters", "list", "--sink", "hook", "--table", "listings"))
                .isZero();
        assertThat(out().lines())
                .hasSize(13)
                .anySatisfy(line -> assertThat(line).startsWith("ID  SINK  STATE   TABLE "));
        assertThat(walroute("dead-letters", "list", "--sink", "cache")).isZero();
        assertThat(out()).isEqualToIgnoringNewLines("None of these. There are: hook 12");
        for (String[] slip : new String[][] {
            {"--sink", "hok", "there is no sink hok. Known: cache, hook, "},
            {"--route", "hok", "there is no route hok. Known: "},
            {"--table", "listing", "there is no published table listing. Known: ens_names, listings, "}
        }) {
            assertThat(walroute("dead-letters", "redrive", slip[0], slip[1])).isEqualTo(2);
            assertThat(err()).startsWith(slip[2]).hasLineCount(1);
        }
        assertThat(walroute("dead-letters", "redrive", "--sink", "cache", "--table", "public.offers"))
                .isZero();
        assertThat(walroute("dead-letters", "list", "--state", "gone")).isEqualTo(2);
        assertThat(err()).isEqualToIgnoringNewLines("state=gone is no state. Write parked or dead");

        long third = idOf(3);
        assertThat(walroute("dead-letters", "show", Long.toString(third))).isZero();
        assertThat(out())
                .contains("sink           hook", "key            3", "answered 400", "\"operation\" : \"INSERT\"")
                .containsPattern("last attempts  20[-0-9]+ [:0-9]+Z  answered 400");
        assertThat(walroute("dead-letters", "show", Long.toString(third), "--json"))
                .isZero();
        assertThat(ServiceRig.JSON.readTree(
                        rig.management("/api/dead-letters/" + third).body()))
                .as("the same JSON as the command's")
                .isEqualTo(outJson());

        assertThat(walroute("dead-letters", "redrive", "--all", "--dry-run")).isZero();
        assertThat(out()).contains("12 would be due.");

        assertThat(walroute("dead-letters", "redrive", Long.toString(third), "--wait", "--timeout", "30s"))
                .isEqualTo(1);
        assertThat(out()).contains(third + "  hook  listings 3  failed again: ", "1 failed again.");

        rig.receiver.otherwise(Receiver.Answer.status(200));
        assertThat(walroute("dead-letters", "redrive", Long.toString(third), "99999", "--wait"))
                .isEqualTo(1);
        assertThat(out())
                .contains(third + "  hook  listings 3  delivered", "99999  not found", "1 not found, 1 delivered.");
        assertThat(rig.count("dead_letters")).isEqualTo(11);

        assertThat(walroute("dead-letters", "discard", "--sink", "hook", "--reason", "why not"))
                .isEqualTo(2);
        assertThat(err())
                .startsWith("11 dead letters would be deleted for good.")
                .hasLineCount(1);
        assertThat(rig.count("dead_letters")).isEqualTo(11);
        assertThat(walroute("dead-letters", "discard", Long.toString(idOf(5)), "--reason", "test rows", "--json"))
                .isZero();
        assertThat(outJson().at("/results/discarded").asInt()).isEqualTo(1);
        assertThat(outJson().at("/entries/0/key/id").asInt()).isEqualTo(5);
        long sixth = idOf(6); // commands set the log up anew, and would take the listener away
        var logger = (Logger) LoggerFactory.getLogger(DeadLetterApi.class);
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        logger.addAppender(lines);
        assertThat(post("/api/dead-letters/discard", "{\"ids\":[" + sixth + "],\"reason\":\"a\\ntest\"}")
                        .statusCode())
                .isEqualTo(200);
        logger.detachAppender(lines);
        assertThat(lines.list)
                .singleElement()
                .satisfies(line -> assertThat(line.getFormattedMessage())
                        .startsWith("Discarded 1 dead letters by hand (hook 1)")
                        .endsWith("Reason: a test"));
        assertThat(counter("walroute.discarded", "sink", "hook")).isEqualTo(2);

        assertThat(walroute("dead-letters", "redrive", "--sink", "hook", "--cause", "400", "--wait"))
                .isZero();
        assertThat(out()).contains("9 delivered.");
        assertThat(rig.count("dead_letters")).isZero();
        assertThat(counter("walroute.redriven", "sink", "hook", "outcome", "delivered"))
                .isEqualTo(10);
        assertThat(walroute("dead-letters", "redrive", "--all", "--offline")).isEqualTo(1);
        assertThat(err()).startsWith("The service is running.");
    }

    @Test
    void after_the_last_attempt_a_change_is_dead_alarmed_and_kept_until_it_is_redriven_offline() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "200ms,200ms");
        var logger = (Logger) LoggerFactory.getLogger("io.walroute.deadletter.DeadLetterComponent");
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        logger.addAppender(lines);
        rig.startReady();
        park(3);
        await().atMost(Duration.ofSeconds(30)).until(() -> counter("walroute.dead", "sink", "hook") == 3);
        logger.detachAppender(lines);

        assertThat(List.copyOf(lines.list))
                .filteredOn(line -> line.getLevel().levelStr.equals("ERROR"))
                .as("one line at once; the others are summed up")
                .hasSizeBetween(1, 2)
                .first()
                .satisfies(line -> assertThat(line.getFormattedMessage())
                        .contains(
                                "had its last attempt for hook and is dead",
                                "walroute dead-letters list --state dead"));
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(
                        () -> assertThat(json(rig.management("/observe/health")).toString())
                                .contains(
                                        "\"name\":\"dead-letters\",\"status\":\"DEGRADED\",\"message\":\"3 changes are dead (hook 3)"));
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);
        assertThat(rig.management("/observe/metrics").body())
                .contains("walroute_dead_letters{sink=\"hook\",state=\"dead\"} 3.0")
                .contains("walroute_dead_total{sink=\"hook\"} 3.0")
                .contains("walroute_stream_restarts_total");

        rig.stop();
        assertThat(walroute("dead-letters", "list", "--state", "dead", "--json"))
                .isZero();
        assertThat(outJson()).hasSize(3);
        assertThat(walroute("dead-letters", "redrive", "--all")).isEqualTo(1);
        assertThat(err()).startsWith("The service does not answer at ").hasLineCount(1);
        assertThat(walroute("dead-letters", "discard", "--key", "2", "--reason", "x", "--offline"))
                .isZero();
        assertThat(walroute("dead-letters", "redrive", "--all", "--offline")).isZero();
        assertThat(out()).contains("2 due.");
        rig.receiver.otherwise(Receiver.Answer.status(200));
        rig.startReady();
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.count("dead_letters") == 0);
    }

    @Test
    void without_the_token_nothing_is_changed_and_one_line_says_where_it_should_be() throws Exception {
        rig.startReady();
        Files.delete(rig.folder.resolve("management.token"));
        for (String[] command : new String[][] {
            {"dead-letters", "redrive", "--all"},
            {"pause", "source"},
            {"replay", "--lsn", "0/1"},
            {"backfill", "--table", "listings"}
        }) {
            assertThat(walroute(command)).as(String.join(" ", command)).isEqualTo(1);
            assertThat(err())
                    .startsWith(
                            "The service at 127.0.0.1:" + rig.managementPort + " needs the token, and there is none in "
                                    + rig.folder.resolve("management.token") + ". Use the service's own --home")
                    .hasLineCount(1);
            assertThat(out()).isEmpty();
        }
        assertThat(walroute("dead-letters", "list")).as("looking needs none").isZero();
    }

    @Test
    void a_service_that_stops_while_a_redrive_is_waited_for_is_told_with_what_is_not_known() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "1h,1h");
        rig.startReady();
        park(3);
        int before = rig.receiver.requests().size();
        rig.receiver.otherwise(Receiver.Answer.never());
        var command = CompletableFuture.supplyAsync(() -> walroute("dead-letters", "redrive", "--all", "--wait"));
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.receiver.requests().size() > before);
        rig.stop();

        assertThat(command.get(60, TimeUnit.SECONDS)).as(out() + err()).isEqualTo(1);
        assertThat(err())
                .containsPattern("^[Tt]he (connection to the )?service ")
                .endsWith("What became of 3 of them is not known; they are due. See: walroute dead-letters list\n")
                .hasLineCount(1);
        assertThat(rig.count("dead_letters")).isEqualTo(3);
    }

    @Test
    void a_token_of_another_service_is_refused_in_one_line() throws Exception {
        rig.startReady();
        rig.environment.put("WALROUTE_MANAGEMENT_TOKEN", "0123456789abcdef");
        assertThat(walroute("dead-letters", "redrive", "--all")).isEqualTo(1);
        assertThat(err())
                .startsWith("The service at 127.0.0.1:" + rig.managementPort + " refuses the token: ")
                .hasLineCount(1);
    }
}
