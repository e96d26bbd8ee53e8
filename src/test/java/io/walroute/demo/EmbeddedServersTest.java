package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class EmbeddedServersTest {
    @Test
    void both_servers_answer_and_close_leaves_no_process_and_no_folder() throws Exception {
        long begin = System.nanoTime();
        var servers = new EmbeddedServers();
        Path folder = servers.folder();
        List<ProcessHandle> processes;
        try (servers) {
            servers.start();
            System.out.printf("servers started in %d ms%n", (System.nanoTime() - begin) / 1_000_000);
            assertThat(query(servers, "SHOW wal_level")).isEqualTo("logical");
            assertThat(query(servers, "SHOW fsync")).isEqualTo("on");
            assertThat(query(servers, "SHOW max_wal_senders")).isEqualTo("10");
            assertThat(query(servers, "SHOW server_version_num")).startsWith("18");
            assertThat(servers.redis().ask("PING")).isEqualTo("+PONG");
            processes = processesOf(folder);
            assertThat(processes).as("what close has to end").hasSizeGreaterThanOrEqualTo(2);
            begin = System.nanoTime();
        }
        System.out.printf("servers stopped in %d ms%n", (System.nanoTime() - begin) / 1_000_000);
        assertThat(folder).doesNotExist();
        await().atMost(Duration.ofSeconds(5)).until(() -> processes.stream().noneMatch(ProcessHandle::isAlive));
    }

    @Test
    void a_close_in_the_middle_of_the_start_waits_and_leaves_nothing() throws Exception {
        var servers = new EmbeddedServers();
        Path folder = servers.folder();
        var start = CompletableFuture.runAsync(() -> {
            try {
                servers.start();
            } catch (IOException closedUnderneath) {
                // Which of both wins is not the point.
            }
        });
        await().until(() -> Files.exists(folder.resolve("postgresql")));
        servers.close();
        start.handle((ok, e) -> null).join();
        assertThat(folder).doesNotExist();
        assertThat(processesOf(folder)).isEmpty();
        assertThatThrownBy(servers::start).isInstanceOf(IOException.class).hasMessage("stopped while starting");
    }

    /** INT is sent to the whole process group, as a terminal's Ctrl-C is. */
    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "KILL"})
    @DisabledOnOs(OS.WINDOWS)
    void a_signal_leaves_no_process_and_no_folder_and_the_service_drains_first(String signal) throws Exception {
        assumeFalse(
                signal.equals("INT") && ignoresInterrupts(),
                "a shell's background jobs ignore SIGINT, and so their children");
        Process java = new ProcessBuilder(
                        "setsid",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Stopped.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var out = new BufferedReader(new InputStreamReader(java.getInputStream(), StandardCharsets.UTF_8))) {
            Path folder = Path.of(line(out, "folder "));
            assertThat(processesOf(folder)).hasSizeGreaterThanOrEqualTo(2);
            String target = signal.equals("INT") ? "-" + java.pid() : Long.toString(java.pid());
            long begin = System.nanoTime();
            new ProcessBuilder("kill", "-s", signal, "--", target).start().waitFor();
            if (!signal.equals("KILL")) {
                assertThat(line(out, "drained ")).isEqualTo("on +PONG");
            }
            java.waitFor();
            await().atMost(Duration.ofSeconds(10)).until(() -> Files.notExists(folder));
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> processesOf(folder).isEmpty());
            System.out.printf("%s: gone after %d ms%n", signal, (System.nanoTime() - begin) / 1_000_000);
        } finally {
            java.destroyForcibly();
        }
    }

    /** Stands for the demo: servers below, above them a "service" that still needs them while it drains. */
    static final class Stopped {
        public static void main(String[] args) throws Exception {
            var teardown = new Teardown();
            var servers = teardown.add(new EmbeddedServers());
            servers.start();
            teardown.add(() -> {
                // What a drain would take; a server that got the terminal's signal has gone meanwhile.
                Thread.sleep(500);
                System.out.println("drained " + query(servers, "SHOW fsync") + " "
                        + servers.redis().ask("PING"));
            });
            System.out.println("folder " + servers.folder());
            Thread.sleep(60_000); // ended by the signal
            Runtime.getRuntime().halt(3); // without the drain's line: nobody ended it
        }
    }

    private static boolean ignoresInterrupts() throws IOException {
        Path status = Path.of("/proc/self/status");
        return Files.exists(status)
                && Files.readAllLines(status).stream()
                        .filter(line -> line.startsWith("SigIgn:"))
                        .anyMatch(line ->
                                (Long.parseUnsignedLong(line.substring(7).strip(), 16) & 2) != 0);
    }

    private static String line(BufferedReader out, String prefix) throws IOException {
        for (String line = out.readLine(); line != null; line = out.readLine()) {
            if (line.startsWith(prefix)) {
                return line.substring(prefix.length());
            }
        }
        throw new AssertionError("the program ended without a line \"" + prefix + "…\"");
    }

    private static String query(EmbeddedServers servers, String sql) throws SQLException {
        try (var c = DriverManager.getConnection(servers.jdbcUrl());
                var s = c.createStatement();
                var rows = s.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    private static List<ProcessHandle> processesOf(Path folder) {
        try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
            return all.filter(process -> process.info().commandLine().orElse("").contains(folder.toString()))
                    .toList();
        }
    }
}
