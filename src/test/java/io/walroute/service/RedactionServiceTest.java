package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.change.ChangeEvent;
import io.walroute.settings.SettingsException;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Receiver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is hidden of a row never leaves the running service, whichever way the row takes. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class RedactionServiceTest {
    private static final String SALT = "0123456789abcdef";
    private static final Duration SOON = Duration.ofSeconds(15);

    /** Every hidden value begins like this. */
    private static final String RAW = "RAWVALUE";

    @TempDir
    Path routes;

    private ServiceRig rig;

    @BeforeEach
    void marketplace() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("routes"))) {
            for (Path file : files.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
        rig = new ServiceRig(
                "CREATE TABLE people(id text PRIMARY KEY, email text, note text, big text)",
                "ALTER TABLE people ALTER big SET STORAGE EXTERNAL");
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
        rig.environment.put("WALROUTE_REDACT_SALT", SALT);
    }

    @AfterEach
    void close() throws IOException {
        rig.close();
    }

    private void redact(String table, String column, String rule) {
        rig.environment.put("WALROUTE_TABLES_" + table.toUpperCase() + "_REDACT_" + column.toUpperCase(), rule);
    }

    private static String hmac(String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SALT.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    }

    private String cached(String key) {
        try (var redis = rig.redis()) {
            return redis.sync().get(key);
        }
    }

    private String everythingInRedis() {
        try (var redis = rig.redis()) {
            var all = new StringBuilder();
            for (String key : redis.sync().keys("*")) {
                all.append(key).append('\n');
                if (redis.sync().type(key).equals("string")) {
                    all.append(redis.sync().get(key)).append('\n');
                } else if (redis.sync().type(key).equals("hash")) {
                    all.append(redis.sync().hgetall(key)).append('\n');
                } else if (redis.sync().type(key).equals("zset")) {
                    all.append(redis.sync().zrange(key, 0, -1)).append('\n');
                }
            }
            return all.toString();
        }
    }

    @Test
    void routes_decide_by_all_columns_and_sinks_get_their_copies() throws Exception {
        redact("listings", "price_wei", "drop, cache:keep");
        redact("listings", "seller_address", "hash, hook:mask");
        redact("listings", "token_id", "truncate(2)");
        rig.startReady();
        var client = rig.subscribe("listings.price_changed", "{}");
        rig.db.execute(
                "INSERT INTO listings(id, token_id, seller_address, price_wei) VALUES (1, '" + RAW + "', '" + RAW
                        + "', 111222333)",
                "UPDATE listings SET price_wei = 444555666 WHERE id = 1");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() == 2);
        await().atMost(SOON).until(() -> client.ofType("event").size() == 1);
        await().atMost(SOON)
                .until(() ->
                        cached("listings:1") != null && cached("listings:1").contains("444555666"));

        assertThat(hooks())
                .doesNotContain(RAW, "111222333", "444555666", "price_wei")
                .contains("\"***\"");
        JsonNode frame = client.ofType("event").get(0).path("event");
        assertThat(frame.toString()).doesNotContain(RAW, "444555666", "price_wei");
        assertThat(frame.path("changed_columns")).isEmpty();
        assertThat(frame.path("new").path("seller_address").asText()).isEqualTo(hmac(RAW));
        assertThat(frame.path("new").path("token_id").asText()).isEqualTo("RA");
        assertThat(everythingInRedis()).doesNotContain(RAW).contains(hmac(RAW));
        // The audit log stays in the house: replay needs what the routes need.
        assertThat(rig.audit().toString()).contains(RAW, "444555666");
    }

    @Test
    void a_hidden_key_still_orders_and_finds_the_entry_of_its_row_and_a_left_out_column_comes_hidden_too()
            throws Exception {
        redact("people", "id", "hash");
        redact("people", "email", "mask");
        redact("people", "big", "hash");
        rig.startReady();
        String big = RAW + "x".repeat(9_000);
        rig.db.execute("INSERT INTO people VALUES ('" + RAW + "', '" + RAW + "@x', 'first', '" + big + "')");
        String key = "people:" + hmac(RAW);
        await().atMost(SOON).until(() -> cached(key) != null);
        try (var redis = rig.redis()) {
            redis.sync().del(key); // so that only the database knows the column that the next change leaves out
        }
        rig.db.execute("UPDATE people SET note = 'second'");
        await().atMost(SOON).until(() -> cached(key) != null && cached(key).contains("second"));
        assertThat(cached(key)).contains(hmac(big));
        // An entry from before the rule must not hand on what it has of the column.
        try (var redis = rig.redis()) {
            redis.sync().set(key, redis.sync().get(key).replace(hmac(big), RAW));
        }
        rig.db.execute("UPDATE people SET note = 'third'");
        await().atMost(SOON).until(() -> cached(key).contains("third"));
        assertThat(cached(key)).contains(hmac(big));
        assertThat(everythingInRedis()).doesNotContain(RAW);
        rig.db.execute("DELETE FROM people");
        await().atMost(SOON).until(() -> cached(key) == null);
    }

    @Test
    void a_backfill_and_a_replay_hide_the_same() throws Exception {
        redact("people", "id", "hash");
        redact("people", "email", "hash, audit:truncate(3)");
        redact("people", "big", "drop");
        rig.db.execute("INSERT INTO people VALUES ('" + RAW + "1', '" + RAW + "@1', 'n', '" + RAW + "')");
        rig.startReady();
        rig.db.execute("INSERT INTO people VALUES ('" + RAW + "2', '" + RAW + "@2', 'n', '" + RAW + "')");
        String live = "people:" + hmac(RAW + "2");
        await().atMost(SOON).until(() -> cached(live) != null);
        assertThat(cached(live)).contains(hmac(RAW + "@2")).doesNotContain("big");
        assertThat(rig.audit().toString()).doesNotContain(RAW + "@").contains("\"RAW\"");
        assertThat(rig.cli.run("backfill", "--table", "people"))
                .as(rig.cli.err())
                .isZero();
        await().atMost(SOON).until(() -> cached("people:" + hmac(RAW + "1")) != null);
        assertThat(everythingInRedis()).doesNotContain(RAW);
        try (var redis = rig.redis()) {
            redis.sync().flushall();
        }
        assertThat(rig.cli.run("replay", "--lsn", rig.audit().get(0).path("lsn").asText()))
                .as(rig.cli.out() + rig.cli.err())
                .isZero();
        await().atMost(SOON).until(() -> cached(live) != null);
        assertThat(cached(live)).contains(hmac("RAW")); // never the three letters themselves
        assertThat(everythingInRedis()).doesNotContain(RAW, "\"RAW\"");
    }

    @Test
    void dead_letters_hold_the_copy_and_no_message_repeats_what_is_hidden() throws Exception {
        redact("listings", "seller_address", "mask");
        redact("listings", "price_wei", "hash");
        rig.receiver.otherwise(Receiver.Answer.status(500));
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, seller_address, price_wei) VALUES (1, '" + RAW + "', 111222333)");
        await().atMost(SOON).until(() -> !rig.deadLetters("hook").isEmpty());
        assertThat(rig.deadLetters("hook").toString())
                .doesNotContain(RAW, "111222333")
                .contains(hmac("111222333"));
        int tried = rig.receiver.requests().size();
        rig.receiver.otherwise(Receiver.Answer.status(204));
        rig.cli.run("dead-letters", "redrive", "--all");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() > tried);
        assertThat(hooks()).doesNotContain(RAW, "111222333").contains(hmac("111222333"));
    }

    private String hooks() {
        return rig.receiver.requests().stream().map(Receiver.Request::text).collect(Collectors.joining("\n"));
    }

    @Test
    void a_step_that_repeats_a_hidden_value_in_its_error_does_not_bring_it_into_dead_letters_or_their_api()
            throws Exception {
        redact("people", "email", "mask");
        Files.writeString(routes.resolve("people.camel.yaml"), """
                - route:
                    id: people
                    description: Fails with the value that it chokes on
                    routeConfigurationId: router
                    from:
                      uri: direct:people
                      steps:
                        - throwException:
                            exceptionType: java.lang.IllegalArgumentException
                            message: "can't parse ${body.new[email]}"
                """);
        rig.startReady();
        rig.db.execute("INSERT INTO people VALUES ('p', '" + RAW + "@x', 'n', 'b')");
        await().atMost(SOON).until(() -> !rig.deadLetters("router").isEmpty());
        String shown = rig.management("/api/dead-letters").body()
                + rig.management("/api/dead-letters/1").body()
                + rig.management("/api/metrics/errors").body();
        assertThat(shown)
                .contains("IllegalArgumentException")
                .doesNotContain(RAW)
                .doesNotContain("can't parse");
        // What the router needs to send it again once the route is mended is kept.
        assertThat(rig.deadLetters("router").toString()).contains(RAW);
    }

    @Test
    void a_write_back_gets_all_columns_and_the_sellers_address_is_hidden_in_a_frames_context() throws Exception {
        redact("ens_names", "owner_address", "hash");
        redact("listings", "seller_address", "hash");
        rig.startReady();
        var client = rig.subscribe("offers.received", "{}");
        rig.db.execute(
                "INSERT INTO ens_names(token_id, owner_address) VALUES ('t', '" + RAW + "a')",
                "INSERT INTO listings(id, token_id, seller_address, status) VALUES (1, 't', '" + RAW + "a', 'active')",
                "INSERT INTO offers(id, listing_id) VALUES (1, 1)",
                "UPDATE ens_names SET owner_address = '" + RAW + "b' WHERE token_id = 't'");
        await().atMost(SOON).until(() -> "ended".equals(rig.db.query("SELECT status FROM listings WHERE id = 1")));
        await().atMost(SOON).until(() -> client.ofType("event").size() == 1);
        assertThat(client.frames.toString()).doesNotContain(RAW).contains(hmac(RAW + "a"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"keep, audit:drop", "keep, audit:mask", "keep"})
    void a_replay_does_not_write_back_what_the_audit_log_has_only_a_part_of(String rule) throws Exception {
        redact("opensea_events", "token_id", rule);
        rig.startReady();
        rig.db.execute(
                "INSERT INTO listings(id, token_id, status) VALUES (1, 't', 'active')",
                "INSERT INTO opensea_events(event_type, token_id, payload) VALUES ('cancel', 't', '{\"listing_id\":1}')");
        String status = "SELECT status FROM listings WHERE id = 1";
        await().atMost(SOON).until(() -> "cancelled".equals(rig.db.query(status)));
        await().atMost(SOON).until(() -> rig.audit().size() == 3);
        rig.db.execute("UPDATE listings SET status = 'active', updated_at = '2000-01-01'");
        await().atMost(SOON).until(() -> rig.audit().size() == 4);
        assertThat(rig.cli.run("replay", "--lsn", rig.audit().get(0).path("lsn").asText(), "--route", "write-backs"))
                .as(rig.cli.out() + rig.cli.err())
                .isZero();
        if (rule.equals("keep")) {
            await("the same without the rule").atMost(SOON).until(() -> "cancelled".equals(rig.db.query(status)));
        } else {
            assertThat(rig.service()
                            .meters()
                            .get("walroute.filtered")
                            .tag("sink", "write-backs")
                            .counter()
                            .count())
                    .isEqualTo(1);
            assertThat(rig.db.query(status)).isEqualTo("active");
        }
    }

    @Test
    void a_change_that_is_too_long_is_dead_with_the_reason_and_its_followers_go_on() throws Exception {
        rig.environment.put("WALROUTE_MAX_EVENT_BYTES", "4KB");
        rig.startReady();
        rig.db.execute(
                "INSERT INTO listings(id, token_id) VALUES (1, '" + "x".repeat(5_000) + "')",
                "UPDATE listings SET token_id = 'short', price_wei = 1 WHERE id = 1",
                "INSERT INTO listings(id, token_id) VALUES (2, 'short')");
        await().atMost(SOON).until(() -> cached("listings:2") != null);
        String letters = rig.management("/api/dead-letters?sink=hook").body();
        assertThat(letters).contains("walroute.max-event-bytes allows 4,096", "\"dead\"");
        assertThat(hooks()).doesNotContain("xxxxxxxx");
        assertThat(everythingInRedis()).doesNotContain("xxxxxxxx");
    }

    /** A lane of one's own, read by a route that calls the webhook. */
    private void laneOfOnesOwn(String table, String parameters, String steps) throws IOException {
        Files.writeString(routes.resolve(table + ".camel.yaml"), """
                - route:
                    id: %1$s
                    description: Hands over to a lane of its own
                    routeConfigurationId: router
                    from:
                      uri: direct:%1$s
                      steps:
                %3$s
                        - to: { uri: lanes:own }
                - route:
                    id: own
                    description: Calls the webhook
                    routeConfigurationId: lane
                    from:
                      uri: lanes:own
                %2$s
                      steps:
                        - to: { uri: hook:marketplace }
                """.formatted(
                        table,
                        parameters.isEmpty() ? "" : "      parameters: { " + parameters + " }",
                        steps.isEmpty() ? "" : "        - " + steps));
    }

    @Test
    void a_change_that_its_route_made_text_of_is_hidden_in_all_the_same() throws Exception {
        redact("people", "email", "mask");
        laneOfOnesOwn("people", "", "convertBodyTo: { type: String }");
        rig.startReady();
        rig.db.execute("INSERT INTO people VALUES ('p', '" + RAW + "@x', 'note', 'b')");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() == 1);
        assertThat(hooks()).contains("\"email\":\"***\"", "note").doesNotContain(RAW);
        assertThat(rig.count("dead_letters")).isZero();
    }

    @Test
    void another_body_made_of_a_change_with_hidden_columns_goes_to_the_dead_letters_and_to_no_sink() throws Exception {
        redact("people", "email", "mask");
        laneOfOnesOwn("people", "", "setBody: { simple: '{\"mail\":\"${body.new[email]}\"}' }");
        rig.startReady();
        rig.db.execute(
                "INSERT INTO people VALUES ('p', '" + RAW + "@x', 'note', 'b')",
                "INSERT INTO listings(id, status) VALUES (1, 'active')");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() == 1); // that of the listing
        await().atMost(SOON).until(() -> rig.deadLetters("router").size() == 1);
        assertThat(hooks()).doesNotContain(RAW);
        assertThat(rig.management("/api/dead-letters?sink=router").body())
                .contains("\"dead\"", "lanes:own got a body of type String", "public.people", "ownBody: true")
                .doesNotContain(RAW);
    }

    @Test
    void a_lane_that_says_that_its_own_body_may_leave_gets_it() throws Exception {
        redact("people", "email", "mask");
        laneOfOnesOwn("people", "ownBody: true", "setBody: { simple: 'own text' }");
        Path file = routes.resolve("people.camel.yaml");
        Files.writeString(
                file, Files.readString(file).replace("hook:marketplace", rig.receiver.url() + "&httpMethod=POST"));
        rig.startReady();
        rig.db.execute("INSERT INTO people VALUES ('p', '" + RAW + "@x', 'note', 'b')");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() == 1);
        assertThat(hooks()).isEqualTo("own text");
    }

    /** What a route tells clients beside the row. */
    public static final class ContextOfPeople {
        public Map<String, Object> of(ChangeEvent event) {
            Object email = event.newRow().get("email");
            return Map.of("email", email, "text", "is " + email);
        }
    }

    @Test
    void a_header_that_its_route_made_of_a_hidden_column_leaves_hidden() throws Exception {
        redact("people", "email", "hash");
        Files.writeString(routes.resolve("people.camel.yaml"), """
                - route:
                    id: people
                    description: Tells clients of people
                    routeConfigurationId: router
                    from:
                      uri: direct:people
                      steps:
                        - setHeader: { name: topic, constant: people.seen }
                        - setHeader: { name: context, method: { beanType: "%s", method: of } }
                        - to: { uri: lanes:notify }
                """.formatted(ContextOfPeople.class.getName()));
        rig.startReady();
        var client = rig.subscribe("people.seen", "{}");
        rig.db.execute("INSERT INTO people VALUES ('p', '" + RAW + "@x', 'note', 'b')");
        await().atMost(SOON).until(() -> client.ofType("event").size() == 1);
        JsonNode context = client.ofType("event").get(0).path("context");
        assertThat(context.path("email").asText()).isEqualTo(hmac(RAW + "@x"));
        assertThat(context.path("text").asText()).isEqualTo("is ***");
        assertThat(client.frames.toString()).doesNotContain(RAW);
    }

    @Test
    void a_change_that_is_too_long_for_a_lane_of_ones_own_is_dead_under_its_name_and_others_go_on() throws Exception {
        rig.environment.put("WALROUTE_MAX_EVENT_BYTES", "4KB");
        laneOfOnesOwn("people", "", "");
        rig.startReady();
        rig.db.execute(
                "INSERT INTO people VALUES ('p', 'e', '" + "x".repeat(5_000) + "', 'b')",
                "UPDATE people SET note = 'short' WHERE id = 'p'",
                "INSERT INTO people VALUES ('q', 'e', 'short', 'b')");
        await().atMost(SOON).until(() -> rig.receiver.requests().size() == 2);
        assertThat(hooks()).doesNotContain("xxxxxxxx");
        assertThat(rig.management("/api/dead-letters?sink=own").body())
                .contains("walroute.max-event-bytes allows 4,096", "\"dead\"");
        String position = rig.walPosition();
        rig.db.execute("INSERT INTO people VALUES ('r', 'e', 'short', 'b')");
        await().atMost(SOON).until(() -> rig.slotHasConfirmed(position));
    }

    @Test
    void a_rule_for_a_column_that_there_is_not_stops_the_start_and_says_what_was_meant() {
        redact("people", "emial", "mask");
        redact("people", "nte", "keep, cache:drop");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("walroute.tables.people.redact.emial hides nothing")
                .hasMessageContaining("Did you mean email?")
                .hasMessageContaining("Did you mean note?");
        assertThat(rig.cli.run("doctor", "--json")).isEqualTo(1);
        assertThat(rig.cli.out()).contains("walroute.tables.people.redact.emial hides nothing", "did you mean email?");
    }

    @Test
    void a_rule_for_a_partition_whose_changes_are_sent_as_its_tables_stops_the_start() {
        rig.db.execute(
                "CREATE TABLE parts(id int, name text) PARTITION BY RANGE (id)",
                "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (9)");
        redact("parts_1", "name", "mask");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("under the name parts_1, only as parts");
    }

    @Test
    void rules_for_a_table_that_was_dropped_let_the_service_start_and_doctor_says_so() throws Exception {
        redact("poeple", "email", "mask");
        rig.environment.put("WALROUTE_TABLES_PEOPLE_COLUMNS", "id, emial; hook: id");
        rig.startReady();
        assertThat(rig.cli.run("doctor", "--json")).isEqualTo(1);
        assertThat(rig.cli.out())
                .contains("the database has no table poeple", "did you mean people?")
                .contains("walroute.tables.people.columns lets nothing out as emial", "did you mean email?");
    }

    @Test
    void a_rule_for_a_column_that_there_is_not_is_found_before_the_first_change_if_the_database_was_away()
            throws Exception {
        redact("people", "emial", "mask");
        try (var proxy = new FaultProxy(rig.db.port())) {
            rig.environment.put(
                    "DATABASE_URL",
                    rig.environment.get("DATABASE_URL").replaceFirst("@[^/]+/", "@127.0.0.1:" + proxy.port() + "/"));
            proxy.cut();
            rig.start();
            rig.db.execute("INSERT INTO people VALUES ('p', '" + RAW + "', 'n', 'b')");
            proxy.heal();
            await().atMost(SOON)
                    .untilAsserted(() ->
                            assertThat(rig.management("/observe/health").body()).contains("Did you mean email?"));
            assertThat(rig.service().health().report().isReady()).isFalse();
            rig.stop();
            assertThat(rig.count("audit_log")).isZero();
            assertThat(everythingInRedis()).doesNotContain(RAW);
        }
    }

    @Test
    void a_rule_for_a_lane_that_sees_all_columns_stops_the_start() {
        redact("people", "email", "keep, write-backs:drop");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("write-backs");
    }

    @Test
    void a_rule_for_a_sink_that_there_is_not_stops_the_start() {
        redact("people", "email", "keep, hok:drop");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("hok")
                .hasMessageContaining("cache");
    }
}
