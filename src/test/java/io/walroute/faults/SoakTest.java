package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Ten minutes of load with a random fault every few seconds, then the comparison. {@code -Dwalroute.minutes=N} makes it shorter
 * or longer, {@code -Dwalroute.seed=N} repeats the faults' order.
 */
@Tag("soak")
@DisplayNameGeneration(ReplaceUnderscores.class)
class SoakTest {
    @Test
    void nothing_is_lost_or_reordered_under_random_faults() throws Exception {
        long seed = Long.getLong("walroute.seed", System.nanoTime());
        var time = Duration.ofMinutes(Integer.getInteger("walroute.minutes", 10));
        System.out.println("Soak of " + time + ", seed " + seed);
        var random = new Random(seed);
        List<Fault> faults =
                Stream.of(Fault.values()).filter(f -> !f.movesTheClock()).toList();
        Map<Fault, Integer> struck = new TreeMap<>();
        var world = new World(true);
        try {
            world.begin(seed, Set.copyOf(faults));
            world.workload.start(100);
            long end = System.nanoTime() + time.toNanos();
            while (System.nanoTime() < end) {
                await().pollDelay(1_000 + random.nextInt(4_000), TimeUnit.MILLISECONDS)
                        .until(() -> true);
                Fault fault = faults.get(random.nextInt(faults.size()));
                struck.merge(fault, 1, Integer::sum);
                fault.strike(world);
                world.heal();
                if (!world.service.isAlive()) {
                    world.startService();
                }
            }
            Verdict verdict = world.conclude();
            System.out.println("Struck " + struck);
            System.out.println(verdict);
            assertThat(verdict.isClean())
                    .as("seed %d: %s", seed, verdict.details())
                    .isTrue();
        } catch (Exception | AssertionError e) {
            Path logs = Files.createDirectories(Path.of("target", "faults")).resolve("soak.log");
            Files.writeString(logs, "seed " + seed + "\n" + world.logs());
            throw e;
        } finally {
            world.end();
            world.close();
        }
    }
}
