package io.walroute.notify;

import static io.walroute.notify.WsClient.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpServer;
import io.walroute.testing.TestCa;
import io.walroute.tls.TlsFiles;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class AuthTest {
    private static final String TOPIC = "listings.created";
    private static final String SECRET = "a secret of the tests, long enough";
    private static final String STATIC = "static-token-0123456789";
    private static RSAKey rsa;
    private static RSAKey otherRsa;
    private static ECKey ec;

    @TempDir
    Path folder;

    private final Opened open = new Opened();

    @BeforeAll
    static void makeKeys() throws Exception {
        rsa = new RSAKeyGenerator(2048).keyID("rsa").generate();
        otherRsa = new RSAKeyGenerator(2048).keyID("rsa").generate();
        ec = new ECKeyGenerator(Curve.P_256).keyID("ec").generate();
    }

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    // ---- what is given

    private static AuthSettings secret() {
        return jwt(new AuthSettings.Jwt(SECRET, null, "issuer", "walroute", Duration.ofSeconds(1)));
    }

    private static AuthSettings jwt(AuthSettings.Jwt jwt) {
        return new AuthSettings(Optional.of(jwt), Optional.empty(), false);
    }

    private AuthSettings keys(JWK... keys) throws Exception {
        Path file = Files.writeString(folder.resolve("jwks.json"), jwks(keys));
        return jwt(new AuthSettings.Jwt(
                null, JwksLocation.of(file.toString(), folder), "issuer", "walroute", Duration.ofSeconds(1)));
    }

    private static String jwks(JWK... keys) {
        return new JWKSet(Arrays.asList(keys)).toPublicJWKSet().toString();
    }

    private AuthSettings tokens(String json) throws Exception {
        Path file = Files.writeString(folder.resolve("tokens.json"), json.replace('\'', '"'));
        return new AuthSettings(Optional.empty(), Optional.of(file), false);
    }

    private static JWTClaimsSet.Builder claims(String subject) {
        return new JWTClaimsSet.Builder()
                .subject(subject)
                .issuer("issuer")
                .audience("walroute")
                .expirationTime(Date.from(Instant.now().plusSeconds(300)));
    }

    private static String hs256(JWTClaimsSet.Builder claims) throws Exception {
        return signed(JWSAlgorithm.HS256, null, new MACSigner(SECRET), claims);
    }

    private static String signed(JWSAlgorithm algorithm, String kid, JWSSigner signer, JWTClaimsSet.Builder claims)
            throws Exception {
        var jwt = new SignedJWT(new JWSHeader.Builder(algorithm).keyID(kid).build(), claims.build());
        jwt.sign(signer);
        return jwt.serialize();
    }

    private Identity check(AuthSettings settings, String token) throws Exception {
        try (var authenticator = new Authenticator(settings)) {
            return authenticator.check(token);
        }
    }

    private void assertRefused(AuthSettings settings, String token, String why) {
        assertThatThrownBy(() -> check(settings, token))
                .isInstanceOf(Refused.class)
                .hasMessageContaining(why)
                .hasMessageNotContaining(token.length() < 20 ? "\0" : token.substring(0, 20));
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        return open.service(folder, settings.port(0).requireAuthorization(false).build());
    }

    private WsClient connect(Service service, String token) {
        return open.authorized(service, token);
    }

    private static int refusal(Service service, String... headers) {
        try {
            WsClient.connect(service.port(), headers).close();
            return 101;
        } catch (CompletionException e) {
            return ((WebSocketHandshakeException) e.getCause()).getResponse().statusCode();
        }
    }

    // ---- tokens

    @Test
    void tokens_of_each_algorithm_are_taken_and_their_claims_read() throws Exception {
        Identity identity = check(secret(), hs256(claims("alice").claim("address", "0x1")));
        assertThat(identity.claims().subject()).contains("alice");
        assertThat(identity.claims().get("address")).isEqualTo("0x1");
        assertThat(identity.expires()).isAfter(Instant.now().plusSeconds(200));

        AuthSettings both = keys(rsa, ec);
        for (JWSAlgorithm each : List.of(JWSAlgorithm.RS256, JWSAlgorithm.PS256)) {
            assertThat(check(both, signed(each, "rsa", new RSASSASigner(rsa), claims("bob")))
                            .claims()
                            .subject())
                    .contains("bob");
        }
        assertThat(check(both, signed(JWSAlgorithm.ES256, "ec", new ECDSASigner(ec), claims("eve")))
                        .claims()
                        .subject())
                .contains("eve");
    }

    @Test
    void a_secret_may_have_a_name() throws Exception {
        String token = signed(JWSAlgorithm.HS256, "v1", new MACSigner(SECRET), claims("alice"));

        assertThat(check(secret(), token).claims().subject()).contains("alice");
        AuthSettings both =
                jwt(new AuthSettings.Jwt(SECRET, keys(rsa).jwt().get().jwks(), "issuer", "walroute", Duration.ZERO));
        assertThat(check(both, token).claims().subject()).contains("alice");
        String forged = signed(JWSAlgorithm.HS256, "v1", new MACSigner(SECRET + "!"), claims("eve"));
        assertRefused(both, forged, "not valid");
    }

    @Test
    void forged_tokens_are_refused() throws Exception {
        AuthSettings keys = keys(rsa, ec);
        // Without a signature.
        assertRefused(keys, new PlainJWT(claims("eve").build()).serialize(), "not valid");
        assertRefused(secret(), new PlainJWT(claims("eve").build()).serialize(), "not valid");
        // The public key, which everybody has, as the secret of HS256: its bytes, and its text.
        for (byte[] known : List.of(
                rsa.toRSAPublicKey().getEncoded(),
                jwks(rsa).getBytes(StandardCharsets.UTF_8),
                rsa.toPublicJWK().toJSONString().getBytes(StandardCharsets.UTF_8))) {
            assertRefused(keys, signed(JWSAlgorithm.HS256, "rsa", new MACSigner(known), claims("eve")), "not valid");
        }
        // Another key of the same name; and one that the token brings along.
        assertRefused(keys, signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(otherRsa), claims("eve")), "not valid");
        var brought = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.RS256)
                        .jwk(otherRsa.toPublicJWK())
                        .jwkURL(URI.create("https://evil.example/jwks"))
                        .build(),
                claims("eve").build());
        brought.sign(new RSASSASigner(otherRsa));
        assertRefused(keys, brought.serialize(), "not valid");
        assertRefused(secret(), signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(rsa), claims("eve")), "not valid");
        // Changed on the way.
        String token = hs256(claims("alice"));
        String forged = new PlainJWT(claims("eve").build()).serialize().split("\\.")[1];
        String[] parts = token.split("\\.");
        assertRefused(secret(), parts[0] + "." + forged + "." + parts[2], "not valid");
        assertRefused(secret(), parts[0] + "." + parts[1] + ".", "not valid");
        assertRefused(
                secret(), signed(JWSAlgorithm.HS512, null, new MACSigner(SECRET + SECRET), claims("eve")), "not valid");
    }

    @Test
    void tokens_for_others_or_for_another_time_are_refused() throws Exception {
        assertRefused(secret(), hs256(claims("a").issuer("other")), "not valid");
        assertRefused(secret(), hs256(claims("a").issuer(null)), "not valid");
        assertRefused(secret(), hs256(claims("a").audience("other")), "not valid");
        assertRefused(secret(), hs256(claims("a").audience((String) null)), "not valid");
        assertRefused(secret(), hs256(claims("a").expirationTime(null)), "not valid");
        assertRefused(secret(), hs256(claims("a").expirationTime(ago(10))), "is expired");
        assertRefused(secret(), hs256(claims("a").notBeforeTime(ago(-60))), "not valid");
        // Clocks differ a little.
        var tolerant = jwt(new AuthSettings.Jwt(SECRET, null, "issuer", "walroute", Duration.ofSeconds(60)));
        check(tolerant, hs256(claims("a").expirationTime(ago(30)).notBeforeTime(ago(-30))));
    }

    private static Date ago(int seconds) {
        return Date.from(Instant.now().minusSeconds(seconds));
    }

    @Test
    void what_is_no_token_is_refused_however_long_or_deep() throws Exception {
        AuthSettings settings = secret();
        assertRefused(settings, "x".repeat(9000), "longer than");
        assertRefused(settings, "...", "not valid");
        assertRefused(settings, "a.b", "not valid");
        assertRefused(settings, "\u00e4.\u00f6.\u00fc", "not valid");
        try (var authenticator = new Authenticator(settings)) {
            String deep = java.util.Base64.getUrlEncoder()
                    .encodeToString("[".repeat(5000).getBytes());
            assertThat(authenticator
                            .authenticate(deep + "." + deep + ".x")
                            .toCompletionStage()
                            .toCompletableFuture())
                    .failsWithin(Duration.ofSeconds(20))
                    .withThrowableThat()
                    .withCauseInstanceOf(Refused.class);
        }
    }

    @Test
    void weak_secrets_and_keys_from_insecure_places_stop_the_start() {
        assertThatThrownBy(() -> new AuthSettings.Jwt("short", null, null, null, Duration.ZERO))
                .hasMessageContaining("walroute.notify.jwt.secret is shorter than 32 bytes")
                .hasMessageNotContaining("\"short\"");
        assertThat(secret().toString()).doesNotContain(SECRET);
        for (String wrong : List.of(
                "http://login.example.com/jwks",
                "http://127.0.0.1.example.com/",
                "https://user:pw@login.example.com/",
                "ftp://localhost/",
                "jar:file:/x!/y")) {
            assertThatThrownBy(() -> JwksLocation.of(wrong, folder))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("walroute.notify.jwt.jwks");
        }
        var missing =
                jwt(new AuthSettings.Jwt(null, JwksLocation.of("missing.json", folder), null, null, Duration.ZERO));
        assertThatThrownBy(() -> new Authenticator(missing)).hasMessageContaining("no such file");
    }

    @Test
    void keys_are_fetched_once_and_again_for_a_key_that_is_new_but_not_for_every_unknown_one() throws Exception {
        var answer = new AtomicReference<>(jwks(rsa));
        var status = new AtomicInteger(200);
        var fetches = new AtomicInteger();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            fetches.incrementAndGet();
            exchange.getResponseHeaders().add("Location", "/elsewhere");
            byte[] body = answer.get().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status.get(), body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        open.add(() -> server.stop(0));
        var location = JwksLocation.of("http://127.0.0.1:" + server.getAddress().getPort() + "/jwks", folder);
        AuthSettings settings = jwt(new AuthSettings.Jwt(null, location, "issuer", "walroute", Duration.ZERO));
        try (var authenticator = new Authenticator(settings)) {
            status.set(302);
            assertThatThrownBy(() ->
                            authenticator.check(signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(rsa), claims("a"))))
                    .hasMessageContaining("keys can't be fetched");
            assertThat(authenticator.problem()).get().asString().contains("status 302");
            assertThat(fetches).hasValue(1);
        }
        status.set(200);
        fetches.set(0);
        try (var authenticator = new Authenticator(settings)) {
            for (int i = 0; i < 3; i++) {
                authenticator.check(signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(rsa), claims("a")));
            }
            assertThat(fetches).hasValue(1);
            answer.set(jwks(rsa, ec));
            authenticator.check(signed(JWSAlgorithm.ES256, "ec", new ECDSASigner(ec), claims("a")));
            assertThat(fetches).hasValue(2);
            for (int i = 0; i < 50; i++) {
                String unknown = signed(JWSAlgorithm.ES256, "ec" + i, new ECDSASigner(ec), claims("a"));
                assertThatThrownBy(() -> authenticator.check(unknown)).isInstanceOf(Refused.class);
            }
            assertThat(fetches.get()).isLessThanOrEqualTo(3);
            assertThat(authenticator.problem()).isEmpty();
        }
    }

    @Test
    void a_file_of_tokens_is_read_again_and_a_broken_one_is_told_without_its_content() throws Exception {
        AuthSettings settings = tokens("[{'token':'" + STATIC + "','subject':'svc','claims':{'role':'a'}},"
                + "{'sha256':'" + sha256("hashed-token-000000") + "','subject':'hashed'},"
                + "{'token':'expired-token-0123','subject':'x','expires':'2020-01-01T00:00:00Z'}]");
        try (var authenticator = new Authenticator(settings)) {
            Identity identity = authenticator.check(STATIC);
            assertThat(identity.claims().values()).containsEntry("sub", "svc").containsEntry("role", "a");
            assertThat(identity.stands().getAsBoolean()).isTrue();
            assertThat(authenticator.check("hashed-token-000000").claims().subject())
                    .contains("hashed");
            assertThatThrownBy(() -> authenticator.check("expired-token-0123")).hasMessageContaining("is expired");
            assertThatThrownBy(() -> authenticator.check("unknown-token-0123")).hasMessageContaining("not known");

            tokens("[{'token':'another-" + STATIC + "', oops");
            await().atMost(Duration.ofSeconds(20)).until(() -> {
                authenticator.check(STATIC);
                return authenticator.problem().isPresent();
            });
            assertThat(authenticator.problem().get()).contains("is not JSON").doesNotContain("oops", STATIC);

            tokens("[{'token':'another-" + STATIC + "','subject':'svc'}]");
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> !identity.stands().getAsBoolean());
            assertThat(authenticator.check("another-" + STATIC).claims().subject())
                    .contains("svc");
            assertThat(authenticator.problem()).isEmpty();
        }
    }

    @Test
    void nobody_waits_for_a_file_of_tokens_that_is_slow_to_read() throws Exception {
        AuthSettings settings = tokens("[{'token':'" + STATIC + "','subject':'svc'}]");
        Path pipe = folder.resolve("pipe");
        try (var authenticator = new Authenticator(settings)) {
            Identity identity = authenticator.check(STATIC);
            assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                    .isZero();
            Files.move(pipe, settings.tokens().get(), StandardCopyOption.REPLACE_EXISTING);
            // Opened when somebody reads, who waits from then on.
            var writer =
                    CompletableFuture.supplyAsync(() -> write(settings.tokens().get()));
            open.add(() -> release(settings.tokens().get(), writer));

            await().atMost(Duration.ofSeconds(20)).until(() -> {
                assertThat(CompletableFuture.supplyAsync(identity.stands()::getAsBoolean))
                        .succeedsWithin(Duration.ofSeconds(5))
                        .isEqualTo(true);
                return writer.isDone();
            });
            assertThat(identity.stands().getAsBoolean()).isTrue();
            assertThat(authenticator.authenticate(STATIC).toCompletionStage().toCompletableFuture())
                    .succeedsWithin(Duration.ofSeconds(20));

            try (var file = writer.join()) {
                file.write("[]".getBytes());
            }
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> !identity.stands().getAsBoolean());
        }
    }

    private static OutputStream write(Path file) {
        try {
            return new FileOutputStream(file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Who opens a pipe for both waits for nobody, and lets go who does. */
    private static void release(Path pipe, CompletableFuture<OutputStream> writer) throws IOException {
        try (var both = new RandomAccessFile(pipe.toFile(), "rw")) {
            writer.join().close();
        }
    }

    private static String sha256(String text) throws Exception {
        return java.util.HexFormat.of()
                .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(text.getBytes()));
    }

    @Test
    void a_file_of_tokens_with_a_mistake_stops_the_start() throws Exception {
        for (String wrong : List.of(
                "{}",
                "[{'token':'short','subject':'a'}]",
                "[{'token':'" + STATIC + "'}]",
                "[{'token':'" + STATIC + "','subject':'a','claim':{}}]",
                "[{'token':'" + STATIC + "','subject':'a','claims':[]}]",
                "[{'token':'" + STATIC + "','subject':'a'},{'token':'" + STATIC + "','subject':'b'}]")) {
            AuthSettings settings = tokens(wrong);
            assertThatThrownBy(() -> new Authenticator(settings))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("walroute.notify.tokens: the file ")
                    .hasMessageNotContaining(STATIC);
        }
    }

    // ---- connections

    @Test
    void a_client_without_a_proof_is_refused_before_the_upgrade() throws Exception {
        Service service = start(NotifySettings.builder().auth(secret()));
        String token = hs256(claims("alice"));

        assertThat(refusal(service)).isEqualTo(401);
        assertThat(refusal(service, "Authorization", "Bearer nonsense")).isEqualTo(401);
        assertThat(refusal(service, "Authorization", "Basic YTpi")).isEqualTo(401);
        assertThat(refusal(service, "Authorization", "Bearer " + token, "Origin", "https://evil.example"))
                .isEqualTo(403);
        assertThat(service.meters
                        .get("walroute.notify.refused")
                        .tag("reason", "token")
                        .counter()
                        .count())
                .isEqualTo(3);

        connect(service, token).subscribe("s1", TOPIC);
    }

    @Test
    void a_forged_token_neither_opens_a_connection_nor_renews_one() throws Exception {
        Service service = start(NotifySettings.builder().auth(keys(rsa)));
        WsClient honest = connect(service, signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(rsa), claims("alice")));
        List<String> forged = List.of(
                new PlainJWT(claims("alice").build()).serialize(),
                signed(
                        JWSAlgorithm.HS256,
                        "rsa",
                        new MACSigner(rsa.toRSAPublicKey().getEncoded()),
                        claims("alice")),
                signed(JWSAlgorithm.RS256, "rsa", new RSASSASigner(otherRsa), claims("alice")),
                signed(
                        JWSAlgorithm.RS256,
                        "rsa",
                        new RSASSASigner(rsa),
                        claims("alice").expirationTime(ago(10))));
        for (String token : forged) {
            assertThat(refusal(service, "Authorization", "Bearer " + token)).isEqualTo(401);
            honest.send("{'type':'auth','token':'" + token + "'}");
            assertThat(honest.next().path("message").asText()).containsAnyOf("not valid", "is expired");
        }
        honest.subscribe("s1", TOPIC); // with the token that it had
    }

    @Test
    void a_browser_passes_the_token_as_subprotocol_and_in_the_url_only_where_that_is_allowed() throws Exception {
        Service service = start(NotifySettings.builder().auth(secret()));
        String token = hs256(claims("alice"));
        HttpClient http = HttpClient.newHttpClient();
        URI url = URI.create("ws://127.0.0.1:" + service.port() + "/ws");

        WebSocket socket = http.newWebSocketBuilder()
                .subprotocols("bearer", token)
                .buildAsync(url, new WebSocket.Listener() {})
                .join();
        assertThat(socket.getSubprotocol()).isEqualTo("bearer");
        socket.abort();

        URI withToken = URI.create(url + "?access_token=" + token);
        assertThatThrownBy(() -> http.newWebSocketBuilder()
                        .buildAsync(withToken, new WebSocket.Listener() {})
                        .join())
                .hasCauseInstanceOf(WebSocketHandshakeException.class);
        open.close();
        Service lenient =
                start(NotifySettings.builder().auth(new AuthSettings(secret().jwt(), Optional.empty(), true)));
        http.newWebSocketBuilder()
                .buildAsync(
                        URI.create("ws://127.0.0.1:" + lenient.port() + "/ws?access_token=" + token),
                        new WebSocket.Listener() {})
                .join()
                .abort();
    }

    @Test
    void a_connection_ends_with_its_token_unless_a_new_one_comes() throws Exception {
        Service service = start(NotifySettings.builder().auth(secret()));
        WsClient careless = connect(service, hs256(claims("a").expirationTime(ago(-6))));
        WsClient careful = connect(service, hs256(claims("b").expirationTime(ago(-6))));
        careful.subscribe("s1", TOPIC);

        careful.send("{'type':'auth','token':'" + hs256(claims("eve")) + "'}");
        assertThat(careful.next().path("message").asText()).contains("another subject");
        careful.send("{'type':'auth','token':'nonsense'}");
        assertThat(careful.next().path("message").asText()).contains("not valid");
        careful.send("{'type':'auth','token':'" + hs256(claims("b")) + "'}");
        assertThat(type(careful.next())).isEqualTo("authenticated");

        assertThat(careless.closed()).isEqualTo("4401 the token is expired");
        service.send(TOPIC, Service.insert(1));
        assertThat(type(careful.next())).isEqualTo("event");
    }

    @Test
    void a_token_that_is_taken_out_of_the_file_ends_its_connections() throws Exception {
        AuthSettings settings = tokens("[{'token':'" + STATIC + "','subject':'svc'}]");
        Service service = start(NotifySettings.builder().auth(settings).pingEvery(Duration.ofMillis(200)));
        WsClient client = connect(service, STATIC);
        client.subscribe("s1", TOPIC);

        tokens("[]");

        assertThat(client.closed()).isEqualTo("4401 the token is no longer taken");
    }

    @Test
    void connections_are_counted_by_subject_and_by_address_and_freed_again() throws Exception {
        Service service = start(NotifySettings.builder()
                .auth(secret())
                .limits(new NotifyLimits(1, 2, 1, 2000, 100, Duration.ofSeconds(20))));
        String alice = "Bearer " + hs256(claims("alice"));
        WsClient first = connect(service, hs256(claims("alice")));

        assertThat(refusal(service, "Authorization", alice)).isEqualTo(429);
        WsClient second = connect(service, hs256(claims("bob")));
        assertThat(refusal(service, "Authorization", "Bearer " + hs256(claims("carol"))))
                .isEqualTo(429);
        first.subscribe("s1", TOPIC);
        first.send("{'type':'subscribe','id':'s2','topic':'x'}");
        assertThat(first.next().path("message").asText()).contains("may hold 1 subscriptions");
        second.send("{'type':'ping','x':'" + "x".repeat(3000) + "'}");
        assertThat(second.closed()).startsWith("1009");

        first.close();
        await().atMost(Duration.ofSeconds(20)).until(() -> refusal(service, "Authorization", alice) == 101);
    }

    @Test
    void messages_beyond_the_rate_wait_and_none_is_lost() throws Exception {
        Service service =
                start(NotifySettings.builder().limits(new NotifyLimits(1, 10, 10, 2000, 10, Duration.ofSeconds(20))));
        WsClient client = open.client(service);
        long from = System.nanoTime();

        for (int i = 0; i < 40; i++) {
            client.send("{'type':'ping'}");
        }
        for (int i = 0; i < 40; i++) {
            assertThat(type(client.next())).isEqualTo("pong");
        }

        assertThat(Duration.ofNanos(System.nanoTime() - from)).isGreaterThan(Duration.ofMillis(1500));
    }

    @Test
    void a_handshake_that_does_not_end_is_cut() throws Exception {
        Service service =
                start(NotifySettings.builder().limits(new NotifyLimits(1, 10, 10, 2000, 10, Duration.ofMillis(500))));
        WsClient client = open.client(service);
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), service.port())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write("GET /ws HTTP/1.1\r\nHost: x\r\n".getBytes());

            assertThat(socket.getInputStream().read()).isEqualTo(-1);
        }
        client.subscribe("s1", TOPIC);
    }

    @Test
    void with_tls_clients_speak_wss_and_nothing_else() throws Exception {
        Path file =
                new TestCa(folder, "test").issue("localhost", "ip:127.0.0.1").pkcs12();
        var tls = new TlsFiles("walroute.notify.tls", file, null, "changeit");
        Service service = start(NotifySettings.builder()
                .tls(Optional.of(tls))
                .limits(new NotifyLimits(1, 10, 10, 2000, 10, Duration.ofSeconds(1))));

        HttpClient.newBuilder()
                .sslContext(tls.trustingItsOwn())
                .build()
                .newWebSocketBuilder()
                .buildAsync(URI.create("wss://127.0.0.1:" + service.port() + "/ws"), new WebSocket.Listener() {})
                .join()
                .abort();
        assertThatThrownBy(() -> WsClient.connect(service.port())).isInstanceOf(CompletionException.class);
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), service.port())) {
            socket.setSoTimeout(20_000);
            assertThat(socket.getInputStream().read()).as("cut, without TLS").isEqualTo(-1);
        }
        assertThatThrownBy(() -> new TlsFiles("walroute.notify.tls", file, null, "wrong").keyManagers())
                .hasMessageContaining("another password")
                .hasMessageNotContaining("wrong");
    }

    @Test
    void with_authentication_any_address_may_be_listened_on() {
        NotifySettings.builder().host("0.0.0.0").auth(secret()).build();
        assertThatThrownBy(() -> NotifySettings.builder().host("0.0.0.0").build())
                .hasMessageContaining("is no loopback address");
    }
}
