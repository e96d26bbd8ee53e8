package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.walroute.testing.JsonSchemas;
import io.walroute.testing.Receiver;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/schema} against what every command prints with {@code --json} and what {@code /api} answers. (Wherever tests run a
 * command with {@code --json}, its output is held against its schema, too.)
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
class JsonSchemasTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    private final Set<String> seen = new TreeSet<>();
    private ServiceRig rig;

    @AfterEach
    void close() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    // ---------------------------------------------------------------- the schemas

    @Test
    void schemas_are_sound_and_listed_and_every_command_with_json_has_one() throws Exception {
        String listed = Files.readString(Path.of("docs/json.md"));
        for (String name : JsonSchemas.names()) {
            assertThat(JsonSchemas.schemaFaults(name)).as(name).isEmpty();
            assertThat(listed).contains("(schema/" + name + ".json)");
        }
        var commands = commandsWithJson();
        assertThat(commands).contains("setup", "status", "dead-letters-redrive", "metrics-handlers", "load");
        assertThat(JsonSchemas.names()).containsAll(commands);
    }

    /** As the help has them. */
    private static Set<String> commandsWithJson() {
        var cli = new InProcessCli(java.util.Map.of());
        Set<String> found = new TreeSet<>();
        for (String command : commands(cli, "--help")) {
            cli.run(command, "--help");
            boolean json = cli.out().contains("--json");
            if (command.equals("metrics")) {
                List.of("lag", "stats", "errors", "handlers").forEach(report -> found.add("metrics-" + report));
            } else if (json) {
                found.add(command);
            }
            for (String below :
                    cli.out().contains("Commands:") ? commands(cli, command, "--help") : List.<String>of()) {
                cli.run(command, below, "--help");
                if (cli.out().contains("--json")) {
                    found.add(command + "-" + below);
                }
            }
        }
        return found;
    }

    private static List<String> commands(InProcessCli cli, String... help) {
        cli.run(help);
        return cli.out()
                .lines()
                .dropWhile(line -> !line.startsWith("Commands:"))
                .skip(1)
                .filter(line -> line.matches("  [a-z].*"))
                .map(line -> line.strip().split("[ ,]", 2)[0])
                .toList();
    }

    @Test
    void a_member_that_nobody_described_is_noticed() throws Exception {
        JsonNode lag = ServiceRig.JSON.readTree("{\"error\":\"no\",\"more\":1}");
        assertThat(JsonSchemas.faults("error", lag)).singleElement().asString().contains("more");
    }

    // ---------------------------------------------------------------- what is printed

    /** Runs the command, whose output the rig's CLI holds against its schema. */
    private JsonNode print(int exitCode, String... args) throws Exception {
        var all = new ArrayList<>(List.of(args));
        all.add("--json");
        String[] command = all.toArray(String[]::new);
        assertThat(rig.cli.run(command))
                .as(all + ": " + rig.cli.out() + rig.cli.err())
                .isEqualTo(exitCode);
        assertThat(rig.cli.out()).as(all + rig.cli.err()).isNotBlank();
        seen.add(JsonSchemas.nameOf(command));
        return ServiceRig.JSON.readTree(rig.cli.out());
    }

    private JsonNode get(String schema, String path) throws Exception {
        return checked(schema, path, rig.management("/api" + path));
    }

    private JsonNode post(String schema, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + rig.managementPort + "/api" + path))
                .header(
                        "Authorization",
                        "Bearer "
                                + Files.readString(rig.folder.resolve("management.token"))
                                        .strip())
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        return checked(
                schema, path, HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString()));
    }

    private JsonNode checked(String schema, String path, HttpResponse<String> answer) throws Exception {
        JsonNode document = ServiceRig.JSON.readTree(answer.body());
        assertThat(answer.statusCode() == 200).as(path + " " + document).isEqualTo(!schema.equals("error"));
        JsonSchemas.check(schema, document);
        seen.add(schema.split("#")[0]);
        return document;
    }

    @Test
    void every_command_and_every_call_of_the_api_gives_what_its_schema_says() throws Exception {
        rig = new ServiceRig("CREATE TABLE sales (id int PRIMARY KEY)");
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "1h,1h");
        withoutAService();
        rig.startReady().asOwner(); // of the tables, for simulate and load; the service keeps its role
        traffic();
        reports();
        replays();
        backfills();
        pauses();
        skips();
        deadLetters();
        rig.stop();
        print(0, "dead-letters", "redrive", "--all", "--offline");
        print(0, "reset");
        print(0, "drop");
        print(1, "status");
        print(0, "setup");
        assertThat(seen).as("schemas that something real was held against").isEqualTo(JsonSchemas.names());
    }

    private void withoutAService() throws Exception {
        print(0, "setup", "--dry-run");
        print(0, "status");
        print(0, "doctor");
        print(0, "drop", "--dry-run");
        print(0, "reset", "--dry-run");
        print(0, "skip", "--list");
        print(0, "dead-letters", "list");
    }

    private void traffic() throws Exception {
        rig.receiver.otherwise(Receiver.Answer.status(200));
        print(0, "simulate", "--rate", "max", "--changes", "30", "--connections", "1");
        print(0, "load", "--duration", "1s", "--rate", "50", "--large-every", "0", "--connections", "1");
        for (JsonNode event : rig.audit()) {
            JsonSchemas.check("event", event);
            seen.add("event");
        }
    }

    private void reports() throws Exception {
        JsonNode status = print(0, "status");
        ObjectNode served = status.path("service").deepCopy();
        assertThat(served.remove("running").asBoolean()).isTrue();
        assertThat(names(get("service", "/status"))).isEqualTo(names(served));
        for (String report : List.of("lag", "stats", "errors", "handlers")) {
            print(0, "metrics", report);
            get("metrics-" + report, "/metrics/" + report);
        }
        print(0, "doctor");
    }

    private static List<String> names(JsonNode object) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private void replays() throws Exception {
        String lsn = rig.audit().get(0).path("lsn").asText();
        print(0, "replay", "--lsn", lsn, "--route", "cache", "--dry-run");
        JsonNode replay = print(0, "replay", "--lsn", lsn, "--route", "cache", "--rate", "0");
        assertThat(get("replay-list", "/replays")).isEqualTo(print(0, "replay", "--list"));
        assertThat(get("replay", "/replays/" + replay.path("id").asText())).isEqualTo(replay);
    }

    private void backfills() throws Exception {
        print(0, "backfill", "--table", "ens_names", "--dry-run");
        JsonNode backfill = print(0, "backfill", "--table", "ens_names").get(0);
        assertThat(get("backfill", "/backfill")).isEqualTo(print(0, "backfill", "--list"));
        assertThat(get(
                        "backfill#/$defs/backfill",
                        "/backfill/" + backfill.path("id").asText()))
                .isEqualTo(backfill);
        assertThat(print(0, "status").at("/service/backfills/0/id")).isEqualTo(backfill.path("id"));
    }

    private void pauses() throws Exception {
        assertThat(post("pause", "/routes/notify/pause", "{}")).isEqualTo(print(0, "pause", "notify"));
        assertThat(get("routes", "/routes").toString()).contains("\"Paused\"");
        print(0, "status");
        assertThat(post("resume", "/routes/notify/resume", "{}")).isEqualTo(print(0, "resume", "notify"));
        assertThat(post("resume", "/hooks/marketplace/resume", "{}")).isEqualTo(print(0, "resume", "hook:marketplace"));
        post("error", "/routes/nowhere/pause", "{}");
    }

    private void skips() throws Exception {
        print(0, "pause", "source");
        rig.db.execute("INSERT INTO sales VALUES (1)");
        String lsn = rig.walPosition();
        String xid = rig.db.query("SELECT xmin FROM sales");
        ObjectNode shown = (ObjectNode) print(0, "skip", "--xid", xid, "--dry-run");
        ObjectNode answered = (ObjectNode) post("skip", "/skips", "{\"xid\":" + xid + ",\"dry_run\":true}");
        // Each names the role that it logs in with.
        assertThat(answered.remove("database")).isNotEqualTo(shown.remove("database"));
        assertThat(answered).isEqualTo(shown);
        print(0, "skip", "--xid", xid, "--reason", "a test");
        print(0, "status");
        print(0, "resume", "source");
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(lsn));
        await().atMost(LONG)
                .until(() -> print(0, "skip", "--list").at("/0/state").asText().equals("done"));
        assertThat(get("skip-list", "/skips")).isEqualTo(print(0, "skip", "--list"));
        get("skip-list#/$defs/skip", "/skips/1");
    }

    private void deadLetters() throws Exception {
        rig.receiver.otherwise(Receiver.Answer.status(400));
        rig.db.execute("INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(90001, 90004) g");
        await().atMost(LONG).until(() -> rig.deadLetters("hook").size() == 4);
        JsonNode letters = print(0, "dead-letters", "list");
        assertThat(get("dead-letters-list", "/dead-letters")).isEqualTo(letters);
        String id = letters.get(0).path("id").asText();
        JsonNode shown = print(0, "dead-letters", "show", id);
        assertThat(shown.path("attempt_log")).isNotEmpty();
        assertThat(get("dead-letters-show", "/dead-letters/" + id)).isEqualTo(shown);
        get("error", "/dead-letters/999999");
        print(0, "dead-letters", "redrive", "--all", "--dry-run");
        post("dead-letters-page", "/dead-letters/redrive", "{\"all\":true,\"dry_run\":true}");
        print(1, "dead-letters", "redrive", id, "999999", "--wait");
        print(0, "dead-letters", "discard", id, "--reason", "a test");
        print(0, "status");
        print(0, "metrics", "errors");
    }
}
