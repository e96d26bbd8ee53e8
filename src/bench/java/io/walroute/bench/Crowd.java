package io.walroute.bench;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/**
 * Many WebSocket clients on one thread: they read frames' heads and count them, and look into a frame only for each so many-th
 * client. Far cheaper than any client library, since what is to be measured shares the machine. A process of its own:
 *
 * <pre>Crowd PORT CLIENTS TOPIC|-</pre>
 *
 * It says {@code READY} once all are connected (and have been told that they are subscribed), then answers each line on its stdin
 * with {@code frames events gaps last-event-nanos p50 p99 p99.9 max}, latencies in microseconds since the event's own {@code token_id}, which is
 * the {@link System#nanoTime()} of when it was due.
 */
public final class Crowd {
    private static final int LOOK_INTO_EVERY = 20;
    private static final byte[] DUE = "\"token_id\":\"".getBytes(StandardCharsets.US_ASCII);

    private final Selector selector = Selector.open();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
    private final Histogram micros = new ConcurrentHistogram(600_000_000L, 3);
    private final Map<String, Integer> seen = new ConcurrentHashMap<>();
    private volatile long frames;
    private volatile long events;
    private volatile long lastEvent;
    private volatile int answered;
    private volatile int lost;

    private Crowd() throws IOException {}

    /**
     * What its clients have had so far.
     *
     * @param gaps gap frames and lost connections
     * @param lastEventNanos when the last event frame came
     */
    record Counts(
            long frames,
            long events,
            long gaps,
            long lastEventNanos,
            double p50Ms,
            double p99Ms,
            double p999Ms,
            double maxMs) {}

    /** The process, from outside. */
    static final class Remote implements AutoCloseable {
        private final Process process;

        private Remote(Process process) {
            this.process = process;
        }

        /** Waits until all are connected and subscribed. @param topic null for none */
        static Remote start(int port, int clients, String topic) throws IOException {
            var command = Child.java(
                    "-Xmx512m",
                    Crowd.class,
                    Integer.toString(port),
                    Integer.toString(clients),
                    topic == null ? "-" : topic);
            var remote = new Remote(Child.orphanless(new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start()));
            String line = remote.process.inputReader().readLine();
            if (!"READY".equals(line)) {
                remote.close();
                throw new IOException("the crowd of clients didn't get in: " + line);
            }
            return remote;
        }

        Counts counts() throws IOException {
            process.outputWriter().write("\n");
            process.outputWriter().flush();
            String line = process.inputReader().readLine();
            if (line == null) {
                throw new IOException("the crowd of clients has gone");
            }
            String[] words = line.split(" ");
            return new Counts(
                    Long.parseLong(words[0]),
                    Long.parseLong(words[1]),
                    Long.parseLong(words[2]),
                    Long.parseLong(words[3]),
                    Long.parseLong(words[4]) / 1e3,
                    Long.parseLong(words[5]) / 1e3,
                    Long.parseLong(words[6]) / 1e3,
                    Long.parseLong(words[7]) / 1e3);
        }

        @Override
        public void close() {
            process.destroy();
        }
    }

    /** A connection and what is left of a frame that hasn't come whole. */
    private static final class Client {
        final boolean looksInto;
        boolean open;
        byte[] left = new byte[0];

