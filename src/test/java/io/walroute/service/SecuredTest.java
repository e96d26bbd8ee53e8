package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.walroute.settings.SettingsException;
import io.walroute.testing.TestCa;
import io.walroute.tls.TlsFiles;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** The whole service with TLS on both ports, and tokens for subscribers. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SecuredTest {
    private static final String TOKEN = "a-token-of-the-tests-0123";

    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.environment.put(
                "WALROUTE_NOTIFY_TOKENS",
                Files.writeString(
                                rig.folder.resolve("tokens.json"),
                                "[{\"token\":\"" + TOKEN + "\",\"subject\":\"alice\"}]")
                        .toString());
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    @Test
    void both_ports_speak_tls_and_subscribers_need_a_token() throws Exception {
        TlsFiles tls = pem();
        for (String port : new String[] {"NOTIFY", "MANAGEMENT"}) {
            rig.environment.put(
                    "WALROUTE_" + port + "_TLS_CERTIFICATE", tls.certificate().toString());
            rig.environment.put("WALROUTE_" + port + "_TLS_KEY", tls.key().toString());
        }
        rig.environment.put("WALROUTE_NOTIFY_HOST", "0.0.0.0");
        rig.startReady();
        HttpClient http =
                HttpClient.newBuilder().sslContext(tls.trustingItsOwn()).build();
        URI url = URI.create("wss://127.0.0.1:" + rig.service().websocketPort().getAsInt() + "/ws");

        assertThatThrownBy(() -> http.newWebSocketBuilder()
                        .buildAsync(url, new WebSocket.Listener() {})
                        .join())
                .hasCauseInstanceOf(WebSocketHandshakeException.class);
        var frames = new CopyOnWriteArrayList<String>();
        WebSocket socket = http.newWebSocketBuilder()
                .header("Authorization", "Bearer " + TOKEN)
                .buildAsync(url, new WebSocket.Listener() {
                    @Override
                    public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
                        frames.add(text.toString());
                        from.request(1);
                        return null;
                    }
                })
                .join();
        socket.sendText("{\"type\":\"ping\"}", true).join();
        await().atMost(Duration.ofSeconds(20)).until(() -> frames.toString().contains("pong"));
        socket.abort();

        HttpResponse<String> ready = http.send(
                HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + rig.managementPort + "/observe/health/ready"))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(ready.statusCode()).as(ready.body()).isEqualTo(200);
        assertThatThrownBy(() -> rig.management("/observe/health/ready")).isInstanceOf(java.io.IOException.class);
        assertThat(rig.cli.run("dead-letters", "list")).as(rig.cli.err()).isZero();
    }

    @Test
    void wrong_settings_of_authentication_and_tls_stop_the_start_without_their_secrets() {
        assertRefused("WALROUTE_NOTIFY_TOKENS", "missing.json", "walroute.notify.tokens: the file ");
        assertRefused("WALROUTE_NOTIFY_JWT_SECRET", "too-short-a-secret", "shorter than 32 bytes");
        assertRefused("WALROUTE_NOTIFY_JWT_ISSUER", "https://login.example.com", "nothing to check a JWT with");
        assertRefused(
                "WALROUTE_NOTIFY_JWT_JWKS",
                "https://login.example.com/jwks",
                "walroute.notify.jwt.audience is not set");
        assertRefused("WALROUTE_NOTIFY_TLS_CERTIFICATE", "missing.p12", "missing.p12 ");
        assertRefused("WALROUTE_NOTIFY_TLS_KEY", "a.key", "walroute.notify.tls.certificate is not set");
        assertRefused("WALROUTE_MANAGEMENT_TLS_CERTIFICATE", "missing.p12", "missing.p12 ");
        assertRefused("WALROUTE_NOTIFY_TOPICS_LISTINGS_AUTHORIZE", "seller == 1", "authorize=seller == 1 names seller");
        rig.environment.remove("WALROUTE_NOTIFY_TOKENS");
        assertRefused("WALROUTE_NOTIFY_TOPICS_LISTINGS_AUTHORIZE", "new.a == claims.a", "asks for claims");
        assertRefused("WALROUTE_NOTIFY_HOST", "0.0.0.0", "is no loopback address");
    }

    private void assertRefused(String variable, String value, String message) {
        String former = rig.environment.put(variable, value);
        assertThatThrownBy(rig::start)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining(message)
                .hasMessageNotContaining("too-short-a-secret");
        if (former == null) {
            rig.environment.remove(variable);
        } else {
            rig.environment.put(variable, former);
        }
    }

    private TlsFiles pem() throws Exception {
        TestCa.Identity server = new TestCa(rig.folder, "test").issue("localhost", "ip:127.0.0.1");
        return new TlsFiles("test", server.certificate(), server.key(), null);
    }
}
