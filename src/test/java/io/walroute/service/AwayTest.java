package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.walroute.testing.Receiver;
import io.walroute.testing.Redis;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** One sink is away: it parks its share, and nobody else notices. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class AwayTest {
    private ServiceRig rig;

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private void awaitCached(String key) {
        await(key).atMost(Duration.ofSeconds(30)).until(() -> {
            try (var redis = rig.redis()) {
                return redis.sync().get(key) != null;
            }
        });
    }

    @Test
    void a_dead_webhook_receiver_leaves_cache_audit_and_slot_moving() throws Exception {
        rig = new ServiceRig();
        rig.receiver.otherwise(Receiver.Answer.status(503));
        var logger = (Logger) LoggerFactory.getLogger("io.walroute.deadletter.DeadLetterComponent");
        var warnings = new ListAppender<ILoggingEvent>();
        warnings.start();
        logger.addAppender(warnings);
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(1, 200) g");
        String position = rig.walPosition();
        rig.db.execute("INSERT INTO listings(id, seller_address) VALUES (201, '0xa')");
        awaitCached("listings:201");
        await().atMost(Duration.ofSeconds(30)).until(() -> rig.slotHasConfirmed(position));
        assertThat(rig.count("audit_log")).isEqualTo(201);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.deadLetters("hook").size() == 201);
        assertThat(rig.deadLetters("cache")).isEmpty();
        assertThat(rig.deadLetters("notify")).isEmpty();
        logger.detachAppender(warnings);
        assertThat(warnings.list)
                .as("what is parked is said, though not for each change")
                .hasSizeBetween(1, 20)
                .filteredOn(line -> line.getMessage().startsWith("Parked change"))
                .isNotEmpty()
                .allSatisfy(warning -> assertThat(warning.getMDCPropertyMap())
                        .containsEntry("table", "listings")
                        .containsEntry("route", "hook")
                        .containsKeys("keyHash", "eventId", "lsn"));
        // An open circuit is the sink's trouble, not the service's: still ready.
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);
        assertThat(rig.management("/observe/health").body()).contains("DEGRADED");
    }

    @Test
    void redis_unreachable_at_start_parks_and_recovers() throws Exception {
        rig = new ServiceRig();
        int port = rig.redis.port();
        rig.redis.close();
        rig.startReady();
        rig.db.execute(
                "INSERT INTO listings(id, price_wei) VALUES (1, 1), (2, 1)",
                "UPDATE listings SET price_wei = 2 WHERE id = 1",
                "DELETE FROM listings WHERE id = 2");
        String position = rig.walPosition();
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (3, 3)");
        await().atMost(Duration.ofSeconds(60)).until(() -> rig.slotHasConfirmed(position));
        assertThat(rig.deadLetters("cache")).isNotEmpty();
        rig.redis = Redis.start(port);
        awaitCached("listings:1");
        awaitCached("listings:3");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.deadLetters("cache").isEmpty());
        try (var redis = rig.redis()) {
            assertThat(ServiceRig.JSON
                            .readTree(redis.sync().get("listings:1"))
                            .at("/price_wei")
                            .asText())
                    .isEqualTo("2");
            assertThat(redis.sync().get("listings:2")).isNull();
        }
    }

    @Test
    void a_redis_that_is_back_gets_what_was_parked_within_seconds_and_in_order() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WALROUTE_REDRIVE_CACHE_SCHEDULE", "10m,..."); // not by its schedule, then
        rig.startReady();
        int port = rig.redis.port();
        rig.redis.close();
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 0 FROM generate_series(1, 50) g");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.deadLetters("cache").size() == 50);
        rig.db.execute(
                "UPDATE listings SET price_wei = 1",
                "UPDATE listings SET price_wei = 2",
                "DELETE FROM listings WHERE id > 40",
                "UPDATE listings SET id = 1000 + id WHERE id <= 10");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.deadLetters("cache").size() >= 170);

        rig.redis = Redis.start(port);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.deadLetters("cache").isEmpty());
        try (var redis = rig.redis()) {
            assertThat(redis.sync().keys("listings:*")).hasSize(40).doesNotContain("listings:5");
            for (String key : redis.sync().keys("listings:*")) {
                assertThat(redis.sync().get(key)).contains("\"price_wei\":\"2\"");
            }
        }
        assertThat(rig.service()
                        .meters()
                        .get("walroute.redriven")
                        .tags("sink", "cache", "outcome", "dead")
                        .counter()
                        .count())
                .isZero();
    }

    @Test
    void optional_sinks_that_are_not_set_are_switched_off_and_hold_nothing_up() throws Exception {
        rig = new ServiceRig();
        rig.environment.remove("REDIS_URL");
        rig.environment.remove("WEBHOOK_URL");
        rig.environment.remove("WEBHOOK_SECRET");
        rig.environment.remove("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS");
        rig.environment.put("WEBSOCKET_PORT", "off");
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (1, 1)");
        String position = rig.walPosition();
        rig.db.execute("UPDATE listings SET price_wei = 2");
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.slotHasConfirmed(position));
        await().until(() -> rig.count("audit_log") == 2);
        assertThat(rig.count("dead_letters")).isZero();
    }

    @Test
    void changes_made_while_the_service_is_down_are_delivered_once_it_is_up_again() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (1, 1)");
        awaitCached("listings:1");
        rig.stop();
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (2, 2)", "DELETE FROM listings WHERE id = 1");
        rig.startReady();
        awaitCached("listings:2");
        try (var redis = rig.redis()) {
            await().until(() -> redis.sync().get("listings:1") == null);
        }
        await().until(() -> rig.count("audit_log") == 3);
    }
}
