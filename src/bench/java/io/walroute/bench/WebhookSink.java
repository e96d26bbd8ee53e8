package io.walroute.bench;

import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import io.walroute.hook.WebhookSignature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A receiver of webhooks that counts: requests, and the changes in them (the members of a JSON array, otherwise one). Of every
 * hundredth request it verifies the signature: of all, that would take as much of the machine that the senders share with it as
 * signing takes them. It speaks just enough HTTP/1.1 to take a POST of known length, for the same reason. A process of its own,
 * so that its memory and its garbage are nobody else's.
 */
public final class WebhookSink implements AutoCloseable {
    private final Child child;
    private final int port;
    private final HttpClient http = HttpClient.newHttpClient();

    private WebhookSink(Child child, int port) {
        this.child = child;
        this.port = port;
    }

    /** @param delayMs how long it takes to answer */
    static WebhookSink start(Path folder, int delayMs) throws IOException {
        Path log = folder.resolve("webhook-sink.log");
        Child child =
                Child.start(Child.java("-Xmx128m", WebhookSink.class, Integer.toString(delayMs)), Map.of(), null, log);
        while (!child.output().contains("\n")) {
            child.check();
            LockSupport.parkNanos(20_000_000);
        }
        return new WebhookSink(child, Integer.parseInt(child.output().strip()));
    }

    int port() {
        return port;
    }

    /** Why a signature that was looked at is none of {@link WalrouteProcess#SECRET}; null if all were right. */
    String fault() throws IOException, InterruptedException {
        long[] counts = counts();
        return counts[3] == 0 ? null : counts[3] + " of " + counts[2] + " signatures that were verified are wrong";
    }

    /** So far: requests, changes, requests whose signature was verified, and those of them that had a wrong one. */
    long[] counts() throws IOException, InterruptedException {
        String answer = http.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/counts"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
        return Arrays.stream(answer.split(" ")).mapToLong(Long::parseLong).toArray();
    }

    @Override
    public void close() {
        child.close();
    }

    // ---------------------------------------------------------------- the process

    private static final int VERIFIED_EVERY = 100;
    private static final int LONGEST_HEAD = 16 * 1024;
    private static final Buffer DONE = Buffer.buffer("HTTP/1.1 204 No Content\r\n\r\n");

    private static long requests;
    private static long changes;
    private static long verified;
    private static long wrong;

    public static void main(String[] args) throws Exception {
        long delay = Long.parseLong(args[0]);
        Vertx vertx = Vertx.vertx();
        var server = vertx.createNetServer(
                        new NetServerOptions().setHost("127.0.0.1").setPort(0).setTcpNoDelay(true))
                .connectHandler(socket -> socket.handler(new Requests(vertx, socket, delay)))
                .listen()
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        System.out.println(server.actualPort());
        Thread.currentThread().join();
    }

    /** The requests of one connection, on the one event loop of the one server. */
    private static final class Requests implements Handler<Buffer> {
        private final Vertx vertx;
        private final NetSocket socket;
        private final long delay;
        private final byte[] head = new byte[LONGEST_HEAD];
        private int headLength;
        private final Members members = new Members();
        /** Of the body that is being read. */
        private long left;
        /** What is to be verified of it; null if nothing is. */
        private ByteArrayOutputStream signed;

        Requests(Vertx vertx, NetSocket socket, long delay) {
            this.vertx = vertx;
            this.socket = socket;
            this.delay = delay;
        }

        @Override
        public void handle(Buffer buffer) {
            byte[] bytes = buffer.getBytes();
            int at = 0;
            while (at < bytes.length) {
                if (left == 0) {
                    at = readHead(bytes, at);
                } else {
                    int length = (int) Math.min(left, bytes.length - at);
                    members.add(bytes, at, length);
                    if (signed != null) {
                        signed.write(bytes, at, length);
                    }
                    at += length;
                    left -= length;
                    if (left == 0) {
                        take();
                    }
                }
            }
        }

