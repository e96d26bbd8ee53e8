package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.settings.SettingsException;
import io.walroute.testing.Receiver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
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

    @Test
    void a_rule_for_a_sink_that_there_is_not_stops_the_start() {
        redact("people", "email", "keep, hok:drop");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("hok")
                .hasMessageContaining("cache");
    }
}
