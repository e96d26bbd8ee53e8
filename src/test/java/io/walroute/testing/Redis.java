package io.walroute.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import redis.embedded.RedisServer;

/** The Redis server that tests share: one per JVM. A test that needs it empty, or breaks it, starts its own. */
public final class Redis implements AutoCloseable {
    private static Redis shared;

    private final RedisServer server;
    private final int port;

    private Redis(int port) throws IOException {
        this.port = port;
        server = RedisServer.newRedisServer()
                .port(port)
                .setting("bind 127.0.0.1")
                .setting("save \"\"")
                .setting("appendonly no")
                .build();
        server.start();
    }

    public static synchronized Redis shared() {
        if (shared == null) {
            shared = start();
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    public static Redis start() {
        return start(freePort());
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
            server.stop();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int freePort() {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
