import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Verifies a webhook of walroute (Standard Webhooks, v1) with nothing but the JDK.
 *
 * <pre>{@code
 * if (!VerifyWebhook.verify(secret, request.getHeader("webhook-id"), request.getHeader("webhook-timestamp"),
 *         request.getHeader("webhook-signature"), rawBody, Instant.now())) { answer 401 }
 * }</pre>
 *
 * rawBody is the bytes as they were received: parsed and written again they have another signature.
 */
public final class VerifyWebhook {
    private static final Duration TOLERANCE = Duration.ofMinutes(5);

    private VerifyWebhook() {}

    /** Whether it was signed with the secret, within five minutes of now. */
    public static boolean verify(
            String secret, String id, String timestamp, String signatures, byte[] rawBody, Instant now)
            throws GeneralSecurityException {
        if (id == null || signatures == null || timestamp == null || !timestamp.matches("[0-9]{1,12}")) {
            return false;
        }
        if (Math.abs(now.getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE.toSeconds()) {
            return false;
        }
        byte[] key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        String expected = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(rawBody));
        boolean fits = false;
        // While a secret is replaced there are several signatures: one that fits is enough.
        for (String each : signatures.split(" ")) {
            fits |= MessageDigest.isEqual(
                    expected.getBytes(StandardCharsets.UTF_8), each.getBytes(StandardCharsets.UTF_8));
        }
        return fits;
    }
}
