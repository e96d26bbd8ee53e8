package io.walroute.hook;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs and verifies as Standard Webhooks does it: HMAC-SHA256 over {@code id.timestamp.body}, written
 * {@code v1,<base64>}, one signature per secret with a space between. Stateless; any thread.
 */
public final class WebhookSignature {
    public static final String ID = "webhook-id";
    public static final String TIMESTAMP = "webhook-timestamp";
    public static final String SIGNATURE = "webhook-signature";

    private static final String SECRET_PREFIX = "whsec_";
    private static final String VERSION_PREFIX = "v1,";
    // The sizes that the specification gives for a symmetric secret: 192 to 512 bits.
    private static final int MIN_SECRET_BYTES = 24;
    private static final int MAX_SECRET_BYTES = 64;

    private WebhookSignature() {}

    /**
     * @param secret {@code whsec_<base64>}
     * @param timestampSeconds when the attempt is made, in seconds since 1970
     * @return {@code v1,<base64>}
     * @throws IllegalArgumentException if the secret is not of that form; the message doesn't show it
     */
    public static String sign(String secret, String id, long timestampSeconds, byte[] body) {
        return written(mac(secret), head(id, timestampSeconds), body);
    }

    /** The header's value for a receiver that may know any of the secrets. */
    public static String sign(List<String> secrets, String id, long timestampSeconds, byte[] body) {
        return secrets.stream()
                .map(secret -> sign(secret, id, timestampSeconds, body))
                .collect(Collectors.joining(" "));
    }

    /**
     * Whether the request was signed with one of the secrets, not longer ago (nor farther in the future) than the
     * tolerance. Signatures are compared in constant time.
     *
     * @param headers the request's headers; upper and lower case in their names make no difference
     * @param body the bytes as they were received, not parsed and written again
     */
    public static boolean verify(
            List<String> secrets, Map<String, String> headers, byte[] body, Duration tolerance, Instant now) {
        String id = header(headers, ID);
        Long timestamp = seconds(header(headers, TIMESTAMP));
        String signatures = header(headers, SIGNATURE);
        if (id == null || timestamp == null || signatures == null) {
            return false;
        }
        if (Math.abs(now.getEpochSecond() - timestamp) > tolerance.toSeconds()) {
            return false;
        }
        boolean valid = false;
        for (String secret : secrets) {
            byte[] expected = sign(secret, id, timestamp, body).getBytes(StandardCharsets.US_ASCII);
            for (String each : signatures.split(" ")) {
                valid |= MessageDigest.isEqual(expected, each.getBytes(StandardCharsets.US_ASCII));
            }
        }
        return valid;
    }

    /** What is wrong with a secret, in words that don't show it; empty if nothing is. */
    static Optional<String> secretProblem(String secret) {
        if (!secret.startsWith(SECRET_PREFIX)) {
            return Optional.of("does not start with " + SECRET_PREFIX);
        }
        try {
            int bytes = Base64.getDecoder().decode(secret.substring(SECRET_PREFIX.length())).length;
            return bytes >= MIN_SECRET_BYTES && bytes <= MAX_SECRET_BYTES
                    ? Optional.empty()
                    : Optional.of("holds " + bytes + " bytes");
        } catch (IllegalArgumentException e) {
            return Optional.of("is not base64 after " + SECRET_PREFIX);
        }
    }

    /** @throws IllegalArgumentException if the secret is not {@code whsec_<base64>}; the message doesn't show it */
    static Mac mac(String secret) {
        secretProblem(secret).ifPresent(problem -> {
            throw new IllegalArgumentException("a webhook secret " + problem);
        });
        try {
            var mac = Mac.getInstance("HmacSHA256");
            byte[] key = Base64.getDecoder().decode(secret.substring(SECRET_PREFIX.length()));
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has HmacSHA256", e);
        }
    }

    /** What is signed before the body. */
    static byte[] head(String id, long timestampSeconds) {
        return (id + "." + timestampSeconds + ".").getBytes(StandardCharsets.UTF_8);
    }

    /** One signature as the header holds it. Leaves the Mac as it was. */
    static String written(Mac mac, byte[] head, byte[] body) {
        mac.update(head);
        return VERSION_PREFIX + Base64.getEncoder().encodeToString(mac.doFinal(body));
    }

    private static String header(Map<String, String> headers, String name) {
        for (var each : headers.entrySet()) {
            if (each.getKey().equalsIgnoreCase(name)) {
                return each.getValue();
            }
        }
        return null;
    }

    private static Long seconds(String text) {
        // Twelve digits reach the year 33658; more would only make the comparison overflow.
        return text != null && text.matches("[0-9]{1,12}") ? Long.valueOf(text) : null;
    }
}
