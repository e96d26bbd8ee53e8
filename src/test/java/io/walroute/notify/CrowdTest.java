package io.walroute.notify;

import static io.walroute.notify.Service.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two thousand clients, first all of them reading, then some of them not reading at all. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class CrowdTest {
    private static final String TOPIC = "listings.created";
    private static final int CLIENTS = 2000;
    private static final int SILENT = 50;
    private static final int GROUPS = 39;
    private static final int CHANGES = 1000;
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    /** More than the sockets of a client and its queue take together. */
    private static final String TEXT = "x".repeat(8 << 10);

    private static final int QUEUE_FRAMES = 50;
    private static final long ROOM_BYTES = (long) SILENT * QUEUE_FRAMES * TEXT.length() + (24L << 20);

    @TempDir
    Path folder;

    private final Opened open = new Opened();

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    @Test
    void fifty_of_two_thousand_clients_that_do_not_read_cost_neither_heap_nor_latency() throws Exception {
        Service service = open.service(
                folder,
                NotifySettings.builder().port(0).queueFrames(QUEUE_FRAMES).build());
        var crowd = new Crowd(service.port());
        open.add(crowd);
        for (int i = 0; i < CLIENTS; i++) {
            // Those that will be silent get every change, each in a text of its own: nothing that they share.
            crowd.connect(
                    i < SILENT
                            ? "\"columns\":[\"t\",\"of_client_" + i + "\"]"
                            : "\"filter\":{\"g\":\"" + i % GROUPS + "\"}");
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> service.meter("walroute.notify.subscriptions") == CLIENTS);

        long[] before = send(service, 0); // the first round also warms up
        awaitArrival(crowd, 0, 1);
        before = send(service, 1);
        awaitArrival(crowd, 0, 2);
        long heapBefore = heapAfterGc();
        assertThat(service.meter("walroute.notify.dropped")).isZero();

        crowd.silence(SILENT);
        long[] after = send(service, 2);
        awaitArrival(crowd, SILENT, 3);
        long heapAfter = heapAfterGc();
        for (Member silent : crowd.members.subList(0, SILENT)) {
            assertThat(silent.events).as("of a client that doesn't read").isLessThan(3 * CHANGES);
        }
        System.out.printf(
                "Route latency p50/p99: all read %.1f/%.1f ms, %d silent %.1f/%.1f ms; heap %d and %d MB%n",
                percentile(before, 50),
                percentile(before, 99),
                SILENT,
                percentile(after, 50),
                percentile(after, 99),
                heapBefore >> 20,
                heapAfter >> 20);
        assertThat(heapAfter).isLessThan(heapBefore + ROOM_BYTES);
        assertThat(percentile(after, 50)).isLessThan(2 * percentile(before, 50) + 5);
        assertThat(percentile(after, 99)).isLessThan(2 * percentile(before, 99) + 50);
        assertThat(service.meter("walroute.notify.clients")).isEqualTo(CLIENTS);

        crowd.silence(0);
        awaitArrival(crowd, 0, 3); // what they didn't read waited in the log
    }

    /** @return how long each change was on its way, from the route to the disk, in nanoseconds */
    private static long[] send(Service service, int round) throws Exception {
        var sent = new ArrayList<CompletableFuture<Exchange>>();
        long[] nanos = new long[CHANGES];
        long next = System.nanoTime();
        for (int i = 0; i < CHANGES; i++) {
            int change = i;
            long begun = System.nanoTime();
            sent.add(service.send(
                            TOPIC, insert((long) round * CHANGES + i + 1, "g", Integer.toString(i % GROUPS), "t", TEXT))
                    .whenComplete((exchange, failed) -> nanos[change] = System.nanoTime() - begun));
            next += PAUSE_NANOS;
            LockSupport.parkNanos(next - System.nanoTime());
        }
        for (var each : sent) {
            assertThat(each.get(60, TimeUnit.SECONDS).getException()).isNull();
        }
        return nanos;
    }

    /** Each client from there on has got all that it asked for in so many rounds. */
    private static void awaitArrival(Crowd crowd, int from, int rounds) {
        await().atMost(Duration.ofSeconds(120)).untilAsserted(() -> {
            for (int i = from; i < CLIENTS; i++) {
                int group = i % GROUPS;
                int perRound = i < SILENT ? CHANGES : CHANGES / GROUPS + (group < CHANGES % GROUPS ? 1 : 0);
                assertThat(crowd.members.get(i).events).as("client %d", i).isEqualTo(rounds * perRound);
            }
        });
    }

    private static double percentile(long[] nanos, int percent) {
        long[] sorted = nanos.clone();
        Arrays.sort(sorted);
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)] / 1e6;
    }

    private static long heapAfterGc() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    /** One client: counts frames, and keeps nothing of them. */
    private static final class Member {
        private final ByteBuffer head = ByteBuffer.allocate(32);
        private SelectionKey key;
        /** Bytes of the present frame's payload that are still to come; -1: its header isn't whole. */
        private long rest = -1;

        private volatile int events;
    }

    /** All clients on one thread, in next to no memory: the heap that is measured is the server's. */
    private static final class Crowd implements AutoCloseable {
        private static final byte[] EVENT = "{\"type\":\"event\"".getBytes(StandardCharsets.US_ASCII);
        private static final byte[] HANDSHAKE = ("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                        + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        + "Sec-WebSocket-Version: 13\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);

        private final int port;
        private final Selector selector = Selector.open();
        private final List<Member> members = new ArrayList<>();
        private final Queue<Runnable> todo = new ConcurrentLinkedQueue<>();
        private final Thread thread = new Thread(this::run, "crowd");
        private volatile boolean closed;

        Crowd(int port) throws IOException {
            this.port = port;
            thread.setDaemon(true);
            thread.start();
        }

        void connect(String what) throws IOException {
            var member = new Member();
            SocketChannel channel = SocketChannel.open();
            channel.setOption(StandardSocketOptions.SO_RCVBUF, 4 << 10);
            channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            channel.write(ByteBuffer.wrap(HANDSHAKE));
            var one = ByteBuffer.allocate(1);
            var head = new StringBuilder();
            while (!head.toString().endsWith("\r\n\r\n")) {
                one.clear();
                assertThat(channel.read(one)).isEqualTo(1);
                head.append((char) one.get(0));
            }
            channel.write(ByteBuffer.wrap(
                    masked(0x1, "{\"type\":\"subscribe\",\"id\":\"s\",\"topic\":\"" + TOPIC + "\"," + what + "}")));
            channel.configureBlocking(false);
            members.add(member);
            onThread(() -> member.key = channel.register(selector, SelectionKey.OP_READ, member));
        }

        /** An all-zero mask leaves the payload as it is. */
        private static byte[] masked(int opcode, String text) {
            byte[] payload = text.getBytes(StandardCharsets.US_ASCII);
            assertThat(payload.length).isLessThan(126);
            var frame = ByteBuffer.allocate(6 + payload.length);
            frame.put((byte) (0x80 | opcode))
                    .put((byte) (0x80 | payload.length))
                    .putInt(0)
                    .put(payload);
            return frame.array();
        }

        /** From now on the first so many don't read, and all others do. */
        void silence(int many) {
            onThread(() -> {
                for (int i = 0; i < members.size(); i++) {
                    members.get(i).key.interestOps(i < many ? 0 : SelectionKey.OP_READ);
                }
            });
        }

        private interface Work {
            void run() throws IOException;
        }

        private void onThread(Work work) {
            var done = new CompletableFuture<Void>();
            todo.add(() -> {
                try {
                    work.run();
                    done.complete(null);
                } catch (IOException e) {
                    done.completeExceptionally(e);
                }
            });
            selector.wakeup();
            done.join();
        }

        private void run() {
            var buffer = ByteBuffer.allocateDirect(256 << 10);
            try {
                while (!closed) {
                    selector.select(key -> read(key, buffer));
                    for (Runnable next = todo.poll(); next != null; next = todo.poll()) {
                        next.run();
                    }
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        private static void read(SelectionKey key, ByteBuffer buffer) {
            try {
                buffer.clear();
                var channel = (SocketChannel) key.channel();
                if (channel.read(buffer) < 0) {
                    key.cancel();
                    return;
                }
                buffer.flip();
                var member = (Member) key.attachment();
                while (buffer.hasRemaining()) {
                    if (member.rest > 0) {
                        int part = (int) Math.min(member.rest, buffer.remaining());
                        buffer.position(buffer.position() + part);
                        member.rest -= part;
                    } else {
                        member.head.put(buffer.get());
                        header(member, channel);
                    }
                }
            } catch (IOException e) {
                key.cancel();
            }
        }

        /** Takes a header, and so much of the payload that its type can be told. */
        private static void header(Member member, SocketChannel channel) throws IOException {
            ByteBuffer head = member.head;
            if (head.position() < 2) {
                return;
            }
            int length = head.get(1) & 127;
            int size = length < 126 ? 2 : length == 126 ? 4 : 10;
            if (head.position() < size) {
                return;
            }
            long payload = length < 126 ? length : length == 126 ? head.getShort(2) & 0xffff : head.getLong(2);
            int shown = (int) Math.min(payload, EVENT.length);
            if (head.position() < size + shown) {
                return;
            }
            if ((head.get(0) & 15) == 9) {
                channel.write(ByteBuffer.wrap(masked(0xA, "")));
            }
            boolean event = Arrays.equals(head.array(), size, size + shown, EVENT, 0, EVENT.length);
            head.clear();
            member.rest = payload - shown;
            if (event) {
                member.events++;
            }
        }

        @Override
        public void close() throws Exception {
            closed = true;
            selector.wakeup();
            thread.join(10_000);
            for (SelectionKey key : selector.keys()) {
                key.channel().close();
            }
            selector.close();
        }
    }
}
