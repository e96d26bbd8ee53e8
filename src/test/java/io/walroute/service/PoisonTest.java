package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.deadletter.DeadLetter;
import io.walroute.deadletter.DeadLetterFilter;
import io.walroute.deadletter.DeadLetters;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A table's route that throws each time it sees a certain change. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class PoisonTest {
    private static final String ROUTE = """
            - route:
                id: sales
                routeConfigurationId: router
                from:
                  uri: direct:sales
                  steps:
                    - filter:
                        simple: "${body.new[amount]} == 666"
                        steps:
                          - setBody: { constant: "what is put down is the change, not this" }
                          - throwException: { exceptionType: java.lang.IllegalStateException, message: "poison" }
                    - to: { uri: "lanes:cache" }
            """;

    @TempDir
    Path routes;

    @Test
    void a_poisonous_change_is_dead_at_once_stops_nobody_and_goes_its_way_when_the_route_is_mended() throws Exception {
        try (var own = Files.list(Path.of("routes"))) {
            for (Path file : own.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
        Files.writeString(routes.resolve("sales.camel.yaml"), ROUTE);
        try (var rig = new ServiceRig("CREATE TABLE sales(id int PRIMARY KEY, amount int)")) {
            rig.startReloading(routes);
            rig.db.execute("INSERT INTO sales SELECT i, CASE WHEN i % 10 = 0 THEN 666 ELSE i END FROM"
                    + " generate_series(1, 100) i");
            var redis = rig.redis().sync();
            String end = rig.walPosition();
            await().atMost(Duration.ofSeconds(20)).until(() -> rig.slotHasConfirmed(end));
            assertThat(redis.keys("sales:*")).hasSize(90);
            try (var store = Store.open(new Store.Settings(rig.environment.get("WALROUTE_AUDIT_URL")))) {
                var letters = new DeadLetters(store);
                assertThat(letters.list(DeadLetterFilter.ofSink("router"), 100))
                        .hasSize(10)
                        .allSatisfy(letter -> {
                            assertThat(letter.state()).isEqualTo(DeadLetter.State.DEAD);
                            assertThat(letter.cause()).isEqualTo("poison");
                            assertThat(letter.route()).isEqualTo("sales");
                        });
                assertThat(rig.cli.run("metrics", "errors", "--json")).isZero();
                assertThat(ServiceRig.JSON
                                .readTree(rig.cli.out())
                                .get(0)
                                .path("dead")
                                .asInt())
                        .isEqualTo(10);
                rig.stop();
                Files.writeString(routes.resolve("sales.camel.yaml"), ROUTE.replace("666", "667"));
                rig.startReloading(routes);
                assertThat(letters.markDue(DeadLetterFilter.ofSink("router"))).isEqualTo(10);
                await().atMost(Duration.ofSeconds(30))
                        .until(() -> redis.keys("sales:*").size() == 100);
                await().atMost(Duration.ofSeconds(10))
                        .until(() -> letters.counts().equals(List.of()));
            }
        }
    }
}
