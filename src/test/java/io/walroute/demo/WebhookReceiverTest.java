package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class WebhookReceiverTest {
    /** The example of the Standard Webhooks libraries' own tests. */
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private static final String ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    private static final String TIMESTAMP = "1614265330";
    private static final String SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    private static final byte[] BODY = "{\"test\": 2432232314}".getBytes(StandardCharsets.UTF_8);
    private static final Instant NOW = Instant.ofEpochSecond(1614265330).plusSeconds(20);

    private final WebhookCheck check = new WebhookCheck(SECRET);

    @Test
    void the_specification_s_example_is_genuine() {
        assertThat(check.problem(ID, TIMESTAMP, SIGNATURE, BODY, NOW)).isNull();
        assertThat(check.problem(ID, TIMESTAMP, "v1,b3RoZXI= " + SIGNATURE, BODY, NOW))
                .as("one of several signatures, while secrets rotate")
                .isNull();
    }

    @Test
    void anything_changed_is_refused() {
        byte[] otherBody = "{\"test\": 2432232315}".getBytes(StandardCharsets.UTF_8);
        assertThat(check.problem(ID, TIMESTAMP, SIGNATURE, otherBody, NOW)).isEqualTo("the signature does not match");
        assertThat(check.problem("msg_other", TIMESTAMP, SIGNATURE, BODY, NOW)).contains("does not match");
        assertThat(check.problem(ID, "1614265331", SIGNATURE, BODY, NOW)).contains("does not match");
        assertThat(check.problem(ID, TIMESTAMP, SIGNATURE.replace("v1", "v2"), BODY, NOW))
                .contains("does not match");
        assertThat(new WebhookCheck("whsec_b3RoZXI=").problem(ID, TIMESTAMP, SIGNATURE, BODY, NOW))
                .contains("does not match");
    }

    @Test
    void an_old_or_missing_timestamp_is_refused() {
        assertThat(check.problem(ID, TIMESTAMP, SIGNATURE, BODY, NOW.plusSeconds(300)))
                .isEqualTo("webhook-timestamp is 320 s off");
        assertThat(check.problem(ID, "soon", SIGNATURE, BODY, NOW)).contains("no number");
        assertThat(check.problem(ID, null, SIGNATURE, BODY, NOW)).contains("missing");
    }

    @Test
    void the_receiver_counts_genuine_and_false_webhooks_apart() throws Exception {
        Vertx vertx = Vertx.vertx();
        try (var receiver = WebhookReceiver.start(vertx, SECRET)) {
            String now = Long.toString(Instant.now().getEpochSecond());
            assertThat(post(receiver, "m1", now, sign("m1", now))).isEqualTo(204);
            assertThat(post(receiver, "m2", now, sign("m2", now))).isEqualTo(204);
            assertThat(post(receiver, "m3", now, sign("m2", now))).isEqualTo(401);
            assertThat(receiver.verified()).isEqualTo(2);
            assertThat(receiver.refused()).isEqualTo(1);
            for (int i = 0; i < 10; i++) {
                post(receiver, "n" + i, now, sign("n" + i, now));
            }
            assertThat(receiver.last())
                    .extracting(WebhookReceiver.Received::id)
                    .containsExactly("n5", "n6", "n7", "n8", "n9");
        } finally {
            vertx.close().toCompletionStage().toCompletableFuture().join();
        }
    }

    private static int post(WebhookReceiver receiver, String id, String timestamp, String signature) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(receiver.url()))
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp)
                .header("webhook-signature", signature)
                .POST(HttpRequest.BodyPublishers.ofByteArray(BODY))
                .build();
        return HttpClient.newHttpClient()
                .send(request, HttpResponse.BodyHandlers.ofString())
                .statusCode();
    }

    private static String sign(String id, String timestamp) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(SECRET.substring(6)), "HmacSHA256"));
        String content = id + "." + timestamp + "." + new String(BODY, StandardCharsets.UTF_8);
        return "v1," + Base64.getEncoder().encodeToString(mac.doFinal(content.getBytes(StandardCharsets.UTF_8)));
    }
}
