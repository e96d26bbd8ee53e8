package io.walroute.demo;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.embedded.core.ExecutableProvider;
import redis.embedded.model.OsArchitecture;
import redis.embedded.util.IO;

/**
 * An embedded Redis that keeps nothing on disk, its files in one folder of the caller's, on 127.0.0.1 only.
 *
 * <p>It is started as a daemon, in a session of its own: as a plain child it would get the terminal's Ctrl-C and be gone
 * before the service has drained.
 */
public final class RedisServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RedisServer.class);
    private static final Duration START_LIMIT = Duration.ofSeconds(10);

    private final Path folder;
    private final int port;
    private final List<String> options;

    private RedisServer(Path folder, int port, List<String> options) {
        this.folder = folder;
        this.port = port;
        this.options = options;
    }

    /** @param folder the caller removes it after {@link #close()} */
    public static RedisServer start(Path folder, int port) throws IOException {
        return start(folder, port, List.of("--appendonly", "no"));
    }

    /** As {@link #start(Path, int)}, with more options of redis-server. */
    public static RedisServer start(Path folder, int port, List<String> options) throws IOException {
        Path home = folder.toAbsolutePath();
        Files.createDirectories(home);
        var server = new RedisServer(home, port, List.copyOf(options));
        IOException first = null;
        for (Executable executable : executables(home.toFile())) {
            try {
                server.start(executable.path());
                return server;
            } catch (IOException e) {
                LOG.debug("One Redis does not start", e);
                first = first == null ? e : first;
                boolean interrupted = Thread.interrupted();
                server.closeHalfStarted();
                if (interrupted) {
                    Thread.currentThread().interrupt();
                    break;
                }
            }
        }
        throw new IOException("Redis did not start: " + first.getMessage(), first);
    }

    public int port() {
        return port;
    }

    public String url() {
        return "redis://127.0.0.1:" + port;
    }

    /** The server's process; empty if it doesn't run. */
    public Optional<ProcessHandle> process() throws IOException {
        return Files.exists(pidFile(folder))
                ? ProcessHandle.of(
                        Long.parseLong(Files.readString(pidFile(folder)).trim()))
                : Optional.empty();
    }

    static Path pidFile(Path folder) {
        return folder.resolve("redis.pid");
    }

    /** A start that was cut short may have left a daemon behind, which writes its process id only after a moment. */
    private void closeHalfStarted() throws IOException {
        for (int i = 0; i < 20 && !Files.exists(pidFile(folder)); i++) {
            pause();
        }
        close();
    }

    @FunctionalInterface
    private interface Executable {
        String path() throws IOException;
    }

    /** The packaged one; where that lacks a library (libssl 3), its 32-bit sister, which is static; then the system's. */
    private static List<Executable> executables(File folder) {
        Executable packaged =
                () -> ExecutableProvider.newJarResourceProvider(folder).get().getPath();
        Executable sister = () -> IO.writeResourceToExecutableFile(
                        folder, ExecutableProvider.newProvidedVersionsMap().get(OsArchitecture.UNIX_x86))
                .getPath();
        Executable installed = () -> "redis-server";
        return OsArchitecture.detectOSandArchitecture().equals(OsArchitecture.UNIX_x86_64)
                ? List.of(packaged, sister, installed)
                : List.of(packaged, installed);
    }

    private void start(String executable) throws IOException {
        Path log = folder.resolve("redis.log");
        Files.deleteIfExists(log);
        Files.deleteIfExists(pidFile(folder));
        List<String> command = new ArrayList<>(List.of(executable, "--port", Integer.toString(port)));
        command.addAll(List.of("--bind", "127.0.0.1", "--save", "", "--daemonize", "yes"));
        command.addAll(options);
        command.addAll(List.of("--dir", folder.toString(), "--logfile", log.toString()));
        command.addAll(List.of("--pidfile", pidFile(folder).toString()));
        Commands.run(command, folder.resolve("programs.log"), START_LIMIT);
        awaitPong(log);
    }

    private void awaitPong(Path log) throws IOException {
        long giveUp = System.nanoTime() + START_LIMIT.toNanos();
        while (!answersPing()) {
            // The daemon's own failure is seen only here: the program that forked it has ended well before.
            boolean failed = Files.exists(log) && Files.readString(log).contains("Failed listening");
            if (failed || System.nanoTime() > giveUp) {
                throw new IOException("no answer on port " + port + ": " + Commands.lastLines(log));
            }
            pause();
        }
        while (!Files.exists(pidFile(folder)) && System.nanoTime() < giveUp) {
            pause();
        }
    }

    private boolean answersPing() {
        try {
            return "+PONG".equals(ask("PING"));
        } catch (IOException notYet) {
            return false;
        }
    }

    /** The first line of the answer to a command without spaces in its words, in Redis's protocol. */
    public String ask(String command) throws IOException {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", port), 1000);
            socket.setSoTimeout(5000);
            socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
            return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))
                    .readLine();
        }
    }

    @Override
    public void close() throws IOException {
        if (!Files.exists(pidFile(folder))) {
            return;
        }
        long pid = Long.parseLong(Files.readString(pidFile(folder)).trim());
        try {
            ask("SHUTDOWN NOSAVE");
        } catch (IOException gone) {
            LOG.debug("Redis closed the connection instead of answering: {}", gone.getMessage());
        }
        long giveUp = System.nanoTime() + Duration.ofSeconds(5).toNanos();
        while (isAlive(pid) && Files.exists(pidFile(folder))) {
            if (System.nanoTime() > giveUp) {
                ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
                return;
            }
            pause();
        }
    }

    private static boolean isAlive(long pid) {
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(10); // another process starts or ends
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
