package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.admin.Health;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Receiver;
import io.walroute.testing.Redis;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** One sink fails in one way: what happens to its own share, and that nobody else notices. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class SinkFaultTest {
    /** Alone it takes some milliseconds; a share of a busy machine is allowed for, a redelivery's pauses (4 s) are not. */
    private static final Duration PROMPT = Duration.ofSeconds(3);

    private static final Duration LONG = Duration.ofSeconds(60);

    private ServiceRig rig;
    private FaultProxy proxy;

    @AfterEach
    void close() throws Exception {
        rig.close();
        if (proxy != null) {
            proxy.close();
        }
    }

    private void insert(long id) {
        rig.db.execute("INSERT INTO listings(id, seller_address, price_wei) VALUES (" + id + ", '0xa', 1)");
    }

    private boolean isCached(long id) {
        try (var redis = rig.redis()) {
            return redis.sync().get("listings:" + id) != null;
        }
    }

    private Health.Check health(String part) {
        return rig.service().health().report().checks().stream()
                .filter(check -> check.name().equals(part))
                .findFirst()
                .orElseThrow();
    }

    private long parked(String sink) {
        return rig.deadLetters(sink).size();
    }

    private static boolean hasFrame(ServiceRig.Client client, long id) {
        return client.ofType("event").stream()
                .map(frame -> frame.at("/event/key/id"))
                .anyMatch(key -> key.asLong() == id);
    }

    /** Commits a change a time and waits until it has arrived; how long each took. */
    private List<Duration> latencies(long from, java.util.function.LongPredicate arrived) {
        List<Duration> took = new ArrayList<>();
        for (long id = from; id < from + 20; id++) {
            long each = id;
            long start = System.nanoTime();
            insert(each);
            await("change " + each)
                    .atMost(LONG)
                    .pollInterval(Duration.ofMillis(5))
                    .pollDelay(Duration.ZERO)
                    .until(() -> arrived.test(each));
            took.add(Duration.ofNanos(System.nanoTime() - start));
        }
        System.out.println("arrived after "
                + took.stream().sorted().map(Duration::toMillis).toList() + " ms");
        return took;
    }

    private void isPrompt(List<Duration> took) {
        assertThat(took.stream().sorted().skip(took.size() / 2).findFirst().orElseThrow())
                .as("median of %s", took)
                .isLessThan(PROMPT);
    }

    @Test
    void while_a_webhook_is_redelivered_the_other_sinks_are_as_prompt_as_ever() throws Exception {
        rig = new ServiceRig();
        // One change in three, so that the circuit stays closed and every change is tried again and again.
        rig.receiver.otherwise(request -> Receiver.Answer.status(request.text().hashCode() % 3 == 0 ? 204 : 500));
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_CIRCUIT_WAIT", "1ms");
        rig.startReady();
        ServiceRig.Client client = rig.subscribe("listings.created", "{}");
        rig.db.execute("INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(1000, 1500) g");
        await().until(() -> !rig.receiver.requests().isEmpty());

        isPrompt(latencies(1, id -> isCached(id) && hasFrame(client, id)));
        assertThat(rig.receiver.requests().stream()
                        .map(request -> request.header("webhook-id"))
                        .distinct()
                        .count())
                .as("redelivery was under way")
                .isLessThan(rig.receiver.requests().size());
        client.close();
        String position = rig.walPosition();
        insert(2000);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
    }

    @Test
    void while_redis_answers_nothing_the_other_sinks_are_as_prompt_as_ever_and_once_it_is_back_it_has_all()
            throws Exception {
        rig = new ServiceRig();
        proxy = new FaultProxy(rig.redis.port());
        rig.environment.put("REDIS_URL", "redis://127.0.0.1:" + proxy.port());
        rig.startReady();
        ServiceRig.Client client = rig.subscribe("listings.created", "{}");
        insert(1000);
        await().atMost(LONG).until(() -> isCached(1000));
        proxy.blackHole();

        isPrompt(latencies(
                1,
                id -> hasFrame(client, id)
                        && rig.receiver.requests().stream()
                                .anyMatch(request -> request.text().contains("\"key\":{\"id\":" + id + "}"))));
        client.close();
        String position = rig.walPosition();
        insert(2000);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
        assertThat(parked("cache")).isPositive();
        assertThat(health("cache").status()).isEqualTo(Health.Status.DEGRADED);
        assertThat(rig.service().health().report().isReady()).isTrue();

        proxy.heal();
        await().atMost(LONG).until(() -> parked("cache") == 0);
        assertThat(LongStream.rangeClosed(1, 20)).allMatch(this::isCached);
        await().atMost(LONG).until(() -> health("cache").status() == Health.Status.UP);
    }

    @Test
    void a_key_of_another_type_parks_its_own_changes_only_and_at_once() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        try (var redis = rig.redis()) {
            redis.sync().lpush("listings:1", "theirs");
        }
        insert(1);
        await().atMost(LONG).until(() -> parked("cache") == 1);
        assertThat(letters("attempts = 1")).as("tried once").isEqualTo(1);
        for (long id = 2; id < 40; id++) {
            insert(id);
        }
        rig.db.execute("UPDATE listings SET price_wei = 2 WHERE id = 1");
        await().atMost(LONG).until(() -> isCached(39) && parked("cache") == 2);
        assertThat(health("cache").status()).isEqualTo(Health.Status.UP);
        assertThat(rig.service()
                        .meters()
                        .get("walroute.circuit.opened")
                        .tag("endpoint", "row-cache")
                        .counter()
                        .count())
                .isZero();

        try (var redis = rig.redis()) {
            redis.sync().del("listings:1");
        }
        await().atMost(LONG).until(() -> parked("cache") == 0);
        try (var redis = rig.redis()) {
            assertThat(redis.sync().get("listings:1")).contains("\"price_wei\":\"2\"");
        }
    }

    @Test
    void a_full_redis_opens_the_circuit_says_so_and_gets_everything_when_it_has_room() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        try (var redis = rig.redis()) {
            redis.sync().configSet("maxmemory", "1");
        }
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(1, 300) g");
        String position = rig.walPosition();
        insert(301);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
        await().atMost(LONG).until(() -> parked("cache") == 301);
        assertThat(letters("attempts = 0")).as("parked without an attempt").isPositive();
        assertThat(health("cache").status()).isEqualTo(Health.Status.DEGRADED);
        assertThat(health("cache").message()).contains("OOM");
        assertThat(rig.service()
                        .meters()
                        .get("walroute.circuit.refused")
                        .tag("endpoint", "row-cache")
                        .counter()
                        .count())
                .isPositive();
        try (var redis = rig.redis()) {
            redis.sync().configSet("maxmemory", "0");
        }
        await().atMost(LONG).until(() -> parked("cache") == 0);
        assertThat(LongStream.rangeClosed(1, 301)).allMatch(this::isCached);
        await().atMost(LONG).until(() -> health("cache").status() == Health.Status.UP);
    }

    @Test
    void a_redis_that_comes_back_empty_is_noticed_and_said() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        insert(1);
        await().atMost(LONG).until(() -> isCached(1));
        int port = rig.redis.port();
        rig.redis.close();
        rig.redis = Redis.start(port);
        await().atMost(LONG).until(() -> health("cache").message().contains("it was emptied or is new"));
        assertThat(health("cache").details()).containsEntry("backfill", "needed");
        assertThat(rig.management("/observe/health").body()).contains("walroute backfill");
        insert(2);
        await().atMost(LONG).until(() -> isCached(2));
        assertThat(isCached(1)).isFalse();
    }

    @Test
    void while_the_audit_log_can_not_be_written_nothing_settles_and_afterwards_each_change_is_there_once()
            throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        insert(1);
        await().atMost(LONG).until(() -> isCached(1));
        String before;
        try (Connection other = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var statement = other.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            before = rig.walPosition();
            rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(2, 500) g");
            String after = rig.walPosition();
            await().atMost(LONG).until(() -> health("audit").status() == Health.Status.DOWN);
            assertThat(health("audit").message()).contains("another process has held its lock", "fuser");
            assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(503);
            assertThat(rig.slotHasConfirmed(after)).isFalse();
            statement.execute("COMMIT");
        }
        String position = rig.walPosition();
        insert(501);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
        await().atMost(LONG).until(() -> rig.service().health().report().isReady());
        List<Long> ids = rig.audit().stream()
                .map((JsonNode event) -> event.at("/key/id").asLong())
                .toList();
        await().atMost(LONG).until(() -> isCached(501));
        assertThat(ids).startsWith(LongStream.rangeClosed(1, 500).boxed().toArray(Long[]::new));
        assertThat(ids).doesNotHaveDuplicates();
        assertThat(before).isNotNull();
    }

    @Test
    void a_notification_that_the_frame_log_refuses_is_parked_and_the_other_sinks_have_the_change() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        ServiceRig.Client client = rig.subscribe("listings.created", "{}");
        execute("CREATE TRIGGER refuse BEFORE INSERT ON frames WHEN NEW.frame LIKE '%poison%'"
                + " BEGIN SELECT RAISE(ABORT, 'not this one'); END");
        rig.db.execute("INSERT INTO listings(id, ens_name) VALUES (1, 'poison')");
        insert(2);
        await().atMost(LONG).until(() -> parked("notify") == 1 && isCached(1) && hasFrame(client, 2));
        assertThat(hasFrame(client, 1)).isFalse();
        String position = rig.walPosition();
        insert(3);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
        execute("DROP TRIGGER refuse");
        await().atMost(LONG).until(() -> parked("notify") == 0 && hasFrame(client, 1));
        client.close();
    }

    @Test
    void whatever_a_receiver_answers_each_change_is_delivered_or_parked_with_its_cause() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_TIMEOUT", "500ms");
        // Lets some of the seven that fail come to their next attempt.
        rig.environment.put("WALROUTE_HOOK_MARKETPLACE_CIRCUIT_WAIT", "1ms");
        // By the standard schedule one that fails a second time, before the receiver is mended, waits for five minutes.
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "2s,".repeat(60) + "2s");
        int[] taken = {200, 201, 202, 204, 299};
        int[] refused = {302, 307, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 997, 998, 999};
        rig.receiver.otherwise(request -> {
            int status = Integer.parseInt(request.text().replaceAll("(?s).*\"key\":\\{\"id\":(\\d+)\\}.*", "$1"));
            return switch (status) {
                case 997 -> Receiver.Answer.cut();
                case 998 -> Receiver.Answer.never();
                case 999 -> Receiver.Answer.status(500).body("x").in(Receiver.Answer.Manner.CUT_IN_BODY);
                default -> Receiver.Answer.status(status);
            };
        });
        rig.startReady();
        for (int id : taken) {
            insert(id);
        }
        for (int id : refused) {
            insert(id);
        }
        String position = rig.walPosition();
        insert(203);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(position));
        await().atMost(LONG).until(() -> parked("hook") == refused.length);
        assertThat(rig.deadLetters("hook"))
                .extracting(event -> event.at("/key/id").asInt())
                .containsExactlyInAnyOrder(
                        java.util.Arrays.stream(refused).boxed().toArray(Integer[]::new));
        assertThat(letters("cause LIKE '%hook:marketplace%'")).isEqualTo(refused.length);

        rig.receiver.otherwise(Receiver.Answer.status(204));
        await().atMost(LONG).until(() -> parked("hook") == 0);
    }

    private long letters(String where) {
        return rig.count("dead_letters WHERE " + where);
    }

    private void execute(String sql) throws Exception {
        try (Connection other = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var statement = other.createStatement()) {
            statement.execute(sql);
        }
    }
}
