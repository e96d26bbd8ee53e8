package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.admin.Health;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** WAL is written against max_slot_wal_keep_size, past a slot that a service is kept from reading, until the slot is lost. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class WalBudgetEndTest {
    private static JsonNode status(DisasterRig rig) throws Exception {
        var cli = new InProcessCli(rig.environment);
        cli.run("status", "--json");
        return ServiceRig.JSON.readTree(cli.out());
    }

    private static Health.Check budget(DisasterRig rig) {
        return rig.service().health().report().checks().stream()
                .filter(check -> check.name().equals("wal-budget"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void the_budget_shrinks_warns_and_ends() throws Exception {
        var log = (Logger) LoggerFactory.getLogger(WalWatch.class);
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        try (var rig = new DisasterRig(Map.of("max_slot_wal_keep_size", "64MB", "min_wal_size", "32MB"))) {
            rig.createSlot();
            rig.startReady();
            await().atMost(Duration.ofSeconds(20))
                    .untilAsserted(() -> assertThat(budget(rig).message()).contains("more are safe"));
            assertThat(budget(rig).status()).isEqualTo(Health.Status.UP);
            long full = status(rig).path("wal_budget").path("safe_wal_bytes").asLong();
            assertThat(full).isPositive();
            assertThat(status(rig).path("wal_budget").path("limit_bytes").asLong())
                    .isEqualTo(64L << 20);

            // Another transaction is open: the slot can't move past it, whatever the service confirms.
            try (var open = rig.primary.connect()) {
                open.setAutoCommit(false);
                open.createStatement().execute("SELECT txid_current()");
                rig.primary.execute(
                        "CREATE TABLE ballast (t text)", "ALTER TABLE ballast ALTER t SET STORAGE EXTERNAL");
                write(rig, 12);
                long left =
                        status(rig).path("wal_budget").path("safe_wal_bytes").asLong();
                assertThat(left).isLessThan(full - (10L << 20));
                // A command sets the logging up anew, so not before.
                log.addAppender(lines);
                for (int i = 0; i < 2; i++) {
                    write(rig, 12);
                }
                await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
                    assertThat(budget(rig).status()).isEqualTo(Health.Status.DEGRADED);
                    assertThat(budget(rig).message())
                            .contains("will invalidate the replication slot", "more are safe", "64 MB");
                });
                await().atMost(Duration.ofSeconds(10))
                        .untilAsserted(() -> assertThat(List.copyOf(lines.list))
                                .anySatisfy(line -> assertThat(line.getFormattedMessage())
                                        .startsWith("PostgreSQL will invalidate the replication slot")));
                assertThat(status(rig).path("sound").asBoolean()).isTrue();

                for (int i = 0; i < 6; i++) {
                    write(rig, 16);
                    rig.primary.execute("CHECKPOINT");
                }
                open.rollback();
            }
            await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
                rig.primary.execute("CHECKPOINT");
                JsonNode status = status(rig);
                assertThat(status.path("slot").path("wal_status").asText()).isEqualTo("lost");
                assertThat(status.path("sound").asBoolean()).isFalse();
                assertThat(budget(rig).status()).isEqualTo(Health.Status.DOWN);
            });
            assertThat(rig.awaitGap()).startsWith("Gap: ");
            assertThat(status(rig).path("gap").asText()).startsWith("Gap: ");
        } finally {
            log.detachAppender(lines);
        }
    }

    @Test
    void a_slot_that_nobody_reads_is_warned_of_however_much_is_left() throws Exception {
        try (var rig = new DisasterRig(Map.of("max_slot_wal_keep_size", "512MB", "min_wal_size", "32MB"))) {
            rig.createSlot();
            rig.startReady();
            rig.primary.execute("CREATE TABLE ballast (t text)", "ALTER TABLE ballast ALTER t SET STORAGE EXTERNAL");
            rig.service().camelContext().getRouteController().stopRoute("source");
            write(rig, 24);
            await().atMost(Duration.ofSeconds(40)).untilAsserted(() -> {
                assertThat(budget(rig).status()).isEqualTo(Health.Status.DEGRADED);
                assertThat(budget(rig).message()).contains("at the present rate");
            });
            assertThat(status(rig).path("wal_budget").path("safe_wal_bytes").asLong())
                    .isGreaterThan(256L << 20);
        }
    }

    private static void write(DisasterRig rig, int megabytes) throws Exception {
        rig.primary.execute(
                "INSERT INTO ballast SELECT repeat(md5(g::text), 32768) FROM generate_series(1, " + megabytes + ") g",
                "TRUNCATE ballast",
                "SELECT pg_switch_wal()");
    }
}
