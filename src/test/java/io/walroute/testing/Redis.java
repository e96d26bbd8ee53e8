package io.walroute.testing;

import io.walroute.demo.FreePort;
import io.walroute.demo.RedisServer;
import io.walroute.demo.TemporaryFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

/**
 * The Redis server that tests share: one per JVM, in a container or embedded (see {@link Containers}). A test that needs it
 * empty, or breaks it, starts its own.
 */
public final class Redis implements AutoCloseable {
    private static Redis shared;

    private final int port;
    private final AutoCloseable server;

    private Redis(int port) throws IOException {
        this.port = port;
        server = Containers.wanted() ? startContainer(port) : startEmbedded(port);
    }

    public static synchronized Redis shared() {
        if (shared == null) {
            shared = start();
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    public static Redis start() {
        return start(FreePort.any());
    }

    /** A server on a port that an earlier one had: what a client sees of a restart. */
    public static Redis start(int port) {
        try {
            return new Redis(port);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public int port() {
        return port;
    }

    public String url() {
        return "redis://127.0.0.1:" + port;
    }

    @Override
    public void close() {
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("resource") // Closed by close().
    private static AutoCloseable startContainer(int port) {
        var container = new GenericContainer<>(Containers.REDIS)
                .withCommand("redis-server", "--save", "", "--appendonly", "no")
                .waitingFor(Wait.forLogMessage(".*Ready to accept connections.*\\s", 1));
        container.setPortBindings(List.of(port + ":6379"));
        container.start();
        return container;
    }

    private static AutoCloseable startEmbedded(int port) throws IOException {
        Path folder = Files.createTempDirectory("walroute-test-redis-");
        try {
            RedisServer server = RedisServer.start(folder, port);
            return () -> {
                server.close();
                TemporaryFolder.delete(folder);
            };
        } catch (IOException e) {
            TemporaryFolder.delete(folder);
            throw e;
        }
    }
}
