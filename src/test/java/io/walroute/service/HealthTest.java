package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.deadletter.DeadLetterComponent;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Receiver;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;
import javax.management.openmbean.TabularData;
import org.apache.camel.health.HealthCheckHelper;
import org.apache.camel.health.HealthCheckRegistry;
import org.apache.camel.health.HealthCheckResultBuilder;
import org.apache.camel.impl.health.AbstractHealthCheck;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The same checks by HTTP, in Camel's registry and by JMX. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HealthTest {
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private JsonNode health() throws Exception {
        return ServiceRig.JSON.readTree(rig.management("/observe/health").body());
    }

    private static Map<String, String> states(JsonNode health) {
        Map<String, String> states = new TreeMap<>();
        health.path("checks").forEach(check -> {
            String status = check.path("status").asText();
            states.put(check.path("name").asText(), status.equals("DEGRADED") ? "UP" : status);
        });
        return states;
    }

    private static JsonNode check(JsonNode health, String name) {
        for (JsonNode check : health.path("checks")) {
            if (check.path("name").asText().equals(name)) {
                return check;
            }
        }
        throw new AssertionError("no " + name + " in " + health);
    }

    private Map<String, String> jmx() throws Exception {
        var name = new ObjectName("org.apache.camel:context=walroute,type=health,name=\"DefaultHealthCheck\"");
        var found = ManagementFactory.getPlatformMBeanServer()
                .queryNames(new ObjectName("org.apache.camel:type=health,*"), null);
        var details = (TabularData) ManagementFactory.getPlatformMBeanServer()
                .invoke(found.isEmpty() ? name : found.iterator().next(), "details", new Object[0], new String[0]);
        Map<String, String> states = new TreeMap<>();
        for (Object row : details.values()) {
            states.put((String) ((CompositeData) row).get("id"), (String) ((CompositeData) row).get("state"));
        }
        return states;
    }

    @Test
    void the_paths_camel_and_jmx_tell_the_same_and_what_is_down_names_its_command() throws Exception {
        assertThat(states(health()))
                .containsKeys("wal", "wal-budget", "audit", "cache", "notify", "hook", "dead-letters")
                .isEqualTo(jmx());
        assertThat(HealthCheckHelper.invokeReadiness(rig.service().camelContext(), "full"))
                .extracting(result -> result.getCheck().getId())
                .containsExactlyInAnyOrderElementsOf(states(health()).keySet());

        assertThat(rig.cli.run("pause", "source")).as(rig.cli.err()).isZero();
        JsonNode paused = check(health(), "wal");
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(503);
        assertThat(rig.management("/observe/health/live").statusCode()).isEqualTo(200);
        assertThat(paused.path("message").asText()).contains("paused by an operator");
        assertThat(paused.path("command").asText()).isEqualTo("walroute resume source");
        assertThat(jmx()).containsEntry("wal", "DOWN").isEqualTo(states(health()));
        assertThat(rig.cli.run("resume", "source")).isZero();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.management("/observe/health/ready").statusCode() == 200);

        rig.redis.close();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> health().path("status").asText().equals("DEGRADED"));
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);
        assertThat(check(health(), "cache").path("command").asText()).isEqualTo("walroute doctor");
        assertThat(jmx()).containsEntry("cache", "UP");
    }

    @Test
    @Tag("faults")
    void a_heartbeat_that_does_not_come_back_makes_it_unready_although_the_connection_lives() throws Exception {
        rig.stop();
        try (var proxy = new FaultProxy(rig.db.port())) {
            rig.environment.computeIfPresent(
                    "DATABASE_URL", (name, url) -> url.replace(":" + rig.db.port() + "/", ":" + proxy.port() + "/"));
            rig.startReady();
            String walSender = walSender();
            assertThat(walSender).isNotNull();

            proxy.holdToClientOf("replication\0database"); // the stream alone: heartbeats are still written
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> rig.management("/observe/health/ready").statusCode() == 503);
            assertThat(check(health(), "wal").path("status").asText()).isEqualTo("DOWN");
            assertThat(check(health(), "wal").path("message").asText())
                    .matches("no WAL heartbeat came back for 1\\d s: .*");
            assertThat(rig.management("/observe/health/live").statusCode()).isEqualTo(200);
            assertThat(walSender()).isEqualTo(walSender);

            proxy.heal();
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> rig.management("/observe/health/ready").statusCode() == 200);
            assertThat(check(health(), "wal").path("message").asText()).startsWith("streaming from slot ");
            assertThat(walSender()).as("the same connection").isEqualTo(walSender);
            rig.stop();
        }
    }

    private String walSender() {
        return rig.db.query("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'");
    }

    @Test
    void a_sink_with_changes_parked_for_long_is_degraded_until_they_are_delivered() throws Exception {
        rig.receiver.otherwise(Receiver.Answer.status(500));
        rig.db.execute("INSERT INTO listings(id, seller_address) VALUES (1, '0xa')");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.deadLetters("hook").size() == 1);
        var deadLetters = rig.service().camelContext().getComponent("dead-letter", DeadLetterComponent.class);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> !deadLetters.standing().isEmpty());
        assertThat(check(health(), "dead-letters").path("status").asText()).isEqualTo("UP");

        deadLetters.setParkedForLong(Duration.ofSeconds(1));
        await().atMost(Duration.ofSeconds(30))
                .until(() ->
                        check(health(), "dead-letters").path("status").asText().equals("DEGRADED"));
        assertThat(health().path("status").asText()).isEqualTo("DEGRADED");
        assertThat(check(health(), "dead-letters").path("message").asText())
                .isEqualTo("changes have been parked for more than 1 s (hook 1). See: walroute dead-letters list");
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);

        rig.receiver.otherwise(Receiver.Answer.status(204));
        assertThat(rig.cli.run("dead-letters", "redrive", "--all")).isZero();
        await().atMost(Duration.ofSeconds(60))
                .until(() ->
                        check(health(), "dead-letters").path("status").asText().equals("UP"));
    }

    private static final class OfARoute extends AbstractHealthCheck {
        private final boolean live;
        private volatile boolean up = true;

        OfARoute(String id, boolean live) {
            super("mine", id);
            this.live = live;
        }

        @Override
        public boolean isLiveness() {
            return live;
        }

        @Override
        protected void doCall(HealthCheckResultBuilder result, Map<String, Object> options) {
            result.state(up ? State.UP : State.DOWN);
            if (!up) {
                result.message("mine is away");
            }
        }
    }

    @Test
    void checks_that_routes_bring_count_too() throws Exception {
        var ready = new OfARoute("mine", false);
        var live = new OfARoute("mine-live", true);
        var registry = HealthCheckRegistry.get(rig.service().camelContext());
        registry.register(ready);
        registry.register(live);
        assertThat(check(health(), "mine").path("status").asText()).isEqualTo("UP");

        ready.up = false;
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(503);
        assertThat(check(health(), "mine").path("message").asText()).isEqualTo("mine is away");
        assertThat(rig.management("/observe/health/live").statusCode()).isEqualTo(200);
        ready.up = true;
        live.up = false;
        assertThat(rig.management("/observe/health/live").statusCode()).isEqualTo(503);
    }
}
