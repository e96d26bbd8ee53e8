package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.hook.WebhookSignature;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import io.walroute.testing.Receiver.Request;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Webhooks and invalidations through the whole service: lanes, retries, dead letters, commands. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class WebhookServiceTest {
    private static final Duration LONG = Duration.ofSeconds(90);

    private final Receiver api = Receiver.start();
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "300ms,...");
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        api.close();
    }

    private void insert(long id) {
        rig.db.execute("INSERT INTO listings(id, seller_address, price_wei) VALUES (" + id + ", '0xa', 1)");
    }

    private void withInvalidation() {
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_URL", api.url().toString());
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_SECRET", ServiceRig.SECRET);
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_ALLOW_NETWORKS", "127.0.0.0/8");
    }

    private static boolean signed(Request request) {
        return WebhookSignature.verify(
                List.of(ServiceRig.SECRET), request.headers(), request.body(), Duration.ofMinutes(5), Instant.now());
    }

    private static JsonNode json(Request request) {
        try {
            return ServiceRig.JSON.readTree(request.body());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void an_api_hears_of_every_changed_row_and_many_changes_of_a_row_are_few_lines() {
        withInvalidation();
        rig.startReady();
        for (long id = 1; id <= 20; id++) {
            insert(id);
        }
        rig.db.execute("UPDATE offers SET status = 'gone'", "INSERT INTO offers(id, listing_id) VALUES (9, 1)");
        // Apart from each other, so that they are changes of their own: a hot row among others.
        rig.db.execute("DO $$ BEGIN FOR i IN 1..1000 LOOP"
                + " UPDATE listings SET price_wei = i WHERE id = 1 + i % 20; END LOOP; END $$");
        await().atMost(LONG).until(() -> rig.delivered("invalidation") >= 1021);

        var keys = new TreeSet<String>();
        int lines = 0;
        for (Request request : api.requests()) {
            assertThat(signed(request)).isTrue();
            assertThat(request.text()).doesNotContain("price_wei", "seller_address", "0xa");
            List<String> named = json(request).at("/data/keys").findValuesAsText("cache_key");
            assertThat(named).as("each once").doesNotHaveDuplicates();
            keys.addAll(named);
            lines += named.size();
        }
        var expected = new TreeSet<String>();
        LongStream.rangeClosed(1, 20).forEach(id -> expected.add("listings:" + id));
        expected.add("offers:9");
        assertThat(keys).isEqualTo(expected);
        System.out.println(
                "1,021 changes became " + lines + " lines in " + api.requests().size() + " requests");
        assertThat(lines).as("lines for 1,021 changes").isLessThan(500);
        assertThat(rig.receiver.requests()).as("the partner gets whole changes").isNotEmpty();
    }

    @Test
    void an_api_that_was_away_hears_of_what_changed_meanwhile() {
        withInvalidation();
        rig.environment.put("WALROUTE_REDRIVE_INVALIDATION_SCHEDULE", "300ms,...");
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_CIRCUIT_WAIT", "200ms");
        api.otherwise(Answer.status(503));
        rig.startReady();
        LongStream.rangeClosed(1, 30).forEach(this::insert);
        await().atMost(LONG).until(() -> rig.deadLetters("invalidation").size() == 30);

        var named = Collections.synchronizedSet(new TreeSet<String>());
        api.otherwise(request -> {
            named.addAll(json(request).at("/data/keys").findValuesAsText("cache_key"));
            return Answer.status(204);
        });
        await().atMost(LONG)
                .until(() ->
                        named.size() == 30 && rig.deadLetters("invalidation").isEmpty());
    }

    @Test
    void a_receiver_that_is_gone_gets_nothing_until_an_operator_says_so_and_then_everything() throws Exception {
        rig.receiver.otherwise(Answer.status(410).body("moved out"));
        rig.startReady();
        insert(1);
        await().atMost(LONG).until(() -> rig.deadLetters("hook").size() == 1);
        LongStream.rangeClosed(2, 5).forEach(this::insert);
        await().atMost(LONG).until(() -> rig.deadLetters("hook").size() == 5);

        assertThat(rig.receiver.requests()).hasSize(1);
        var health = rig.management("/observe/health");
        assertThat(health.statusCode()).isEqualTo(200);
        assertThat(health.body()).contains("DEGRADED", "hook:marketplace is disabled: its receiver answered 410 Gone");
        assertThat(rig.management("/observe/metrics").body())
                .contains("walroute_hook_disabled{endpoint=\"marketplace\"} 1.0");
        rig.cli.run("status", "--json");
        JsonNode sinks = ServiceRig.JSON.readTree(rig.cli.out()).at("/service/sinks");
        assertThat(sinks.toString()).contains("410 Gone");

        assertThat(rig.cli.run("resume", "hook:nobody")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("Receivers in use: marketplace").hasLineCount(1);
        rig.receiver.otherwise(Answer.status(204));
        assertThat(rig.cli.run("resume", "hook:marketplace")).isZero();
        assertThat(rig.cli.out())
                .startsWith("hook:marketplace is tried again. It had got nothing: hook:marketplace is disabled");
        await().atMost(LONG).until(() -> rig.deadLetters("hook").isEmpty());
        assertThat(rig.receiver.requests()).hasSizeGreaterThanOrEqualTo(6).allMatch(WebhookServiceTest::signed);
        assertThat(rig.cli.run("resume", "hook:marketplace")).isZero();
        assertThat(rig.cli.out()).startsWith("Nothing was in the way of hook:marketplace.");
    }

    @Test
    void a_dead_letter_shows_each_attempt_with_its_time_and_what_was_answered() throws Exception {
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "1h");
        rig.receiver.answer(
                Answer.status(500).body("first"),
                Answer.cut(),
                Answer.status(503).body("token=topsecret"),
                Answer.status(502).body("fourth"),
                Answer.status(422).body("price is\nmissing"));
        rig.startReady();
        insert(1);
        await().atMost(LONG).until(() -> rig.deadLetters("hook").size() == 1);

        String id = ServiceRig.JSON
                .readTree(rig.management("/api/dead-letters").body())
                .get(0)
                .get("id")
                .asText();
        assertThat(rig.cli.run("dead-letters", "show", id)).isZero();
        String time = "20[-0-9]{8} [:0-9]{8}Z  ";
        assertThat(rig.cli.out())
                .containsPattern("attempts +5\n")
                .containsPattern("last attempts  " + time + "answered 500: first\n {15}" + time
                        + "hook:marketplace got no answer: [^\n]*\n {15}" + time
                        + "answered 503: token=\\*\\*\\*\n {15}" + time + "answered 502: fourth\n {15}" + time
                        + "answered 422: price is missing\n");
        JsonNode attempts = ServiceRig.JSON
                .readTree(rig.management("/api/dead-letters/" + id).body())
                .get("attempt_log");
        assertThat(attempts).hasSize(5);
        assertThat(attempts.get(4).get("status").asInt()).isEqualTo(422);
        assertThat(Instant.parse(attempts.get(0).get("at").asText()))
                .isBefore(Instant.parse(attempts.get(4).get("at").asText()));
    }

    @Test
    void whatever_a_receiver_of_batches_does_each_row_arrives_in_order_and_whole() {
        long seed = Long.getLong("walroute.seed", System.nanoTime());
        System.out.println("WebhookServiceTest seed " + seed);
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_BATCH_SIZE", "7");
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_BATCH_DELAY", "20ms");
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_CIRCUIT_WAIT", "100ms");
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_TIMEOUT", "1s");
        Map<Long, List<Long>> prices = Collections.synchronizedMap(new TreeMap<>());
        var random = new Random(seed);
        rig.receiver.otherwise(request -> answer(random.nextInt(100), request, prices));
        rig.startReady();
        int changes = 400;
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 0 FROM generate_series(0, 7) g");
        for (int i = 1; i <= changes; i += 10) {
            rig.db.execute("DO $$ BEGIN FOR i IN " + i + ".." + (i + 9)
                    + " LOOP UPDATE listings SET price_wei = i WHERE id = i % 8; END LOOP; END $$");
        }
        await().atMost(LONG)
                .until(() -> prices.values().stream().mapToInt(List::size).sum() > changes / 4);
        rig.receiver.otherwise(request -> answer(0, request, prices));

        await().atMost(LONG)
                .until(() -> rig.deadLetters("hook").isEmpty()
                        && prices.values().stream()
                                        .mapToLong(of -> of.stream().distinct().count())
                                        .sum()
                                == changes + 8);
        prices.forEach((id, of) -> assertThat(new ArrayList<>(of))
                .as("prices of listing %d, seed %d", id, seed)
                .isSorted());
        assertIdsStandForTheSameChanges();
    }

    private void assertIdsStandForTheSameChanges() {
        Map<String, List<String>> changes = new TreeMap<>();
        for (Request request : rig.receiver.requests()) {
            assertThat(signed(request)).isTrue();
            List<String> ids = new ArrayList<>();
            json(request).forEach(change -> ids.add(change.at("/data/id").asText()));
            String webhookId = request.header("webhook-id");
            assertThat(changes.getOrDefault(webhookId, ids)).isEqualTo(ids);
            changes.put(webhookId, ids);
            if (ids.size() == 1) {
                assertThat(webhookId).isEqualTo(ids.get(0));
            }
        }
    }

    /** Up to 60 it takes the request, and notes what it took. */
    private static Answer answer(int chance, Request request, Map<Long, List<Long>> prices) {
        if (chance < 60) {
            for (JsonNode change : json(request)) {
                prices.computeIfAbsent(change.at("/data/new/id").asLong(), id -> new CopyOnWriteArrayList<>())
                        .add(change.at("/data/new/price_wei").asLong());
            }
            return Answer.status(200);
        }
        return chance < 70
                ? Answer.status(503)
                : chance < 75
                        ? Answer.status(429).with("Retry-After", "0")
                        : chance < 77
                                ? Answer.status(503).with("Retry-After", "1")
                                : chance < 85 ? Answer.status(400) : chance < 95 ? Answer.cut() : Answer.status(302);
    }
}
