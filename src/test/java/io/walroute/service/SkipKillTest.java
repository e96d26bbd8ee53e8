package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kill -9} between the record of a skip and the passing of the transaction. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class SkipKillTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final int ROWS = 3_000;

    @TempDir
    Path routes;

    private ServiceRig rig;

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private Process run(String log) throws Exception {
        return rig.process(rig.folder.resolve(log), "run");
    }

    private void awaitReady(Process process) {
        await().atMost(LONG).until(() -> {
            assertThat(process.isAlive()).isTrue();
            try {
                return rig.management("/observe/health/ready").statusCode() == 200;
            } catch (IOException notYet) {
                return false;
            }
        });
    }

    private JsonNode skip() throws Exception {
        assertThat(rig.cli.run("skip", "--list", "--json")).as(rig.cli.err()).isZero();
        return ServiceRig.JSON.readTree(rig.cli.out()).get(0);
    }

    private double meter(String name) throws Exception {
        double sum = 0;
        var line = Pattern.compile("(?m)^" + name + "\\{[^}]*} (\\S+)$")
                .matcher(rig.management("/observe/metrics").body());
        while (line.find()) {
            sum += Double.parseDouble(line.group(1));
        }
        return sum;
    }

    @Test
    void a_service_killed_between_the_record_and_the_passing_passes_over_it_once_and_loses_nothing_else()
            throws Exception {
        rig = new ServiceRig("CREATE TABLE sales(id int PRIMARY KEY, amount int)");
        try (var own = Files.list(Path.of("routes"))) {
            for (Path file : own.toList()) {
                String text = Files.readString(file);
                if (file.getFileName().toString().equals("router.camel.yaml")) {
                    String step = "        - to:\n            id: source-to-audit";
                    assertThat(text).contains(step);
                    text = text.replace(step, SkipTest.STUMBLE);
                }
                Files.writeString(routes.resolve(file.getFileName()), text);
            }
        }
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
        Process first = run("first.log");
        awaitReady(first);
        rig.db.execute("INSERT INTO sales VALUES (1, 1)");
        long poison;
        try (Connection c = rig.db.connect();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            s.execute("INSERT INTO sales SELECT i, 666 FROM generate_series(1001, 1000 + " + ROWS + ") i");
            try (var row = s.executeQuery("SELECT pg_current_xact_id()::text::bigint")) {
                row.next();
                poison = row.getLong(1);
            }
            c.commit();
        }
        rig.db.execute("INSERT INTO sales VALUES (2, 2)", "UPDATE sales SET amount = 3 WHERE id = 1");
        String end = rig.walPosition();
        // By then it waits for seconds between two tries: time enough to kill it before the next one.
        await().atMost(LONG)
                .until(() -> Files.readString(rig.folder.resolve("first.log")).contains("Starting again in 4000 ms"));

        assertThat(rig.cli.run("skip", "--xid", "" + poison, "--reason", "a broken import", "--json"))
                .as(rig.cli.err())
                .isZero();
        assertThat(ServiceRig.JSON
                        .readTree(rig.cli.out())
                        .path("by_the_service")
                        .asBoolean())
                .isTrue();
        first.destroyForcibly().waitFor();
        assertThat(skip().path("state").asText()).isEqualTo("pending");
        assertThat(skip().hasNonNull("passed")).as("killed before it passed").isFalse();
        assertThat(rig.slotHasConfirmed(end)).isFalse();

        Process second = run("second.log");
        awaitReady(second);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(end));
        assertThat(rig.audit())
                .extracting(event ->
                        event.path("operation").asText() + event.at("/new/id").asText())
                .containsExactly("INSERT1", "INSERT2", "UPDATE1");
        await().atMost(LONG).until(() -> skip().path("state").asText().equals("done"));
        assertThat(skip().path("passed").asInt()).isEqualTo(ROWS);
        assertThat(meter("walroute_skipped_total")).as("once").isEqualTo(ROWS);
        var redis = rig.redis().sync();
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(redis.keys("sales:*")).containsExactlyInAnyOrder("sales:1", "sales:2"));
        assertThat(redis.get("sales:1")).contains("\"amount\":3");

        second.destroyForcibly().waitFor();
        Process third = run("third.log");
        awaitReady(third);
        rig.db.execute("INSERT INTO sales VALUES (3, 3)");
        await().atMost(LONG).until(() -> rig.count("audit_log") == 4);
        assertThat(rig.count("walroute_skips")).isEqualTo(1);
        assertThat(rig.count("dead_letters")).isZero();
    }
}
