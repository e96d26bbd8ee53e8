package io.walroute.notify;

import static io.walroute.notify.Service.insert;
import static io.walroute.notify.WsClient.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Frames that no client should send, by raw sockets: broken ones, too large ones, ones that make no sense.
 * {@code -Dwalroute.seed=N} repeats a run.
 */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class FrameFuzzTest {
    private static final String TOPIC = "listings.created";
    private static final int FRAMES = 100_000;
    private static final int ATTACKERS = 4;
    private static final int MOST_IN_A_ROW = 60;
    private static final int MAX_MESSAGE = 4 << 10;
    private static final int PATIENCE_MILLIS = 20_000;
    private static final long ROOM_BYTES = 24L << 20;
    private static final Set<String> ANSWERS = Set.of("error", "pong", "subscribed", "unsubscribed", "gap", "event");

    private static final int CONTINUATION = 0;
    private static final int TEXT = 1;
    private static final int BINARY = 2;
    private static final int CLOSE = 8;
    private static final int PING = 9;
    private static final int PONG = 10;

    /** What may be wrong with a frame. */
    private enum Kind {
        VALID,
        GARBAGE,
        MUTATED,
        NESTED,
        HUGE_NUMBER,
        WRONG_TYPES,
        EMPTY,
        BINARY,
        FRAGMENTED,
        PINGED,
        /** Not checked by all servers. */
        NO_UTF_8,
        // From here on the connection has to end.
        UNMASKED,
        RESERVED_OPCODE,
        RESERVED_BITS,
        LONG_PING,
        FRAGMENTED_PING,
        TOO_LARGE,
        TOO_LARGE_IN_PARTS,
        LENGTH_OF_2_TO_THE_63,
        NOTHING_TO_CONTINUE,
        NOT_CONTINUED,
        // It has to end when the client is gone.
        RANDOM_BYTES,
        CUT;

        boolean ends() {
            return ordinal() >= UNMASKED.ordinal();
        }

        /** Whether what comes after it may be taken for a part of it. */
        boolean swallows() {
            return this == RANDOM_BYTES || this == CUT || this == LENGTH_OF_2_TO_THE_63;
        }
    }

    @TempDir
    Path folder;

    private final Opened open = new Opened();
    private final AtomicInteger sent = new AtomicInteger();
    private final Map<Kind, Integer> kinds = Collections.synchronizedMap(new EnumMap<>(Kind.class));
    private final List<String> complaints = Collections.synchronizedList(new ArrayList<>());
    private final AppenderBase<ILoggingEvent> log = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            if (event.getLevel().isGreaterOrEqual(Level.WARN)) {
                complaints.add(event.toString());
            }
        }
    };

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private void listen(String logger) {
        var observed = (Logger) LoggerFactory.getLogger(logger);
        observed.addAppender(log);
        open.add(() -> observed.detachAppender(log));
    }

    @Test
    void whatever_a_hundred_thousand_frames_hold_it_costs_the_server_and_other_clients_nothing() throws Exception {
        long seed = Long.getLong("walroute.seed", System.nanoTime());
        System.out.println("Frame fuzz, seed " + seed);
        log.start();
        listen("io.walroute");
        listen("io.vertx");
        Service service = open.service(
                folder,
                NotifySettings.builder()
                        .port(0)
                        .limits(new NotifyLimits(
                                100, Integer.MAX_VALUE, 1000, MAX_MESSAGE, 1_000_000, Duration.ofSeconds(10)))
                        .build());
        WsClient honest = open.client(service);
        honest.subscribe("s1", TOPIC);
        attack(service, new Random(seed), 2_000); // what is loaded and cached once is there
        long heap = heapAfterGc();

        AtomicBoolean done = new AtomicBoolean();
        Future<Long> changes = go(1, () -> {
                    long id = 0;
                    while (!done.get()) {
                        assertThat(service.send(TOPIC, insert(++id))
                                        .get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)
                                        .getException())
                                .isNull();
                        TimeUnit.MILLISECONDS.sleep(5);
                    }
                    return id;
                })
                .get(0);
        var random = new Random(seed + 1);
        List<Future<Void>> attackers = go(ATTACKERS, () -> {
            attack(service, new Random(nextSeed(random)), FRAMES);
            return null;
        });
        for (Future<Void> each : attackers) {
            each.get();
        }
        done.set(true);
        System.out.println("Sent " + sent + ": " + kinds);

        assertThat(sent.get()).isGreaterThanOrEqualTo(FRAMES);
        assertThat(kinds.keySet()).containsExactlyInAnyOrder(Kind.values());
        long last = changes.get();
        assertThat(honest.untilPong().stream()
                        .map(frame -> frame.at("/event/key/id").asLong())
                        .toList())
                .isEqualTo(LongStream.rangeClosed(1, last).boxed().toList());
        await().untilAsserted(() ->
                assertThat(service.meter("walroute.notify.clients")).isEqualTo(1));
        assertThat(service.meter("walroute.notify.subscriptions")).isEqualTo(1);
        assertThat(service.component.problem()).isEmpty();
        assertThat(complaints).as("what the server logged, seed %d", seed).isEmpty();
        await().atMost(Duration.ofSeconds(30))
                .pollInterval(Duration.ofSeconds(1))
                .untilAsserted(() -> assertThat(heapAfterGc()).isLessThan(heap + ROOM_BYTES));
    }

    private <T> List<Future<T>> go(int many, Callable<T> work) {
        ExecutorService threads = Executors.newFixedThreadPool(many);
        open.add(threads::shutdownNow);
        var running = new ArrayList<Future<T>>();
        for (int i = 0; i < many; i++) {
            running.add(threads.submit(work));
        }
        return running;
    }

    private static synchronized long nextSeed(Random random) {
        return random.nextLong();
    }

    private static long heapAfterGc() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    // ---- attacks

    private void attack(Service service, Random random, int upTo) throws Exception {
        while (sent.get() < upTo) {
            try (var socket = new Socket(InetAddress.getLoopbackAddress(), service.port())) {
                socket.setSoTimeout(PATIENCE_MILLIS);
                socket.getOutputStream()
                        .write(("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                        + "Sec-WebSocket-Version: 13\r\n\r\n")
                                .getBytes(StandardCharsets.US_ASCII));
                var in = new DataInputStream(socket.getInputStream());
                skipHead(in);
                attack(socket, in, random);
            }
        }
    }

    private static void skipHead(DataInputStream in) throws IOException {
        var head = new StringBuilder();
        while (!head.toString().endsWith("\r\n\r\n")) {
            head.append((char) in.readUnsignedByte());
        }
        assertThat(head).startsWith("HTTP/1.1 101");
    }

    /** Some frames in one go, up to the first that ends the connection. */
    private void attack(Socket socket, DataInputStream in, Random random) throws IOException {
        var bytes = new ByteArrayOutputStream();
        List<Kind> row = new ArrayList<>();
        do {
            Kind kind = kind(random);
            row.add(kind);
            frame(kind, random, bytes);
        } while (!row.get(row.size() - 1).ends() && row.size() < MOST_IN_A_ROW);
        row.forEach(kind -> kinds.merge(kind, 1, Integer::sum));
        sent.addAndGet(row.size());
        Kind last = row.get(row.size() - 1);
        boolean answered;
        try {
            if (!last.ends()) {
                bytes.writeBytes(masked(true, TEXT, "{\"type\":\"ping\"}".getBytes(StandardCharsets.US_ASCII), random));
            }
            socket.getOutputStream().write(bytes.toByteArray());
            if (last.swallows()) {
                socket.shutdownOutput();
            }
            answered = isAnswered(in, row);
        } catch (SocketException reset) {
            answered = false; // the server closed while there was something that it hadn't read
        }
        if (last.ends()) {
            assertThat(answered).as("goes on after %s", row).isFalse();
        }
    }

    private static Kind kind(Random random) {
        Kind[] all = Kind.values();
        // Mostly what doesn't end the connection: a frame shall meet a server that has seen others.
        return random.nextInt(30) == 0
                ? all[Kind.UNMASKED.ordinal() + random.nextInt(all.length - Kind.UNMASKED.ordinal())]
                : random.nextInt(5) == 0 ? Kind.VALID : all[random.nextInt(Kind.UNMASKED.ordinal())];
    }

    /** Reads until the last ping's pong or the connection's end. @return whether it goes on */
    private static boolean isAnswered(DataInputStream in, List<Kind> row) throws IOException {
        long pongs = 1 + row.stream().filter(kind -> kind == Kind.PINGED).count();
        try {
            while (true) {
                int first = in.readUnsignedByte();
                int length = in.readUnsignedByte();
                assertThat(length).as("a server doesn't mask").isLessThan(128);
                byte[] payload = new byte
                        [length < 126
                                ? length
                                : length == 126 ? in.readUnsignedShort() : Math.toIntExact(in.readLong())];
                in.readFully(payload);
                switch (first & 15) {
                    case TEXT -> {
                        JsonNode answer = WsClient.parse(new String(payload, StandardCharsets.UTF_8));
                        assertThat(type(answer)).as(answer.toString()).isIn(ANSWERS);
                        if (type(answer).equals("pong") && --pongs == 0) {
                            return true;
                        }
                    }
                    case CLOSE -> {
                        return false;
                    }
                    case PING, PONG -> {}
                    default -> assertThat(first & 15).as("opcode").isEqualTo(TEXT);
                }
            }
        } catch (EOFException ended) {
            return false;
        }
    }

    // ---- frames

    private static void frame(Kind kind, Random random, ByteArrayOutputStream out) {
        switch (kind) {
            case VALID -> out.writeBytes(text(valid(random), random));
            case GARBAGE -> out.writeBytes(text(printable(random, random.nextInt(200)), random));
            case MUTATED -> out.writeBytes(text(mutated(valid(random), random), random));
            case NESTED -> {
                int depth = 1 + random.nextInt(MAX_MESSAGE / 2 - 100);
                String open = random.nextBoolean() ? "[" : "{\"a\":";
                int levels = Math.min(depth, (MAX_MESSAGE - 200) / open.length());
                out.writeBytes(text(
                        "{\"type\":\"subscribe\",\"id\":\"x\",\"topic\":\"t\",\"filter\":{\"a\":" + open.repeat(levels),
                        random));
            }
            case HUGE_NUMBER ->
                out.writeBytes(text(
                        "{\"type\":\"subscribe\",\"id\":\"n\",\"topic\":\"" + TOPIC + "\",\"filter\":{\"id\":{\"gt\":"
                                + List.of(
                                                "1e999999999",
                                                "1e-999999999",
                                                "-9".repeat(1) + "9".repeat(3000),
                                                "1E+2147483647")
                                        .get(random.nextInt(4))
                                + "}}}",
                        random));
            case WRONG_TYPES ->
                out.writeBytes(text(
                        "{\"type\":" + value(random) + ",\"id\":" + value(random) + ",\"topic\":" + value(random)
                                + ",\"filter\":" + value(random) + ",\"columns\":" + value(random) + ",\"since\":"
                                + value(random) + "}",
                        random));
            case EMPTY -> out.writeBytes(text("", random));
            case BINARY -> out.writeBytes(masked(true, BINARY, bytes(random, random.nextInt(200)), random));
            case FRAGMENTED -> {
                byte[] whole = valid(random).getBytes(StandardCharsets.UTF_8);
                int cut = random.nextInt(whole.length);
                out.writeBytes(masked(false, TEXT, java.util.Arrays.copyOf(whole, cut), random));
                out.writeBytes(masked(true, PING, bytes(random, 5), random));
                out.writeBytes(
                        masked(true, CONTINUATION, java.util.Arrays.copyOfRange(whole, cut, whole.length), random));
            }
            case PINGED -> {
                out.writeBytes(masked(true, PING, bytes(random, random.nextInt(126)), random));
                out.writeBytes(text("{\"type\":\"ping\"}", random));
            }
            case NO_UTF_8 -> out.writeBytes(masked(true, TEXT, new byte[] {'"', (byte) 0xc3, '(', '"'}, random));
            case UNMASKED -> {
                out.write(0x80 | TEXT);
                out.write(2);
                out.writeBytes("{}".getBytes(StandardCharsets.US_ASCII));
            }
            case RESERVED_OPCODE ->
                out.writeBytes(masked(
                        true,
                        List.of(3, 4, 5, 6, 7, 11, 12, 13, 14, 15).get(random.nextInt(10)),
                        bytes(random, 5),
                        random));
            case RESERVED_BITS -> {
                byte[] frame = text("{\"type\":\"ping\"}", random);
                frame[0] |= (byte) (0x10 << random.nextInt(3));
                out.writeBytes(frame);
            }
            case LONG_PING -> out.writeBytes(masked(true, PING, bytes(random, 126 + random.nextInt(200)), random));
            case FRAGMENTED_PING -> out.writeBytes(masked(false, PING, bytes(random, 5), random));
            case TOO_LARGE ->
                out.writeBytes(masked(true, TEXT, bytes(random, MAX_MESSAGE + 1 + random.nextInt(100_000)), random));
            case TOO_LARGE_IN_PARTS -> {
                out.writeBytes(masked(false, TEXT, "x".repeat(MAX_MESSAGE - 10).getBytes(), random));
                for (int i = 0; i < 5; i++) {
                    out.writeBytes(masked(
                            i == 4, CONTINUATION, "x".repeat(MAX_MESSAGE - 10).getBytes(), random));
                }
            }
            case LENGTH_OF_2_TO_THE_63 -> {
                out.write(0x80 | TEXT);
                out.write(0x80 | 127);
                out.write(random.nextBoolean() ? 0xff : 0x7f);
                out.writeBytes(bytes(random, 11 + random.nextInt(300)));
            }
            case NOTHING_TO_CONTINUE -> out.writeBytes(masked(true, CONTINUATION, bytes(random, 5), random));
            case NOT_CONTINUED -> {
                out.writeBytes(masked(false, TEXT, "{\"type\":".getBytes(StandardCharsets.US_ASCII), random));
                out.writeBytes(text("{\"type\":\"ping\"}", random));
            }
            case RANDOM_BYTES -> out.writeBytes(bytes(random, 1 + random.nextInt(3000)));
            case CUT -> {
                byte[] frame = text(valid(random), random);
                out.writeBytes(java.util.Arrays.copyOf(frame, 1 + random.nextInt(frame.length - 1)));
            }
        }
    }

    private static String valid(Random random) {
        String id = "\"s" + random.nextInt(5) + "\"";
        return switch (random.nextInt(5)) {
            case 0 -> "{\"type\":\"unsubscribe\",\"id\":" + id + "}";
            case 1 -> "{\"type\":\"auth\",\"token\":\"x\"}";
            case 2 ->
                "{\"type\":\"subscribe\",\"id\":" + id + ",\"topic\":\"" + TOPIC
                        + "\",\"filter\":{\"id\":{\"in\":[1,2,\"3\"]},\"a\":{\"lt\":4.50}},\"columns\":[\"id\"]}";
            case 3 ->
                "{\"type\":\"subscribe\",\"id\":" + id + ",\"topic\":\"l*\",\"since\":\"" + random.nextInt(100) + "\"}";
            default -> "{\"type\":\"subscribe\",\"id\":" + id + ",\"topic\":\"other\"}";
        };
    }

    private static String mutated(String message, Random random) {
        var text = new StringBuilder(message);
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(4)) {
                case 0 -> text.setCharAt(at, (char) (1 + random.nextInt(0xd7fe)));
                case 1 -> text.insert(at, text.substring(at));
                case 2 -> text.setLength(at + 1);
                default -> text.deleteCharAt(at).append('}');
            }
        }
        return text.length() > MAX_MESSAGE / 4 ? text.substring(0, MAX_MESSAGE / 4) : text.toString();
    }

    private static String value(Random random) {
        return switch (random.nextInt(10)) {
            case 0 -> "null";
            case 1 -> "true";
            case 2 -> "-0";
            case 3 -> "[]";
            case 4 -> "{}";
            case 5 -> "[null,[1e400],{\"\":{}}]";
            case 6 -> "{\"a\":{\"in\":[{}]},\"\":{\"is_null\":1}}";
            case 7 -> "\"subscribe\"";
            case 8 -> "\"" + "\\u0000".repeat(random.nextInt(50)) + "\"";
            default -> Long.toString(random.nextLong());
        };
    }

    private static String printable(Random random, int length) {
        var text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append((char) (32 + random.nextInt(95)));
        }
        return text.toString();
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] text(String text, Random random) {
        return masked(true, TEXT, text.getBytes(StandardCharsets.UTF_8), random);
    }

    private static byte[] masked(boolean last, int opcode, byte[] payload, Random random) {
        var frame = new ByteArrayOutputStream(payload.length + 14);
        frame.write((last ? 0x80 : 0) | opcode);
        if (payload.length < 126) {
            frame.write(0x80 | payload.length);
        } else if (payload.length < 65_536) {
            frame.write(0x80 | 126);
            frame.write(payload.length >> 8);
            frame.write(payload.length);
        } else {
            frame.write(0x80 | 127);
            for (int shift = 56; shift >= 0; shift -= 8) {
                frame.write((int) ((long) payload.length >> shift));
            }
        }
        byte[] mask = bytes(random, 4);
        frame.writeBytes(mask);
        for (int i = 0; i < payload.length; i++) {
            frame.write(payload[i] ^ mask[i % 4]);
        }
        return frame.toByteArray();
    }
}
