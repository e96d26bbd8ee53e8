package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** {@code status} and {@code drop} as a user types them, with and without a running service; and the health paths. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class StatusTest {
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out();
    }

    private String err() {
        return rig.cli.err();
    }

    private JsonNode json() throws Exception {
        return ServiceRig.JSON.readTree(out());
    }

    private JsonNode status(int exitCode) throws Exception {
        assertThat(walroute("status", "--json")).as(out() + err()).isEqualTo(exitCode);
        return json();
    }

    private static List<String> names(JsonNode object) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(each -> texts.add(each.asText()));
        return texts;
    }

    // ---------------------------------------------------------------- status

    @Test
    void the_document_has_the_documented_members_without_a_service() throws Exception {
        JsonNode status = status(0);

        assertThat(names(status))
                .containsExactly(
                        "at",
                        "database",
                        "sound",
                        "problems",
                        "warnings",
                        "server",
                        "slot",
                        "lag",
                        "wal_budget",
                        "pins",
                        "publication",
                        "tables",
                        "gap",
                        "skips",
                        "service");
        assertThat(names(status.path("server")))
                .containsExactly("version", "standby", "timeline", "wal_level", "wal_lsn");
        assertThat(names(status.path("slot")))
                .containsExactly(
                        "name",
                        "exists",
                        "active",
                        "pid",
                        "client",
                        "inactive_since",
                        "plugin",
                        "wal_status",
                        "invalidation_reason",
                        "restart_lsn",
                        "confirmed_flush_lsn",
                        "failover",
                        "synced");
        assertThat(names(status.path("lag"))).containsExactly("bytes", "seconds", "is_at_least");
        assertThat(names(status.path("wal_budget")))
                .containsExactly(
                        "retained_bytes",
                        "safe_wal_bytes",
                        "limit_bytes",
                        "idle_timeout_seconds",
                        "wal_bytes_per_second",
                        "burn_bytes_per_second",
                        "measured_seconds",
                        "seconds_to_invalidation");
        assertThat(names(status.path("publication")))
                .containsExactly(
                        "name",
                        "exists",
                        "all_tables",
                        "via_partition_root",
                        "unpublished_operations",
                        "missing_tables",
                        "extra_tables");
        assertThat(names(status.path("tables").get(0)))
                .containsExactly(
                        "table",
                        "exists",
                        "published",
                        "wanted",
                        "primary_key",
                        "replica_identity",
                        "wanted_replica_identity",
                        "replica_identity_as_wanted");
        assertThat(names(status.path("service"))).containsExactly("running", "why_not");
        assertThat(status.path("sound").asBoolean()).isTrue();
        assertThat(status.path("slot").path("active").asBoolean()).isFalse();
        assertThat(status.path("wal_budget").path("measured_seconds").asDouble())
                .isPositive();
        assertThat(status.path("service").path("why_not").asText()).contains("Start it: walroute run");
        assertThat(texts(status.path("publication").path("missing_tables"))).isEmpty();
        assertThat(rig.folder.resolve("walroute.db"))
                .as("looking makes nothing")
                .doesNotExist();
    }

    @Test
    void a_running_service_adds_its_part() throws Exception {
        rig.startReady();
        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
            JsonNode status = status(0);
            assertThat(status.path("slot").path("active").asBoolean()).isTrue();
            JsonNode service = status.path("service");
            assertThat(service.path("running").asBoolean()).isTrue();
            assertThat(service.path("source").path("state").asText()).isEqualTo("STREAMING");
            assertThat(service.path("wal").path("measured_seconds").isNumber()).isTrue();
            assertThat(status.path("wal_budget").path("measured_seconds"))
                    .isEqualTo(service.path("wal").path("measured_seconds"));
            assertThat(status.path("lag").path("seconds").isNumber()).isTrue();
        });
        assertThat(texts(json().path("warnings")))
                .as("a cache that nobody filled")
                .singleElement()
                .asString()
                .startsWith("cache: ")
                .endsWith("Run: walroute backfill");
        JsonNode service = json().path("service");
        assertThat(names(service))
                .containsExactly(
                        "running",
                        "database",
                        "slot",
                        "status",
                        "uptime_seconds",
                        "source",
                        "wal",
                        "routes",
                        "checks",
                        "sinks",
                        "gap",
                        "replays",
                        "backfills",
                        "skips");
        assertThat(names(service.path("sinks").get(0)))
                .containsExactly("sink", "state", "circuit", "parked", "dead", "problem");
        assertThat(service.path("sinks").findValuesAsText("sink")).contains("cache", "notify", "hook");
        assertThat(service.path("routes").findValuesAsText("state")).containsOnly("started");

        assertThat(walroute("status")).isZero();
        assertThat(out())
                .contains(
                        "Slot          " + rig.slot + ", active (process ",
                        "WAL budget    ",
                        "Service       UP, up for ")
                .contains("SINK", "REPLICA IDENTITY", "Slot and publication are sound.")
                .contains("Warning: cache: ")
                .doesNotContain("\n\n\n")
                .doesNotContain("\u001b");

        rig.environment.put("REPLICATION_SLOT", "another_slot");
        assertThat(status(1).path("service").path("why_not").asText()).contains("follows slot " + rig.slot);
    }

    @Test
    void accepting_a_gap_finds_none_beside_a_service_that_streams_a_busy_database() throws Exception {
        rig.startReady();
        var busy = new AtomicBoolean(true);
        Thread writer = new Thread(() -> {
            while (busy.get()) {
                rig.db.execute("INSERT INTO listings(status) VALUES ('busy')");
            }
        });
        writer.start();
        try {
            for (int i = 0; i < 60; i++) {
                assertThat(walroute("reset", "--accept-gap", "--dry-run"))
                        .as(out() + err())
                        .isZero();
                assertThat(out()).isEqualToIgnoringNewLines("There is no gap: nothing to accept.");
            }
        } finally {
            busy.set(false);
            writer.join();
        }
    }

    @Test
    void without_slot_and_publication_the_exit_code_is_1_and_the_fix_is_named() throws Exception {
        rig.db.execute("SELECT pg_drop_replication_slot('" + rig.slot + "')", "DROP PUBLICATION grails_publication");

        JsonNode status = status(1);

        assertThat(status.path("sound").asBoolean()).isFalse();
        assertThat(texts(status.path("problems")))
                .anySatisfy(line -> assertThat(line).contains(rig.slot, "walroute setup"))
                .anySatisfy(line -> assertThat(line).contains("grails_publication", "walroute setup"));
        assertThat(walroute("status")).isEqualTo(1);
        assertThat(out()).contains(rig.slot + " does not exist", "Problem: ");
    }

    @Test
    void drift_between_settings_and_database_is_told() throws Exception {
        rig.db.execute(
                "DROP PUBLICATION grails_publication",
                "CREATE TABLE \"Odd \"\"näme\"\"\" (id int PRIMARY KEY)",
                "CREATE TABLE keyless (a int)",
                "CREATE PUBLICATION grails_publication FOR TABLE listings, offers, ens_names, \"Odd \"\"näme\"\"\","
                        + " keyless WITH (publish = 'insert, update')",
                "ALTER TABLE listings REPLICA IDENTITY DEFAULT");

        JsonNode status = status(1);

        JsonNode publication = status.path("publication");
        assertThat(texts(publication.path("missing_tables"))).containsExactly("opensea_events");
        assertThat(texts(publication.path("extra_tables"))).containsExactlyInAnyOrder("Odd \"näme\"", "keyless");
        assertThat(texts(publication.path("unpublished_operations"))).containsExactly("DELETE", "TRUNCATE");
        assertThat(texts(status.path("problems")))
                .anySatisfy(line -> assertThat(line).contains("does not publish opensea_events"));
        assertThat(texts(status.path("warnings")))
                .anySatisfy(line -> assertThat(line).contains("replica identity is not as configured on listings"))
                .anySatisfy(line -> assertThat(line).contains("refuses UPDATE and DELETE on keyless"))
                .anySatisfy(line -> assertThat(line).contains("names of partitions"));
    }

    @Test
    void what_else_keeps_wal_is_named() throws Exception {
        rig.db.execute("SELECT pg_create_logical_replication_slot('other_" + rig.slot + "', 'pgoutput')");
        try {
            assertThat(status(0).path("pins").findValuesAsText("name")).contains("other_" + rig.slot);
            assertThat(walroute("status")).isZero();
            assertThat(out()).contains("Also keeping WAL or dead rows:", "other_" + rig.slot);
        } finally {
            rig.db.execute("SELECT pg_drop_replication_slot('other_" + rig.slot + "')");
        }
    }

    @Test
    void watching_prints_a_document_a_line_until_it_is_ended() throws Exception {
        Thread watching = new Thread(() -> walroute("status", "--watch", "--json", "--interval", "100ms"));
        watching.start();
        await().atMost(Duration.ofSeconds(30)).until(() -> out().lines().count() >= 3);
        watching.interrupt();
        watching.join(Duration.ofSeconds(20).toMillis());

        assertThat(watching.isAlive()).isFalse();
        for (String line : out().lines().toList()) {
            assertThat(ServiceRig.JSON.readTree(line).path("sound").asBoolean()).isTrue();
        }
    }

    @Test
    void a_database_that_does_not_answer_is_one_line() {
        rig.environment.put("DATABASE_URL", "postgresql://a:secret@127.0.0.1:" + ServiceRig.freePort() + "/x");

        assertThat(walroute("status")).isEqualTo(1);
        assertThat(err()).contains("does not answer").doesNotContain("secret").hasLineCount(1);
    }

    // ---------------------------------------------------------------- drop

    @Test
    void drop_tells_what_it_would_do_refuses_an_active_slot_and_takes_it_with_force() throws Exception {
        rig.startReady();

        assertThat(walroute("drop")).isEqualTo(1);
        assertThat(err())
                .contains("is in use by process ", "walroute drop --force")
                .hasLineCount(1);
        assertThat(walroute("drop", "--dry-run")).isEqualTo(1);
        assertThat(walroute("drop", "--force", "--publication", "--dry-run", "--json"))
                .isZero();
        assertThat(names(json())).containsExactly("database", "slot", "publication", "dry_run", "done", "would_do");
        assertThat(texts(json().path("done"))).isEmpty();
        assertThat(texts(json().path("would_do")))
                .satisfiesExactly(
                        line -> assertThat(line).startsWith("end process ").endsWith("which reads the slot"),
                        line -> assertThat(line).startsWith("drop replication slot " + rig.slot + " at "),
                        line -> assertThat(line).isEqualTo("drop publication grails_publication"));
        assertThat(status(0).path("slot").path("exists").asBoolean()).isTrue();
        assertThat(walroute("drop", "--force", "--dry-run")).isZero();
        assertThat(out().lines())
                .satisfiesExactly(
                        line -> assertThat(line).startsWith("Would end process "),
                        line -> assertThat(line).startsWith("Would drop replication slot " + rig.slot));

        rig.asOwner(); // of the publication
        assertThat(walroute("drop", "--force", "--publication")).isZero();
        assertThat(out().lines())
                .satisfiesExactly(
                        line -> assertThat(line).startsWith("Ended process ").endsWith("which read the slot."),
                        line -> assertThat(line).startsWith("Dropped replication slot " + rig.slot),
                        line -> assertThat(line).isEqualTo("Dropped publication grails_publication."));
        assertThat(walroute("drop", "--publication")).isZero();
        assertThat(out()).startsWith("Nothing to do");
    }

    @Test
    void setup_status_and_drop_take_names_of_every_kind_and_a_slot_without_failover() throws Exception {
        String publication = "Pub \"ü'; DROP TABLE offers; --";
        rig.db.execute(
                "SELECT pg_drop_replication_slot('" + rig.slot + "')",
                "CREATE TABLE \"Odd \"\"näme\"\" Table\" (id int PRIMARY KEY)");
        rig.asOwner().environment.put("PUBLICATION_NAME", publication);
        rig.environment.put("WALROUTE_TABLES", "listings,\"Odd \"\"näme\"\" Table\"");
        rig.environment.put("WALROUTE_SLOT_FAILOVER", "off");

        assertThat(walroute("setup", "--dry-run")).as(err()).isZero();
        assertThat(out())
                .contains("CREATE PUBLICATION \"Pub \"\"ü'; DROP TABLE offers; --\" FOR TABLE \"public\".\"listings\","
                        + " \"public\".\"Odd \"\"näme\"\" Table\"")
                .contains("pg_create_logical_replication_slot('" + rig.slot + "', 'pgoutput');")
                .doesNotContain("failover");
        assertThat(walroute("setup")).as(err()).isZero();

        JsonNode status = status(0);
        assertThat(status.path("slot").path("failover").asBoolean()).isFalse();
        assertThat(status.path("publication").path("name").asText()).isEqualTo(publication);
        assertThat(status.path("tables").findValuesAsText("table")).containsExactly("listings", "Odd \"näme\" Table");
        assertThat(walroute("drop", "--publication")).as(err()).isZero();
        assertThat(rig.db.query("SELECT count(*) FROM pg_publication WHERE pubname LIKE 'Pub%'"))
                .isEqualTo("0");
        assertThat(rig.db.query("SELECT count(*) FROM offers")).isEqualTo("0");
    }

    // ---------------------------------------------------------------- health

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + rig.managementPort + path));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void health_tells_its_causes_to_those_who_may_see_them_only() throws Exception {
        rig.environment.put("WALROUTE_MANAGEMENT_HOST", "0.0.0.0");
        rig.environment.put("WALROUTE_MANAGEMENT_TOKEN", "0123456789abcdef");
        rig.startReady();

        assertThat(get("/observe/health/live").statusCode()).isEqualTo(200);
        assertThat(get("/observe/health/startup").statusCode()).isEqualTo(200);
        assertThat(get("/observe/health/ready").statusCode()).isEqualTo(200);
        JsonNode anybody = ServiceRig.JSON.readTree(get("/observe/health").body());
        assertThat(anybody.path("checks").findValuesAsText("name")).contains("wal", "wal-budget", "audit");
        anybody.path("checks").forEach(check -> assertThat(names(check)).containsExactly("name", "status"));
        JsonNode wrong = ServiceRig.JSON.readTree(
                get("/observe/health", "Authorization", "Bearer wrong").body());
        assertThat(names(wrong.path("checks").get(0))).containsExactly("name", "status");
        JsonNode known = ServiceRig.JSON.readTree(get("/observe/health", "Authorization", "Bearer 0123456789abcdef")
                .body());
        known.path("checks")
                .forEach(check -> assertThat(check.path("message").asText()).isNotEmpty());
    }

    @Test
    void on_loopback_anybody_on_this_machine_sees_causes_but_no_other_sites_page_does() throws Exception {
        rig.startReady();

        JsonNode local = ServiceRig.JSON.readTree(get("/observe/health").body());
        local.path("checks")
                .forEach(check -> assertThat(check.path("message").asText()).isNotEmpty());
        JsonNode page = ServiceRig.JSON.readTree(
                get("/observe/health", "Origin", "https://evil.example").body());
        assertThat(names(page.path("checks").get(0))).containsExactly("name", "status");
    }
}