        /** Returns up to where it has read. */
        private int readHead(byte[] bytes, int from) {
            for (int at = from; at < bytes.length; at++) {
                if (headLength == LONGEST_HEAD) {
                    throw new IllegalStateException("a request's head is longer than " + LONGEST_HEAD + " bytes");
                }
                head[headLength++] = bytes[at];
                if (bytes[at] == '\n' && headLength > 3 && head[headLength - 3] == '\n') {
                    begin();
                    return at + 1;
                }
            }
            return bytes.length;
        }

        private void begin() {
            String length = header("content-length");
            if (head[0] == 'G') {
                String counts = requests + " " + changes + " " + verified + " " + wrong;
                socket.write("HTTP/1.1 200 OK\r\nContent-Length: " + counts.length() + "\r\n\r\n" + counts);
                headLength = 0;
                return;
            }
            if (length == null || length.equals("0")) {
                throw new IllegalStateException("a request without a body of known length");
            }
            left = Long.parseLong(length);
            signed = requests % VERIFIED_EVERY == 0 ? new ByteArrayOutputStream((int) left) : null;
        }

        /** @param name in small letters */
        private String header(String name) {
            for (int at = 0; at < headLength; at++) {
                if (head[at] == '\n' && isName(at + 1, name)) {
                    int from = at + 2 + name.length();
                    int end = from;
                    while (head[end] != '\r') {
                        end++;
                    }
                    return new String(head, from, end - from, StandardCharsets.ISO_8859_1).strip();
                }
            }
            return null;
        }

        private boolean isName(int at, String name) {
            if (at + name.length() >= headLength || head[at + name.length()] != ':') {
                return false;
            }
            for (int i = 0; i < name.length(); i++) {
                byte b = head[at + i];
                if ((b >= 'A' && b <= 'Z' ? b + 32 : b) != name.charAt(i)) {
                    return false;
                }
            }
            return true;
        }

        private void take() {
            if (signed != null) {
                verified++;
                wrong += isSigned() ? 0 : 1;
            }
            requests++;
            changes += members.take();
            headLength = 0;
            if (delay == 0) {
                socket.write(DONE);
            } else {
                vertx.setTimer(delay, id -> socket.write(DONE));
            }
        }

        private boolean isSigned() {
            Map<String, String> headers = new HashMap<>();
            for (String name : List.of(WebhookSignature.ID, WebhookSignature.TIMESTAMP, WebhookSignature.SIGNATURE)) {
                headers.put(name, header(name));
            }
            return WebhookSignature.verify(
                    List.of(WalrouteProcess.SECRET),
                    headers,
                    signed.toByteArray(),
                    Duration.ofMinutes(5),
                    Instant.now());
        }
    }

    /** How many members a JSON array has; 1 for anything else. In pieces, as they come. */
    static final class Members {
        private int members;
        private int depth;
        private boolean text;
        private boolean escaped;
        /** Whether the first byte was seen, and what it was. */
        private byte first;

        void add(byte[] bytes, int from, int length) {
            int at = from;
            int end = from + length;
            if (first == 0 && length > 0) {
                first = bytes[at];
            }
            if (first != '[') {
                return;
            }
            while (at < end) {
                byte b = bytes[at++];
                if (escaped) {
                    escaped = false;
                } else if (text) {
                    if (b == '"') {
                        text = false;
                    } else if (b == '\\') {
                        escaped = true;
                    }
                } else if (b == '"') {
                    text = true;
                } else if (b == '{' || b == '[') {
                    members += depth == 1 && b == '{' ? 1 : 0;
                    depth++;
                } else if (b == '}' || b == ']') {
                    depth--;
                }
            }
        }

        /** Begins anew. */
        int take() {
            int result = first == '[' ? members : 1;
            members = 0;
            depth = 0;
            first = 0;
            text = false;
            escaped = false;
            return result;
        }
    }
}
