package io.walroute.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A TCP proxy on loopback that breaks the network between a client and a server: held (bytes go nowhere and nobody is told, as
 * behind a firewall that drops packets), cut (connections reset, new ones refused) or slow, in either direction. Thread-safe.
 */
public final class FaultProxy implements AutoCloseable {
    private final Object gate = new Object();
    private final Set<Link> links = ConcurrentHashMap.newKeySet();
    private final AtomicLong toServerBytes = new AtomicLong();
    private final AtomicLong toClientBytes = new AtomicLong();
    private final AtomicLong toClientBudget = new AtomicLong(Long.MAX_VALUE);
    private volatile int targetPort;
    private final int port;
    private volatile ServerSocket listener;
    private volatile boolean holdToServer;
    private volatile String held = "";
    private volatile boolean holdToClient;
    private volatile String heldToClient = "";
    private volatile long delayMillis;
    private volatile boolean closed;

    /** @param targetPort on 127.0.0.1; the server need not be up yet */
    public FaultProxy(int targetPort) {
        this.targetPort = targetPort;
        try {
            listener = listen(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        port = listener.getLocalPort();
        accept(listener);
    }

    public int port() {
        return port;
    }

    /** Connections made from now on lead to another server, as a virtual address does after a failover. */
    public void retarget(int targetPort) {
        this.targetPort = targetPort;
    }

    /** Bytes that went through so far, towards the server. */
    public long bytesToServer() {
        return toServerBytes.get();
    }

    /** Bytes that went through so far, towards the client. */
    public long bytesToClient() {
        return toClientBytes.get();
    }

    /** Connections that are open now. */
    public int connections() {
        return links.size();
    }

    /** Bytes go nowhere, in both directions, and no connection is closed; new ones are taken and hang. */
    public void blackHole() {
        holdToServer();
        holdToClient();
    }

    /** What the client sends no longer arrives; what the server sends does. */
    public void holdToServer() {
        holdToServerOf("");
    }

    /** As {@link #holdToServer()}, on those connections alone whose client has said this text among its first bytes. */
    public void holdToServerOf(String greeting) {
        held = greeting;
        holdToServer = true;
    }

    /** What the server sends no longer arrives; what the client sends does. */
    public void holdToClient() {
        holdToClientOf("");
    }

    /** As {@link #holdToClient()}, on those connections alone whose client has said this text among its first bytes. */
    public void holdToClientOf(String greeting) {
        heldToClient = greeting;
        holdToClient = true;
    }

    /** New connections lead to another server, as after a failover; those that are open stay. */
    public void target(int otherPort) {
        targetPort = otherPort;
    }

    /** After so many more bytes of the server's, in the middle of whatever that is, the connection ends. Happens once. */
    public void endAfterBytesToClient(int bytes) {
        toClientBudget.set(bytes);
    }

    /** Every piece waits this long before it goes on. */
    public void delay(long millis) {
        delayMillis = millis;
    }

    /** Resets every connection; new ones are taken. */
    public void reset() {
        links.forEach(Link::reset);
    }

    /** Resets every connection and refuses new ones until {@link #heal()}. */
    public void cut() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        reset();
    }

    /** Lets everything through again; what was held arrives now. */
    public void heal() {
        synchronized (gate) {
            holdToServer = false;
            holdToClient = false;
            delayMillis = 0;
            gate.notifyAll();
        }
        if (listener.isClosed() && !closed) {
            try {
                listener = listen(port);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            accept(listener);
        }
    }

    @Override
    public void close() {
        closed = true;
        cut();
        heal();
    }

    private static ServerSocket listen(int port) throws IOException {
        var socket = new ServerSocket();
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        return socket;
    }

    private void accept(ServerSocket from) {
        thread("accept", () -> {
            while (!from.isClosed()) {
                Socket client;
                try {
                    client = from.accept();
                } catch (IOException e) {
                    return;
                }
                open(client);
            }
        });
    }

    private void open(Socket client) {
        try {
            client.setTcpNoDelay(true);
            var server = new Socket();
            var link = new Link(client, server);
            links.add(link);
            thread("to-server", () -> {
                try {
                    pass(link, true);
                    server.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), targetPort), 5_000);
                    server.setTcpNoDelay(true);
                } catch (IOException | InterruptedException e) {
                    link.reset();
                    return;
                }
                thread("to-client", () -> pump(link, server, client, false));
                pump(link, client, server, true);
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void pump(Link link, Socket from, Socket to, boolean toServer) {
        byte[] buffer = new byte[16 * 1024];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (toServer) {
                    link.greet(buffer, n);
                }
                pass(link, toServer);
                if (delayMillis > 0) {
                    TimeUnit.MILLISECONDS.sleep(delayMillis);
                }
                if (!toServer && toClientBudget.addAndGet(-n) < 0) {
                    int allowed = (int) (toClientBudget.getAndSet(Long.MAX_VALUE) + n);
                    out.write(buffer, 0, Math.max(0, allowed));
                    break;
                }
                out.write(buffer, 0, n);
                (toServer ? toServerBytes : toClientBytes).addAndGet(n);
            }
            pass(link, toServer); // a held direction doesn't tell of the end either
            link.finish();
        } catch (IOException e) {
            link.reset();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            link.reset();
        }
    }

    private void pass(Link link, boolean toServer) throws InterruptedException {
        synchronized (gate) {
            while (toServer
                    ? holdToServer && link.greeting.contains(held)
                    : holdToClient && link.greeting.contains(heldToClient)) {
                gate.wait();
            }
        }
    }

    private static void thread(String name, Runnable work) {
        var thread = new Thread(work, "fault-proxy-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    private final class Link {
        private final Socket client;
        private final Socket server;
        private volatile String greeting = "";

        Link(Socket client, Socket server) {
            this.client = client;
            this.server = server;
        }

        void greet(byte[] bytes, int length) {
            if (greeting.length() < 1_000) {
                greeting += new String(bytes, 0, Math.min(length, 1_000), StandardCharsets.ISO_8859_1);
            }
        }

        void finish() {
            links.remove(this);
            close(client);
            close(server);
        }

        /** As a machine that lost the connection answers: RST, not FIN. */
        void reset() {
            links.remove(this);
            abort(client);
            abort(server);
        }

        private void abort(Socket socket) {
            try {
                if (!socket.isClosed()) {
                    socket.setSoLinger(true, 0);
                }
            } catch (IOException notConnected) {
                // closed below all the same
            }
            close(socket);
        }

        private void close(Socket socket) {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