        Client(boolean looksInto) {
            this.looksInto = looksInto;
        }
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        int clients = Integer.parseInt(args[1]);
        var crowd = new Crowd();
        var reading = new Thread(crowd::read, "crowd");
        List<SocketChannel> channels = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            channels.add(crowd.connect(port, new Client(i % LOOK_INTO_EVERY == 0)));
            if (i == 0) {
                reading.start();
            }
            // Not faster than the server's queue of new connections can take.
            while (i - crowd.answered > 100) {
                Thread.sleep(1); // the reading thread counts; it has better to do than to wake this one
            }
        }
        crowd.awaitAnswers(clients);
        if (!args[2].equals("-")) {
            crowd.answered = 0;
            ByteBuffer subscribe = frame("{\"type\":\"subscribe\",\"id\":\"s\",\"topic\":\"" + args[2] + "\"}");
            for (SocketChannel channel : channels) {
                channel.write(subscribe.duplicate());
            }
            crowd.awaitAnswers(clients);
        }
        crowd.frames = 0;
        System.out.println("READY");
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (in.readLine() != null) {
            System.out.println(crowd.line());
        }
        System.exit(0);
    }

    private String line() {
        Histogram now = micros.copy();
        return frames + " " + events + " " + (seen.getOrDefault("gap", 0) + lost) + " " + lastEvent + " "
                + now.getValueAtPercentile(50) + " " + now.getValueAtPercentile(99) + " "
                + now.getValueAtPercentile(99.9) + " "
                + now.getMaxValue();
    }

    private void awaitAnswers(int clients) throws InterruptedException {
        while (answered + lost < clients) {
            Thread.sleep(10); // the same
        }
    }

    private SocketChannel connect(int port, Client client) throws IOException {
        SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.write(ByteBuffer.wrap(("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:" + port
                        + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII)));
        channel.configureBlocking(false);
        selector.wakeup();
        channel.register(selector, SelectionKey.OP_READ, client);
        return channel;
    }

    /** A short text frame, with a mask of zeros. */
    private static ByteBuffer frame(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer frame = ByteBuffer.allocate(bytes.length + 6);
        frame.put((byte) 0x81)
                .put((byte) (0x80 | bytes.length))
                .putInt(0)
                .put(bytes)
                .flip();
        return frame;
    }

    private void read() {
        try {
            while (true) {
                selector.select(100);
                var keys = selector.selectedKeys().iterator();
                while (keys.hasNext()) {
                    SelectionKey key = keys.next();
                    keys.remove();
                    read((SocketChannel) key.channel(), (Client) key.attachment());
                }
            }
        } catch (IOException e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private void read(SocketChannel channel, Client client) throws IOException {
        buffer.clear();
        int count;
        try {
            count = channel.read(buffer);
        } catch (IOException reset) {
            count = -1;
        }
        if (count < 0) {
            lost++;
            channel.close();
            return;
        }
        buffer.flip();
        byte[] bytes = new byte[client.left.length + buffer.remaining()];
        System.arraycopy(client.left, 0, bytes, 0, client.left.length);
        buffer.get(bytes, client.left.length, buffer.remaining());
        int used = client.open ? 0 : upgraded(bytes, client);
        if (client.open) {
            used = frames(bytes, used, client);
        }
        client.left = java.util.Arrays.copyOfRange(bytes, used, bytes.length);
    }

    private int upgraded(byte[] bytes, Client client) throws IOException {
        String head = new String(bytes, StandardCharsets.ISO_8859_1);
        int end = head.indexOf("\r\n\r\n");
        if (end < 0) {
            return 0;
        }
        if (!head.startsWith("HTTP/1.1 101")) {
            throw new IOException("no WebSocket: " + head.lines().findFirst().orElse(""));
        }
        client.open = true;
        answered++;
        return end + 4;
    }

    /** @return up to where whole frames went */
    private int frames(byte[] bytes, int from, Client client) {
        int at = from;
        while (at + 2 <= bytes.length) {
            int length = bytes[at + 1] & 0x7f;
            int head = 2;
            if (length == 126) {
                if (at + 4 > bytes.length) {
                    break;
                }
                length = (bytes[at + 2] & 0xff) << 8 | bytes[at + 3] & 0xff;
                head = 4;
            } else if (length == 127) {
                if (at + 10 > bytes.length) {
                    break;
                }
                length = (int) ByteBuffer.wrap(bytes, at + 2, 8).getLong();
                head = 10;
            }
            if (at + head + length > bytes.length) {
                break;
            }
            take(bytes, at + head, length, (bytes[at] & 0x0f) == 1, client);
            at += head + length;
        }
        return at;
    }

    private void take(byte[] bytes, int from, int length, boolean text, Client client) {
        if (!text) {
            return;
        }
        frames++;
        // {"type":"event" and so on: the type's first letter tells.
        switch (bytes[from + 9]) {
            case 'e' -> {
                if (bytes[from + 10] == 'r') {
                    throw new IllegalStateException(new String(bytes, from, length, StandardCharsets.UTF_8));
                }
                events++;
                lastEvent = System.nanoTime();
                if (client.looksInto) {
                    look(bytes, from, length);
                }
            }
            case 's' -> answered++;
            case 'g' -> seen.merge("gap", 1, Integer::sum);
            default -> {} // pong
        }
    }

    private void look(byte[] bytes, int from, int length) {
        for (int i = from; i < from + length - DUE.length; i++) {
            if (java.util.Arrays.equals(bytes, i, i + DUE.length, DUE, 0, DUE.length)) {
                long due = 0;
                for (int d = i + DUE.length; bytes[d] != '"'; d++) {
                    due = due * 10 + bytes[d] - '0';
                }
                micros.recordValue(Math.min(600_000_000L, Math.max(0, (System.nanoTime() - due) / 1_000)));
                return;
            }
        }
    }
}
