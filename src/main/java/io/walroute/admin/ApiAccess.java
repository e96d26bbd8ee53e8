package io.walroute.admin;

import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.HostAndPort;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Who may call the API, and who sees the health's details.
 *
 * <p>Bound to loopback, anybody on this machine may look; a browser on it may do so only for a page of this port itself, or any
 * page could (by a name of its own that leads here, or by a form), or for one of an origin that is allowed by name. Whatever
 * changes something brings the token, and so does every call when bound to anything else. It comes as bearer token, or as the
 * password of a Basic authorization, which is all that Hawtio can send; the user's name is of no account.
 */
public final class ApiAccess {
    /**
     * What a call says of itself; what is missing is null.
     *
     * @param host the name or address that it was called by, without port
     * @param authority host and port, as the header Host has them
     */
    record Call(
            boolean changes,
            String host,
            String authority,
            String origin,
            String fetchSite,
            String authorization,
            String contentType) {
        static Call of(HttpServerRequest request) {
            HostAndPort authority = request.authority();
            return new Call(
                    request.method() != HttpMethod.GET,
                    authority == null ? null : authority.host(),
                    request.getHeader("Host"),
                    request.getHeader("Origin"),
                    request.getHeader("Sec-Fetch-Site"),
                    request.getHeader("Authorization"),
                    request.getHeader("Content-Type"));
        }
    }

    record Refusal(int status, String message) {}

    private static final String BEARER = "bearer ";
    private static final String BASIC = "basic ";

    private final boolean loopback;
    private final String boundTo;
    private final Optional<ManagementToken> token;
    private final Set<String> allowedOrigins;
    // For the log's and the machine's sake: a token is too long to be guessed at any rate.
    private final CallLimit wrongTokens = new CallLimit(20, 0.5, System.nanoTime());
    private final CallLimit changing = new CallLimit(50, 10, System.nanoTime());

    /**
     * @param loopback whether only this machine can reach the port
     * @param boundTo the address that it listens on
     * @param token empty if there is none, so that nobody has it: nothing can be changed then
     * @param allowedOrigins of other web pages that may call, as {@code http://localhost:8080}
     */
    public ApiAccess(boolean loopback, String boundTo, Optional<ManagementToken> token, Set<String> allowedOrigins) {
        this.loopback = loopback;
        this.boundTo = boundTo;
        this.token = token;
        this.allowedOrigins = Set.copyOf(allowedOrigins);
    }

    Optional<Refusal> check(Call call) {
        Optional<Refusal> foreign = checkOrigin(call);
        if (foreign.isPresent()) {
            return foreign;
        }
        if (call.authorization() == null) {
            if (call.changes() || !loopback) {
                return refused(
                        401,
                        (call.changes() ? "what changes something" : "every call from other machines")
                                + " needs the token: send the header Authorization: Bearer TOKEN. It is "
                                + token.map(ManagementToken::place).orElse("not there; set walroute.management.token"));
            }
        } else if (!isToken(call.authorization())) {
            // Only now: whoever has the right one must not be locked out by somebody who hasn't.
            if (!wrongTokens.take(System.nanoTime())) {
                return refused(429, "too many wrong tokens came in. Try again in a few seconds");
            }
            return refused(
                    401,
                    "the token is not the one of this service, which is "
                            + token.map(ManagementToken::place).orElse("not there; set walroute.management.token"));
        }
        if (call.changes() && !isJson(call.contentType())) {
            return refused(415, "the body has to be JSON: send the header Content-Type: application/json");
        }
        if (call.changes() && !changing.take(System.nanoTime())) {
            return refused(429, "too many calls that change something. Try again in a second");
        }
        return Optional.empty();
    }

    /** Of paths of others on this port that change something, whatever their method and their body's type. */
    Optional<Refusal> checkChange(Call call) {
        return check(new Call(
                true,
                call.host(),
                call.authority(),
                call.origin(),
                call.fetchSite(),
                call.authorization(),
                "application/json"));
    }

    /** Also for paths of others on this port. */
    Optional<Refusal> checkOrigin(Call call) {
        if (loopback && (call.host() == null || !isThisMachine(call.host()))) {
            return refused(
                    403, "called by a name that is not this machine's loopback. Use http://127.0.0.1 or localhost");
        }
        if (call.origin() != null && allowedOrigins.contains(call.origin())) {
            return Optional.empty();
        }
        boolean sameSite = call.fetchSite() == null
                || call.fetchSite().equals("same-origin")
                || call.fetchSite().equals("none");
        boolean sameOrigin = call.origin() == null
                || call.authority() != null
                        && call.origin()
                                .toLowerCase(Locale.ROOT)
                                .endsWith("://" + call.authority().toLowerCase(Locale.ROOT));
        return sameSite && sameOrigin
                ? Optional.empty()
                : refused(
                        403,
                        "called by the script or form of another web page, which is not allowed. If you know it, name its"
                                + " origin in walroute.management.allow-origins");
    }

    private boolean isThisMachine(String host) {
        String name = host.toLowerCase(Locale.ROOT);
        if (name.startsWith("[") && name.endsWith("]")) {
            name = name.substring(1, name.length() - 1);
        }
        return name.equals("localhost")
                || name.equals("::1")
                || name.matches("127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}")
                || name.equalsIgnoreCase(boundTo);
    }

    private static boolean isJson(String contentType) {
        return contentType != null && contentType.split(";", 2)[0].strip().equalsIgnoreCase("application/json");
    }

    private boolean isToken(String authorization) {
        // Digests are equally long, so the time of the comparison tells nothing of the token, not even its length.
        return token.isPresent()
                && given(authorization)
                        .filter(text -> MessageDigest.isEqual(
                                digest(text), digest(token.get().value())))
                        .isPresent();
    }

    private static Optional<String> given(String authorization) {
        String scheme = authorization.toLowerCase(Locale.ROOT);
        if (scheme.startsWith(BEARER)) {
            return Optional.of(authorization.substring(BEARER.length()).strip());
        }
        if (!scheme.startsWith(BASIC)) {
            return Optional.empty();
        }
        try {
            byte[] pair = Base64.getDecoder()
                    .decode(authorization.substring(BASIC.length()).strip());
            String[] parts = new String(pair, StandardCharsets.UTF_8).split(":", 2);
            return parts.length == 2 ? Optional.of(parts[1]) : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static Optional<Refusal> refused(int status, String message) {
        return Optional.of(new Refusal(status, message));
    }
}
