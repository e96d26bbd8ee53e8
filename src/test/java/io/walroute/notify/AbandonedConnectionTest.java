package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import javax.management.ObjectName;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clients that leave while their token is checked: its key comes from a server that answers when the test lets it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class AbandonedConnectionTest {
    private static final String SECRET = "a secret of the tests, long enough";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private final Opened open = new Opened();
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch keys = new CountDownLatch(1);
    private RSAKey rsa;
    private AuthSettings auth;

    @BeforeEach
    void serveKeysLate() throws Exception {
        rsa = new RSAKeyGenerator(2048).keyID("rsa").generate();
        byte[] jwks = new JWKSet(rsa).toPublicJWKSet().toString().getBytes(StandardCharsets.UTF_8);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        var threads = Executors.newCachedThreadPool();
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            asked.countDown();
            awaitKeys();
            exchange.sendResponseHeaders(200, jwks.length);
            exchange.getResponseBody().write(jwks);
            exchange.close();
        });
        server.start();
        open.add(() -> server.stop(0));
        open.add(threads::shutdownNow);
        open.add(keys::countDown);
        var location = JwksLocation.of("http://127.0.0.1:" + server.getAddress().getPort() + "/jwks", folder);
        auth = new AuthSettings(
                Optional.of(new AuthSettings.Jwt(SECRET, location, null, null, Duration.ZERO)),
                Optional.empty(),
                false);
    }

    private void awaitKeys() {
        try {
            keys.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        return open.service(folder, settings.port(0).build());
    }

    private String quick() throws Exception {
        return signed(JWSAlgorithm.HS256, new MACSigner(SECRET));
    }

    private String slow() throws Exception {
        return signed(JWSAlgorithm.RS256, new RSASSASigner(rsa));
    }

    private static String signed(JWSAlgorithm algorithm, JWSSigner signer) throws Exception {
        var claims = new JWTClaimsSet.Builder()
                .subject("alice")
                .expirationTime(Date.from(Instant.now().plusSeconds(600)))
                .build();
        var jwt = new SignedJWT(new JWSHeader.Builder(algorithm).keyID("rsa").build(), claims);
        jwt.sign(signer);
        return jwt.serialize();
    }

    private Socket raw(Service service, String from) throws IOException {
        var socket = new Socket(InetAddress.getLoopbackAddress(), service.port(), InetAddress.getByName(from), 0);
        open.add(socket);
        socket.setSoTimeout((int) PATIENCE.toMillis());
        return socket;
    }

    private static void sendHandshake(Socket socket, String token) throws IOException {
        socket.getOutputStream()
                .write(("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                + "Authorization: Bearer " + token + "\r\n"
                                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
    }

    private static String statusLine(Socket socket) throws IOException {
        var line = new StringBuilder();
        for (int next = socket.getInputStream().read(); next != -1 && next != '\r'; ) {
            line.append((char) next);
            next = socket.getInputStream().read();
        }
        return line.toString();
    }

    private static boolean isCut(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() == -1;
        } catch (SocketException reset) {
            return true;
        }
    }

    @Test
    void who_leaves_before_the_handshake_ends_leaves_its_place() throws Exception {
        Service service = start(NotifySettings.builder()
                .auth(auth)
                .limits(new NotifyLimits(2, 2, 10, 2000, 100, Duration.ofMinutes(1))));
        for (int i = 0; i < 3; i++) {
            Socket socket = raw(service, "127.0.0.1");
            sendHandshake(socket, slow());
            if (i == 0) {
                asked.await();
            }
            socket.shutdownOutput();
            assertThat(isCut(socket)).as("the server noticed").isTrue();
        }
        keys.countDown();

        // The first two would have all places.
        for (int i = 0; i < 2; i++) {
            Socket socket = raw(service, "127.0.0.1");
            sendHandshake(socket, slow());
            assertThat(statusLine(socket)).contains("101");
        }
        assertThat(service.meter("walroute.notify.clients")).isEqualTo(2);
    }

    @Test
    void who_leaves_while_a_new_token_is_checked_is_forgotten() throws Exception {
        Service service = start(NotifySettings.builder().auth(auth));
        long before = connectionsInMemory();
        WsClient client = WsClient.connect(service.port(), "Authorization", "Bearer " + quick());
        client.send("{'type':'auth','token':'" + slow() + "'}");
        asked.await();

        client.close();
        await().atMost(PATIENCE).until(() -> service.meter("walroute.notify.clients") == 0);
        keys.countDown();

        await().atMost(PATIENCE).until(() -> connectionsInMemory() <= before);
    }

    /** Objects that something still holds. */
    private static long connectionsInMemory() throws Exception {
        String histogram = (String) ManagementFactory.getPlatformMBeanServer()
                .invoke(
                        new ObjectName("com.sun.management:type=DiagnosticCommand"),
                        "gcClassHistogram",
                        new Object[] {new String[0]},
                        new String[] {String[].class.getName()});
        return histogram
                .lines()
                .map(line -> line.strip().split("\\s+"))
                .filter(columns -> columns.length > 3 && columns[3].equals(WebSocketConnection.class.getName()))
                .mapToLong(columns -> Long.parseLong(columns[1]))
                .sum();
    }

    @Test
    void one_address_can_not_keep_others_from_connecting() throws Exception {
        Service service = start(NotifySettings.builder()
                .auth(auth)
                .limits(new NotifyLimits(100, 100, 10, 2000, 100, Duration.ofMinutes(1))));
        // A handshake that ended doesn't count.
        for (int i = 0; i < 30; i++) {
            Socket socket = raw(service, "127.0.0.1");
            sendHandshake(socket, quick());
            assertThat(statusLine(socket)).contains("101");
        }
        List<Socket> idle = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            idle.add(raw(service, "127.0.0.1"));
        }

        assertThat(isCut(raw(service, "127.0.0.1"))).isTrue();
        Socket other = raw(service, "127.0.0.2");
        sendHandshake(other, quick());
        assertThat(statusLine(other)).contains("101");

        for (Socket each : idle) {
            each.close();
        }
        await().atMost(PATIENCE).ignoreExceptions().until(() -> {
            Socket again = raw(service, "127.0.0.1");
            sendHandshake(again, quick());
            return statusLine(again).contains("101");
        });
    }
}
