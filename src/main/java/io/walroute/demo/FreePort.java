package io.walroute.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/** Finds ports on the loopback address that nothing listens on. */
public final class FreePort {
    private static final int LEAST = 12_000;
    /** Where Linux begins with those that it gives to outgoing connections. */
    private static final int LEAST_EPHEMERAL = 32_768;

    private static final int ATTEMPTS = 100;

    private FreePort() {}

    /**
     * Not one that the system would give away by itself: until somebody listens on it, an outgoing connection might take that.
     */
    public static int any() {
        for (int i = 0; i < ATTEMPTS; i++) {
            int port = ThreadLocalRandom.current().nextInt(LEAST, LEAST_EPHEMERAL);
            if (isFree(port)) {
                return port;
            }
        }
        try (var socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isFree(int port) {
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(port));
            return true;
        } catch (IOException taken) {
            return false;
        }
    }

    /** The wished port where it is free on all of this machine's addresses, otherwise any. */
    public static int preferably(int wished) {
        return isFree(wished) ? wished : any();
    }
}
