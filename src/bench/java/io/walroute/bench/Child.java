package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** A process of the bench's own, with what it costs. Its output goes to a file. */
final class Child implements AutoCloseable {
    private static final Set<Process> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> RUNNING.forEach(Process::destroy)));
    }

    private final Process process;
    private final Path log;

    private Child(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /** @param folder where it runs; null for here */
    static Child start(List<String> command, Map<String, String> environment, Path folder, Path log)
            throws IOException {
        var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        if (folder != null) {
            builder.directory(folder.toFile());
        }
        // Nothing of the caller's own walroute.
        builder.environment().keySet().removeIf(name -> name.startsWith("WALROUTE_"));
        builder.environment().putAll(environment);
        return new Child(orphanless(builder.start()), log);
    }

    /** Whatever ends the bench ends what it started. */
    static Process orphanless(Process process) {
        RUNNING.add(process);
        process.onExit().thenAccept(RUNNING::remove);
        return process;
    }

    /** The command of a Java program of the bench's class path. */
    static List<String> java(String heap, Class<?> program, String... arguments) {
        return java(System.getProperty("java.class.path"), heap, program, arguments);
    }

    /** Without walroute's own classes, of which some stand in for Debezium's. */
    static List<String> javaWithoutWalroute(String heap, Class<?> program, String... arguments) {
        return java("target/test-classes:target/lib/*", heap, program, arguments);
    }

    private static List<String> java(String classPath, String heap, Class<?> program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                javaCommand(),
                heap,
                "-Duser.timezone=UTC",
                "-Dlogback.configurationFile=src/bench/logback.xml",
                "-cp",
                classPath,
                program.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    static String javaCommand() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Waits for its end. @throws IOException if it failed or takes too long */
    void await(Duration limit) throws IOException, InterruptedException {
        if (!process.waitFor(limit.toSeconds(), TimeUnit.SECONDS)) {
            throw new IOException("it still runs after " + limit.toSeconds() + " s" + tail());
        }
        if (process.exitValue() != 0) {
            throw new IOException("it ended with " + process.exitValue() + tail());
        }
    }

    void check() throws IOException {
        if (!process.isAlive()) {
            throw new IOException("it ended with " + process.exitValue() + tail());
        }
    }

    String output() throws IOException {
        return Files.exists(log) ? Files.readString(log) : "";
    }

    String tail() throws IOException {
        List<String> lines = output().lines().toList();
        return ":\n  " + String.join("\n  ", lines.subList(Math.max(0, lines.size() - 15), lines.size()));
    }

    /** Processor time used so far, user and system. */
    double cpuSeconds() {
        return process.info()
                .totalCpuDuration()
                .map(used -> used.toNanos() / 1e9)
                .orElse(0.0);
    }

    /** A line of /proc/PID/status in MB ({@code VmRSS}, {@code VmHWM}); 0 where there is none. */
    double memory(String line) {
        try {
            return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                    .filter(each -> each.startsWith(line + ":"))
                    .mapToDouble(each -> Long.parseLong(each.replaceAll("\\D", "")) / 1024.0)
                    .findFirst()
                    .orElse(0);
        } catch (IOException noProc) {
            return 0;
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                process.waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
