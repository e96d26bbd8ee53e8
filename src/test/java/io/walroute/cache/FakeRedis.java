package io.walroute.cache;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * A server that speaks just enough of Redis' protocol to be connected to, and answers scripts as it is told: for answers that
 * a real server gives only while it loads, saves, or is one of a cluster.
 */
final class FakeRedis implements AutoCloseable {
    private final ServerSocket listener;
    private final List<Socket> clients = new CopyOnWriteArrayList<>();
    private final AtomicInteger scripts = new AtomicInteger();
    private final AtomicInteger trials = new AtomicInteger();

    /** The reply to a script's call, as it goes over the wire; null: none, and the connection ends. */
    volatile Function<List<String>, String> toScript = FakeRedis::written;

    FakeRedis() {
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        daemon(() -> {
            while (true) {
                Socket client = listener.accept();
                clients.add(client);
                daemon(() -> serve(client));
            }
        });
    }

    /** The reply to PING, which stands at a connection's beginning. */
    volatile String toPing = "+PONG\r\n";

    private interface Work {
        void run() throws IOException;
    }

    private static void daemon(Work work) {
        var thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (IOException closed) {
                        // by either side
                    }
                },
                "fake-redis");
        thread.setDaemon(true);
        thread.start();
    }

    int port() {
        return listener.getLocalPort();
    }

    String url() {
        return "redis://127.0.0.1:" + port();
    }

    int connections() {
        return clients.size();
    }

    /** How many writes of no meaning came. */
    int trials() {
        return trials.get();
    }

    /** How many script calls came. */
    int scripts() {
        return scripts.get();
    }

    private void serve(Socket client) throws IOException {
        var in = new BufferedInputStream(client.getInputStream());
        while (true) {
            List<String> command = read(in);
            String reply = reply(command);
            if (reply == null) {
                client.close();
                return;
            }
            client.getOutputStream().write(reply.getBytes(StandardCharsets.UTF_8));
            if (!reply.endsWith("\r\n")) {
                client.close();
                return;
            }
        }
    }

    /** What a script answers that makes its changes; {@link Script#APPLY} and {@link Script#WRITE} do so for each row. */
    static String written(List<String> call) {
        int rows = rows(call);
        return rows == 0 ? ":1\r\n" : "*" + rows + "\r\n" + ":1\r\n".repeat(rows);
    }

    /** 0 if it is neither {@link Script#APPLY} nor {@link Script#WRITE}. */
    static int rows(List<String> call) {
        int entries = Integer.parseInt(call.get(2)) - 3;
        return call.get(1).equals(Script.WRITE.sha())
                ? entries
                : call.get(1).equals(Script.APPLY.sha()) ? entries / 2 : 0;
    }

    private String reply(List<String> command) {
        return switch (command.get(0).toUpperCase(java.util.Locale.ROOT)) {
            case "HELLO" -> "-ERR unknown command 'HELLO'\r\n";
            case "PING" -> toPing;
            case "HGETALL" -> "*0\r\n";
            case "HSET" -> ":1\r\n";
            case "EVALSHA", "EVAL" -> {
                scripts.incrementAndGet();
                yield toScript.apply(command);
            }
            case "SETEX" -> {
                trials.incrementAndGet();
                String reply = toScript.apply(command);
                yield reply.startsWith("-") ? reply : "+OK\r\n";
            }
            default -> "+OK\r\n";
        };
    }

    private static List<String> read(InputStream in) throws IOException {
        int count = Integer.parseInt(line(in).substring(1));
        var words = new ArrayList<String>(count);
        for (int i = 0; i < count; i++) {
            int length = Integer.parseInt(line(in).substring(1));
            words.add(new String(in.readNBytes(length), StandardCharsets.UTF_8));
            line(in);
        }
        return words;
    }

    private static String line(InputStream in) throws IOException {
        var line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new IOException("closed");
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (Socket client : clients) {
                client.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
