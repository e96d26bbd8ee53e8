package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** The service as its user runs it: a process that is stopped, killed and started again. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ProcessTest {
    private ServiceRig rig;

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private Process run(Path log) throws Exception {
        return rig.process(log, "run");
    }

    private void awaitReady(Process process) {
        await().atMost(Duration.ofSeconds(40)).until(() -> {
            assertThat(process.isAlive()).isTrue();
            try {
                return rig.management("/observe/health/ready").statusCode() == 200;
            } catch (java.io.IOException notYet) {
                return false;
            }
        });
    }

    @Test
    void on_sigterm_it_drains_ends_with_code_0_and_the_next_start_repeats_nothing() throws Exception {
        rig = new ServiceRig();
        Process first = run(rig.folder.resolve("first.log"));
        awaitReady(first);
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(1, 2000) g");
        await().until(() -> !rig.receiver.requests().isEmpty()); // in the middle of it
        first.destroy();
        assertThat(first.waitFor(10, TimeUnit.SECONDS)).as("ends within 10 s").isTrue();
        assertThat(first.exitValue()).isZero();
        assertThat(rig.db.query("SELECT active FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'"))
                .isEqualTo("f");

        rig.environment.put("WALROUTE_LOG_FORMAT", "json");
        Path log = rig.folder.resolve("second.log");
        Process second = run(log);
        awaitReady(second);
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.receiver.requests().stream()
                                .map(r -> r.header("webhook-id"))
                                .distinct()
                                .count()
                        == 2000);
        assertThat(rig.receiver.requests())
                .extracting(r -> r.header("webhook-id"))
                .as(
                        "nothing is sent twice; the first process said: %s",
                        Files.readString(rig.folder.resolve("first.log")))
                .doesNotHaveDuplicates();
        assertThat(Files.readAllLines(log))
                .isNotEmpty()
                .allSatisfy(line -> assertThat(ServiceRig.JSON.readTree(line).isObject())
                        .as(line)
                        .isTrue());
    }

    @Test
    void after_a_kill_nothing_is_missing_and_the_audit_log_holds_each_change_once() throws Exception {
        rig = new ServiceRig();
        Process first = run(rig.folder.resolve("first.log"));
        awaitReady(first);
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, g FROM generate_series(1, 2000) g");
        await().until(() -> rig.receiver.requests().size() > 20);
        first.destroyForcibly().waitFor();
        Process second = run(rig.folder.resolve("second.log"));
        awaitReady(second);
        await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
            assertThat(rig.count("audit_log")).isEqualTo(2000);
            assertThat(rig.receiver.requests().stream()
                            .map(r -> r.header("webhook-id"))
                            .distinct())
                    .hasSize(2000);
        });
        try (var redis = rig.redis()) {
            await().until(() -> redis.sync().keys("listings:*").size() == 2000);
        }
    }

    @Test
    void a_second_process_stands_by_and_takes_over_when_the_first_is_killed() throws Exception {
        rig = new ServiceRig();
        Process first = run(rig.folder.resolve("first.log"));
        awaitReady(first);
        rig.environment.put("MANAGEMENT_PORT", "off");
        Path log = rig.folder.resolve("second.log");
        Process second = run(log);
        await().atMost(Duration.ofSeconds(30)).until(() -> Files.readString(log).contains("Standing by"));
        assertThat(Files.readString(log)).contains("in use by process");
        first.destroyForcibly().waitFor();
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (1, 1)");
        try (var redis = rig.redis()) {
            await().atMost(Duration.ofSeconds(20)).until(() -> redis.sync().get("listings:1") != null);
        }
        second.destroy();
        assertThat(second.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(second.exitValue()).isZero();
    }
}
