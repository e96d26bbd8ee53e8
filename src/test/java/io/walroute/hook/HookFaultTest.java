package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vertx.core.http.HttpClientOptions;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What receivers do to a connection. The rule: a change is delivered once the head of a 2xx has come, whatever becomes of
 * the body behind it; everything else is a failure with a cause.
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HookFaultTest {
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private final Sockets receiver = new Sockets();
    private HookRig rig;

    @AfterEach
    void close() {
        if (rig != null) {
            rig.close();
        }
        receiver.close();
    }

    private void rig(String... more) {
        rig = HookRig.to(URI.create("http://127.0.0.1:" + receiver.port() + "/hooks"), more);
    }

    private static ChangeEvent large() {
        return ChangeEvent.builder(
                        Operation.INSERT,
                        "public",
                        "listings",
                        Instant.parse("2026-01-31T12:00:00Z"),
                        new Version(1, new Lsn(77), 0))
                .key("id", 1L)
                .newRow(Map.of("id", 1L, "metadata", "x".repeat(24 << 20)))
                .build();
    }

    @ParameterizedTest
    @ValueSource(ints = {100, 103})
    void an_interim_answer_is_not_taken_for_the_answer(int status) {
        rig();
        receiver.script((connection, n) -> {
            connection.request();
            connection.say("HTTP/1.1 " + status + " Wait\r\n\r\n");
            connection.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
            connection.request();
            connection.say("HTTP/1.1 " + status + " Wait\r\n\r\n");
            connection.say(OK);
            connection.hold();
        });
        assertThat(rig.attempt(change(1)).getStatus()).isEqualTo(500);
        assertThat(rig.attempt(change(2))).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
                "HTTP/1.1 103 Early Hints\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Le",
                "HTTP/1.1 20",
                "HTTP/1.1",
                "",
                "220 mail.example ESMTP\r\n\r\n",
                "\u0016\u0003\u0001\u0000\u0000\u0000",
                "HTTP/1.1 200OK\r\n\r\n",
                "HTTP/1.1 abc OK\r\n\r\n",
                "SSH-2.0-OpenSSH_9.6\r\n",
            })
    void what_ends_before_the_head_of_a_2xx_is_whole_is_no_delivery(String answer) {
        rig("timeout", "2s");
        receiver.script((connection, n) -> {
            connection.request();
            connection.say(answer);
        });
        assertThat(rig.attempt(change(1)).getMessage())
                .startsWith("hook:partner ")
                .doesNotContain("\n");
        assertThat(rig.attempts("delivered")).isZero();
    }

    @ParameterizedTest
    @CsvSource({"200,true", "201,true", "500,false", "302,false"})
    void once_the_head_is_whole_the_status_decides_whatever_the_body_does(int status, boolean delivered) {
        rig("timeout", "1s");
        List<String> bodies = List.of(
                "Content-Length: 1000\r\n\r\nbeginning", // cut
                "Transfer-Encoding: chunked\r\n\r\nZZZZ\r\nrubbish\r\n",
                "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin", // cut
                "\r\nuntil the end");
        receiver.script((connection, n) -> {
            connection.request();
            connection.say("HTTP/1.1 " + status + " Such\r\n" + bodies.get(n));
        });
        for (int i = 0; i < bodies.size(); i++) {
            HookException failure = rig.attempt(change(i));
            assertThat(failure == null).as(bodies.get(i)).isEqualTo(delivered);
            if (failure != null) {
                assertThat(failure.getStatus()).isEqualTo(status);
            }
        }
        assertThat(receiver.connections())
                .as("a broken connection is not used again")
                .isEqualTo(bodies.size());
    }

    @Test
    void a_head_in_drops_is_cut_by_the_time_limit() {
        rig("timeout", "400ms");
        receiver.script((connection, n) -> {
            connection.request();
            connection.say("HTTP/1.1 200 OK\r\nX-Slow: ");
            while (true) {
                connection.say("x");
                connection.pause(20);
            }
        });
        Instant before = Instant.now();
        assertThat(rig.attempt(change(1)))
                .hasMessageContaining("timed out: no answer from")
                .hasMessageContaining("400 ms");
        assertThat(Duration.between(before, Instant.now())).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void an_endless_head_is_read_to_a_bound_only() {
        rig();
        receiver.script((connection, n) -> {
            connection.request();
            connection.say("HTTP/1.1 200 OK\r\n");
            for (int i = 0; ; i++) {
                connection.say("X-" + i + ": " + "x".repeat(1000) + "\r\n");
            }
        });
        assertThat(rig.attempt(change(1)).getMessage())
                .contains("got no answer")
                .doesNotContain("\n");
    }

    @Test
    void a_connection_reset_at_once_is_a_failure() {
        rig();
        receiver.script((connection, n) -> connection.reset());
        assertThat(rig.attempt(change(1)).getMessage()).startsWith("hook:partner got no answer");
        assertThat(rig.attempts("connection")).isEqualTo(1);
    }

    @Test
    void a_connection_reset_within_the_request_is_a_failure() {
        rig();
        receiver.script((connection, n) -> {
            connection.read(100_000);
            connection.reset();
        });
        assertThat(rig.attempt(large()).getMessage()).startsWith("hook:partner got no answer");
        assertThat(rig.attempts("connection")).isEqualTo(1);
    }

    @Test
    void a_receiver_that_reads_no_request_is_cut_by_the_time_limit() {
        rig("timeout", "700ms");
        receiver.script((connection, n) -> connection.hold());
        assertThat(rig.attempt(large())).hasMessageContaining("timed out");
    }

    @Test
    void a_refusal_in_the_middle_of_the_request_is_never_taken_for_a_delivery() {
        rig("timeout", "5s");
        receiver.script((connection, n) -> {
            connection.read(100_000);
            connection.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
        assertThat(rig.attempt(large())).isNotNull();
        assertThat(rig.attempts("delivered")).isZero();
    }

    @Test
    void a_kept_connection_that_is_closed_just_when_a_request_comes_fails_it_and_the_next_attempt_succeeds() {
        rig();
        receiver.script((connection, n) -> {
            connection.request();
            connection.say(OK);
            if (n == 0) {
                connection.request(); // arrived, and nobody will know
            } else {
                connection.hold();
            }
        });
        assertThat(rig.attempt(change(1))).isNull();
        assertThat(rig.attempt(change(2))).hasMessageContaining("closed the connection");
        assertThat(rig.attempt(change(2))).isNull();
        assertThat(receiver.connections()).isEqualTo(2);
    }

    @Test
    void a_kept_connection_that_was_closed_meanwhile_is_not_used() {
        rig();
        var closed = new CountDownLatch(1);
        receiver.script(
                (connection, n) -> {
                    connection.request();
                    connection.say(OK);
                    if (n > 0) {
                        connection.hold();
                    }
                },
                closed);
        assertThat(rig.attempt(change(1))).isNull();
        await().until(() -> closed.getCount() == 0);
        // The client may learn of it a moment later than the server; an attempt in that moment fails, as above.
        await().until(() -> rig.attempt(change(2)) == null);
        assertThat(receiver.connections()).isEqualTo(2);
    }

    @Test
    void an_answer_that_comes_too_late_is_not_taken_for_the_next_ones() {
        rig("timeout", "400ms");
        var timedOut = new CountDownLatch(1);
        receiver.script((connection, n) -> {
            connection.request();
            if (n == 0) {
                timedOut.await();
                connection.say(OK);
                connection.request();
                connection.say(OK);
            } else {
                connection.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
                connection.hold();
            }
        });
        assertThat(rig.attempt(change(1))).hasMessageContaining("timed out");
        timedOut.countDown();
        assertThat(rig.attempt(change(2)).getStatus()).isEqualTo(500);
    }

    @Test
    void a_receiver_without_tls_or_silent_at_the_handshake_is_a_failure() {
        for (boolean silent : new boolean[] {false, true}) {
            rig = HookRig.to(
                    URI.create("https://partner.example:" + receiver.port()),
                    host -> new InetAddress[] {InetAddress.getLoopbackAddress()},
                    new HttpClientOptions(),
                    "timeout",
                    "500ms");
            receiver.script((connection, n) -> {
                if (silent) {
                    connection.hold();
                }
                connection.read(1);
                connection.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            });
            assertThat(rig.attempt(change(1)).getMessage())
                    .startsWith("hook:partner ")
                    .contains(silent ? "timed out" : "TLS")
                    .doesNotContain("\n");
            rig.close();
        }
    }

    /** A server that does to each connection as its script says, and then closes it. */
    private static final class Sockets implements AutoCloseable {
        interface Script {
            void run(Connection connection, int number) throws IOException, InterruptedException;
        }

        private final ServerSocket listener;
        private final List<Socket> clients = new CopyOnWriteArrayList<>();
        private volatile Script script;
        private volatile CountDownLatch firstClosed = new CountDownLatch(1);

        Sockets() {
            try {
                listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            daemon(this::accept);
        }

        int port() {
            return listener.getLocalPort();
        }

        int connections() {
            return clients.size();
        }

        void script(Script told) {
            script = told;
        }

        void script(Script told, CountDownLatch closed) {
            firstClosed = closed;
            script = told;
        }

        private static void daemon(Runnable work) {
            var thread = new Thread(work, "scripted-receiver");
            thread.setDaemon(true);
            thread.start();
        }

        private void accept() {
            while (!listener.isClosed()) {
                try {
                    Socket client = listener.accept();
                    clients.add(client);
                    int number = clients.size() - 1;
                    daemon(() -> serve(client, number));
                } catch (IOException closed) {
                    return;
                }
            }
        }

        private void serve(Socket client, int number) {
            try (client) {
                client.setTcpNoDelay(true);
                script.run(new Connection(client), number);
            } catch (IOException | InterruptedException e) {
                // The client has gone, or the test is over.
            }
            firstClosed.countDown();
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

    private record Connection(Socket socket) {
        /** Reads one request to its end. */
        void request() throws IOException {
            InputStream in = socket.getInputStream();
            var head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                int c = in.read();
                if (c < 0) {
                    throw new IOException("closed");
                }
                head.append((char) c);
            }
            String length = head.toString().replaceAll("(?is).*content-length: (\\d+).*", "$1");
            in.readNBytes(Integer.parseInt(length));
        }

        void read(int bytes) throws IOException {
            socket.getInputStream().readNBytes(bytes);
        }

        void say(String text) throws IOException {
            socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
        }

        void reset() throws IOException {
            socket.setSoLinger(true, 0);
        }

        /** Until the client closes, or the test's end; reads nothing. */
        void hold() throws InterruptedException {
            new CountDownLatch(1).await();
        }

        void pause(long millis) throws InterruptedException {
            Thread.sleep(millis);
        }
    }
}
