package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A service that runs for months restarts its stream many times: each must clear away what the one before had. */
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class RestartLeakTest {
    private final WalRig rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY)");

    @AfterEach
    void stop() {
        rig.close();
    }

    @Test
    void five_restarts_leave_threads_mbeans_and_connections_as_they_were() throws Exception {
        rig.start();
        rig.awaitStreaming();
        restart(0); // what is made once per JVM is there after the first
        Map<String, Long> before = settled(Map.of());

        for (int i = 1; i <= 5; i++) {
            restart(i);
        }

        Map<String, Long> after = settled(before);
        // Fewer is no leak: what an earlier test of this JVM left may end meanwhile.
        assertThat(after)
                .allSatisfy(
                        (what, count) -> assertThat(count).as(what).isLessThanOrEqualTo(before.getOrDefault(what, 0L)));
        assertThat(rig.consumer().status().restarts()).isEqualTo(6);
    }

    @Test
    void a_stop_leaves_no_connection_and_no_thread_of_the_stream() throws Exception {
        rig.start();
        rig.awaitStreaming();
        rig.terminateWalsender();
        rig.make(1, "INSERT INTO t VALUES (1)");
        rig.close();

        await().atMost(Duration.ofSeconds(10)).until(() -> connections() == 0);
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(() -> assertThat(threads().keySet())
                        .noneMatch(name -> name.contains("wal-")
                                || name.toLowerCase(java.util.Locale.ROOT).contains("debezium")));
    }

    private void restart(int row) {
        long before = rig.consumer().status().restarts();
        assertThat(rig.terminateWalsender()).isTrue();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.consumer().status().restarts() > before);
        rig.awaitStreaming();
        rig.make(1, "INSERT INTO t VALUES (" + row + ")");
    }

    /** Waits a while for what is wanted (what ended needs a moment to be gone), or for two equal looks in a row. */
    private Map<String, Long> settled(Map<String, Long> wanted) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
        var last = new Object() {
            Map<String, Long> seen = Map.of();
        };
        await().pollInterval(Duration.ofMillis(500))
                .atMost(Duration.ofSeconds(40))
                .until(() -> {
                    Map<String, Long> now = possessions();
                    boolean same = now.equals(last.seen);
                    last.seen = now;
                    return same && (wanted.isEmpty() || now.equals(wanted) || System.nanoTime() > end);
                });
        return last.seen;
    }

    private Map<String, Long> possessions() {
        Map<String, Long> all = new TreeMap<>(threads());
        all.putAll(counted(ManagementFactory.getPlatformMBeanServer().queryNames(null, null).stream()
                .map(name -> "MBean " + name)
                .filter(name ->
                        name.contains("debezium") || name.contains("type=consumers") || name.contains("type=health"))));
        all.put("connections", connections());
        return all;
    }

    /** Those of this source; other libraries' pools come and go by themselves. */
    private static Map<String, Long> threads() {
        return counted(Thread.getAllStackTraces().keySet().stream()
                .filter(Thread::isAlive)
                .map(thread -> "thread " + thread.getName())
                .filter(name -> !name.contains("ForkJoinPool")
                        && !name.contains("surefire")
                        && !name.contains("process reaper")));
    }

    private static Map<String, Long> counted(Stream<String> names) {
        return names.map(name -> name.replaceAll("\\d+", "#"))
                .collect(Collectors.groupingBy(Function.identity(), TreeMap::new, Collectors.counting()));
    }

    private long connections() {
        return Long.parseLong(
                rig.db.query(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    }
}
