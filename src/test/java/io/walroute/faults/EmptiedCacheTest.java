package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A Redis that keeps nothing on disk: what it forgot is gone, and the service must say so. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class EmptiedCacheTest {
    @Test
    void an_emptied_redis_is_noticed_and_said() throws Exception {
        var world = new World(false);
        try {
            world.begin(1, Set.of(Fault.REDIS_KILLED));
            world.workload.mixed(20);
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> !world.redis().keys("f_*").isEmpty());
            String before = world.service.log();
            world.killRedis();
            world.heal();
            world.workload.mixed(5);
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(world.service.log().substring(before.length()))
                            .contains("was emptied or is new"));
        } finally {
            world.end();
            world.close();
        }
    }
}
