package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class WebhookSignatureTest {
    // The vector of the Standard Webhooks reference libraries.
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final String OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private static final String ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    private static final long SECONDS = 1614265330;
    private static final byte[] BODY = "{\"test\": 2432232314}".getBytes(StandardCharsets.UTF_8);
    private static final String SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    private static final Instant NOW = Instant.ofEpochSecond(SECONDS);
    private static final Duration TOLERANCE = Duration.ofMinutes(5);

    @Test
    void the_signature_is_the_one_of_the_reference_vector() {
        assertThat(WebhookSignature.sign(SECRET, ID, SECONDS, BODY)).isEqualTo(SIGNATURE);
    }

    @Test
    void a_signer_that_is_used_again_signs_each_body_by_itself() {
        var signer = new Signer(List.of(OTHER, SECRET));

        for (String text : List.of("{}", "{\"a\": 1}", "")) {
            byte[] body = text.getBytes(StandardCharsets.UTF_8);
            assertThat(signer.sign(ID, SECONDS, body))
                    .isEqualTo(WebhookSignature.sign(List.of(OTHER, SECRET), ID, SECONDS, body));
        }
        assertThat(new Signer(List.of(SECRET)).sign(ID, SECONDS, BODY)).isEqualTo(SIGNATURE);
    }

    @Test
    void what_was_signed_verifies_whatever_the_case_of_the_header_names() {
        assertThat(verify(Map.of("Webhook-Id", ID, "WEBHOOK-TIMESTAMP", "" + SECONDS, "webhook-signature", SIGNATURE)))
                .isTrue();
    }

    @Test
    void a_receiver_that_knows_either_secret_of_a_rotation_verifies() {
        String both = WebhookSignature.sign(List.of(OTHER, SECRET), ID, SECONDS, BODY);

        assertThat(both.split(" ")).hasSize(2);
        assertThat(verify(headers(ID, "" + SECONDS, both))).isTrue();
        assertThat(WebhookSignature.verify(List.of(OTHER), headers(ID, "" + SECONDS, both), BODY, TOLERANCE, NOW))
                .isTrue();
    }

    @Test
    void a_receiver_may_itself_hold_several_secrets() {
        assertThat(WebhookSignature.verify(
                        List.of(OTHER, SECRET), headers(ID, "" + SECONDS, SIGNATURE), BODY, TOLERANCE, NOW))
                .isTrue();
    }

    @Test
    void another_body_id_time_or_secret_does_not_verify() {
        var signed = headers(ID, "" + SECONDS, SIGNATURE);

        assertThat(WebhookSignature.verify(List.of(SECRET), signed, "{}".getBytes(), TOLERANCE, NOW))
                .isFalse();
        assertThat(WebhookSignature.verify(List.of(OTHER), signed, BODY, TOLERANCE, NOW))
                .isFalse();
        assertThat(verify(headers("msg_2", "" + SECONDS, SIGNATURE))).isFalse();
        assertThat(verify(headers(ID, "" + (SECONDS + 1), SIGNATURE))).isFalse();
    }

    @Test
    void a_missing_header_or_a_malformed_one_does_not_verify() {
        assertThat(verify(Map.of())).isFalse();
        assertThat(verify(Map.of("webhook-id", ID, "webhook-timestamp", "" + SECONDS)))
                .isFalse();
        assertThat(verify(headers(ID, "now", SIGNATURE))).isFalse();
        assertThat(verify(headers(ID, "99999999999999999999", SIGNATURE))).isFalse();
        assertThat(verify(headers(ID, "" + SECONDS, ""))).isFalse();
        assertThat(verify(headers(ID, "" + SECONDS, SIGNATURE.replace("v1,", "v2,"))))
                .isFalse();
    }

    @Test
    void what_is_older_or_farther_in_the_future_than_the_tolerance_does_not_verify() {
        var signed = headers(ID, "" + SECONDS, SIGNATURE);

        for (long off : new long[] {-301, 301}) {
            assertThat(WebhookSignature.verify(List.of(SECRET), signed, BODY, TOLERANCE, NOW.plusSeconds(off)))
                    .as("%s s off", off)
                    .isFalse();
            assertThat(WebhookSignature.verify(
                            List.of(SECRET), signed, BODY, TOLERANCE, NOW.plusSeconds(off - Long.signum(off))))
                    .isTrue();
        }
    }

    @Test
    void a_secret_of_another_form_is_refused_without_being_shown() {
        assertThatThrownBy(() -> WebhookSignature.sign("hunter2hunter2", ID, SECONDS, BODY))
                .hasMessage("a webhook secret does not start with whsec_");
    }

    private static boolean verify(Map<String, String> headers) {
        return WebhookSignature.verify(List.of(SECRET), headers, BODY, TOLERANCE, NOW);
    }

    private static Map<String, String> headers(String id, String timestamp, String signature) {
        return Map.of("webhook-id", id, "webhook-timestamp", timestamp, "webhook-signature", signature);
    }
}
