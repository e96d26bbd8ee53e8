package io.walroute.notify;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * How WebSocket clients prove who they are. With neither a way to check JWTs nor a file of tokens, nobody is asked, and the
 * hub listens on loopback only.
 *
 * @param jwt how JWTs are checked
 * @param tokens a file of tokens that are told to clients beforehand; it is read again when it changes
 * @param queryToken whether the token may come as {@code ?access_token=}, where proxies write it into their logs
 */
public record AuthSettings(Optional<Jwt> jwt, Optional<Path> tokens, boolean queryToken) {
    /** Nobody is asked. */
    public static final AuthSettings NONE = new AuthSettings(Optional.empty(), Optional.empty(), false);

    /** Whether clients are asked for a token. */
    public boolean isOn() {
        return jwt.isPresent() || tokens.isPresent();
    }

    /**
     * @param secret what HS256 tokens are signed with; null: none are taken
     * @param jwks where the public keys of the other algorithms are, an https URL or a file; null: none are taken
     * @param issuer what the claim iss has to be; null: anything
     * @param audience what the claim aud has to hold; null: anything
     * @param clockSkew how far the issuer's clock may be off
     */
    public record Jwt(String secret, JwksLocation jwks, String issuer, String audience, Duration clockSkew) {
        private static final int MIN_SECRET_BYTES = 32;
        private static final Duration MAX_CLOCK_SKEW = Duration.ofMinutes(10);

        public Jwt {
            require(
                    secret != null || jwks != null,
                    "walroute.notify.jwt.* is set, but nothing to check a JWT with. Set walroute.notify.jwt.secret"
                            + " or walroute.notify.jwt.jwks");
            require(
                    secret == null || secret.getBytes(StandardCharsets.UTF_8).length >= MIN_SECRET_BYTES,
                    "walroute.notify.jwt.secret is shorter than " + MIN_SECRET_BYTES
                            + " bytes, so that it could be guessed. Make one: openssl rand -hex 32");
            require(
                    !clockSkew.isNegative() && clockSkew.compareTo(MAX_CLOCK_SKEW) <= 0,
                    "walroute.notify.jwt.clock-skew=" + clockSkew + " must be at most 10m");
        }

        /** The secret is nobody's business. */
        @Override
        public String toString() {
            return "Jwt[secret=" + (secret == null ? "none" : "***") + ", jwks=" + jwks + ", issuer=" + issuer
                    + ", audience=" + audience + ", clockSkew=" + clockSkew + "]";
        }
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new IllegalArgumentException(message);
        }
    }
}
