package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.FaultProxy;
import io.walroute.testing.Receiver.Answer;
import io.walroute.testing.Receiver.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A service that is told to stop while something that it needs hangs, and what the next one finds. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class StopTest {
    private final List<Process> processes = new ArrayList<>();
    private ServiceRig rig;
    private FaultProxy proxy;

    @AfterEach
    void close() throws Exception {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
        if (proxy != null) {
            proxy.close();
        }
        await().atMost(Duration.ofSeconds(30)).until(() -> !slotIsActive());
        rig.close();
    }

    @Test
    void a_receiver_that_never_answers_costs_a_stop_ten_seconds_at_most_and_nothing_else_is_repeated()
            throws Exception {
        rig = new ServiceRig();
        // The first 100 are answered, no other ever.
        rig.receiver.otherwise(request -> rig.receiver.requests().size() <= 100 ? Answer.status(204) : Answer.never());
        Process first = run("first");
        awaitReady(first);
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(1, 300) g");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.receiver.requests().size() > 100);
        await().atMost(Duration.ofSeconds(30)).until(() -> rig.count("audit_log") == 300);
        int sent = rig.receiver.requests().size();
        first.destroy();
        first.destroy(); // impatience changes nothing
        kill("-INT", first);
        assertEndsCleanly(first, "first");
        Set<String> unanswered = webhookIds(
                rig.receiver.requests().subList(100, rig.receiver.requests().size()));

        rig.receiver.otherwise(Answer.status(204));
        List<Request> before = List.copyOf(rig.receiver.requests());
        Process second = run("second");
        awaitReady(second);
        await().atMost(Duration.ofSeconds(90))
                .until(() -> webhookIds(rig.receiver.requests()).size() == 300);
        List<Request> after = rig.receiver
                .requests()
                .subList(before.size(), rig.receiver.requests().size());
        System.out.printf("sent before the stop %d, at its end %d, after %d%n", sent, before.size(), after.size());
        assertThat(webhookIds(after))
                .as("only what was never answered is sent again")
                .doesNotContainAnyElementsOf(webhookIds(before.subList(0, 100)));
        assertThat(after).extracting(r -> r.header("webhook-id")).doesNotHaveDuplicates();
        assertThat(unanswered).isNotEmpty();
        assertThat(rig.count("audit_log")).isEqualTo(300);
    }

    @Test
    void a_black_holed_redis_costs_a_stop_ten_seconds_at_most_and_the_cache_is_complete_afterwards() throws Exception {
        rig = new ServiceRig();
        proxy = new FaultProxy(rig.redis.port());
        rig.environment.put("REDIS_URL", "redis://127.0.0.1:" + proxy.port());
        Process first = run("first");
        awaitReady(first);
        proxy.blackHole();
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(1, 200) g");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> webhookIds(rig.receiver.requests()).size() == 200);
        first.destroy();
        assertEndsCleanly(first, "first");

        proxy.heal();
        Process second = run("second");
        awaitReady(second);
        awaitCacheEqualsTable();
        assertThat(rig.receiver.requests())
                .extracting(r -> r.header("webhook-id"))
                .as("what another sink has taken isn't repeated")
                .doesNotHaveDuplicates();
    }

    @Test
    void a_black_holed_database_costs_a_stop_ten_seconds_at_most() throws Exception {
        rig = new ServiceRig();
        proxy = new FaultProxy(rig.db.port());
        rig.environment.computeIfPresent(
                "DATABASE_URL", (key, url) -> url.replace(":" + rig.db.port() + "/", ":" + proxy.port() + "/"));
        rig.environment.put("WAL_SENDER_TIMEOUT", "3000");
        Process first = run("first");
        awaitReady(first);
        proxy.blackHole();
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.management("/observe/health/ready").statusCode() == 503);
        first.destroy();
        assertEnds(first, "first");
    }

    // ---------------------------------------------------------------- processes

    private Process run(String name) throws Exception {
        Process process = rig.process(log(name), "run");
        processes.add(process);
        return process;
    }

    private Path log(String name) {
        return rig.folder.resolve(name + ".log");
    }

    private void awaitReady(Process process) {
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            assertThat(process.isAlive()).isTrue();
            try {
                return rig.management("/observe/health/ready").statusCode() == 200;
            } catch (IOException notYet) {
                return false;
            }
        });
    }

    private static void kill(String signal, Process process) throws Exception {
        new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
    }

    private void assertEnds(Process process, String name) throws Exception {
        long began = System.nanoTime();
        boolean ended = process.waitFor(30, TimeUnit.SECONDS);
        long millis = (System.nanoTime() - began) / 1_000_000;
        String said = Files.readString(log(name));
        System.out.printf("%s ended after %,d ms and said:%n%s%n", name, millis, said);
        assertThat(ended).as(said).isTrue();
        assertThat(millis).as("ends within 10 s; it said: %s", said).isLessThan(10_000);
        assertThat(process.exitValue()).as(said).isZero();
    }

    private void assertEndsCleanly(Process process, String name) throws Exception {
        assertEnds(process, name);
        assertThat(slotIsActive()).isFalse();
    }

    private boolean slotIsActive() {
        return "t".equals(rig.db.query("SELECT active FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'"));
    }

    // ---------------------------------------------------------------- what arrived

    private static Set<String> webhookIds(List<Request> requests) {
        return requests.stream().map(r -> r.header("webhook-id")).collect(Collectors.toSet());
    }

    private void awaitCacheEqualsTable() throws Exception {
        try (var redis = rig.redis();
                var connection = rig.db.connect()) {
            await().atMost(Duration.ofSeconds(90)).untilAsserted(() -> {
                List<String> rows = new ArrayList<>();
                try (var statement = connection.createStatement();
                        var found = statement.executeQuery("SELECT id, price_wei FROM listings ORDER BY id")) {
                    while (found.next()) {
                        rows.add(found.getString(1) + "=" + found.getString(2));
                    }
                }
                List<String> cached = new ArrayList<>();
                for (String key : redis.sync().keys("listings:*")) {
                    var row = ServiceRig.JSON.readTree(redis.sync().get(key));
                    cached.add(
                            row.at("/id").asText() + "=" + row.at("/price_wei").asText());
                }
                assertThat(cached).containsExactlyInAnyOrderElementsOf(rows);
            });
        }
    }
}
