package io.walroute.notify;

import io.walroute.tls.TlsFiles;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How the WebSocket hub listens, what it remembers and what one connection may cost.
 *
 * @param host a loopback address, unless clients are asked who they are
 * @param port 0 takes a free one
 * @param keep how long a frame can be asked for again by {@code since}
 * @param maxFrames how many frames are kept at most, however young
 * @param queueFrames frames that may wait in memory for one connection; what is behind them waits in the frame log
 * @param queueBytes the same in bytes; one frame may be larger than this
 * @param maxBehind a connection whose queue ran over and that is this many frames behind is told of a gap instead of sent
 *     the frames
 * @param maxConnections further ones are refused with 503
 * @param allowOrigins origins of web pages that may connect, as {@code https://app.example.com}; pages on loopback always may
 * @param pingEvery how often a connection is asked for a sign of life
 * @param closeIdleAfter a connection that gave none for so long is closed
 * @param auth how clients prove who they are
 * @param limits what one client may cost
 * @param topics who may see a topic, and what becomes of clients that don't keep up with it
 * @param requireAuthorization whether nobody sees a topic without a rule; only where clients are asked who they are
 * @param tls the server's certificate and key; empty: it speaks plain ws
 */
public record NotifySettings(
        String host,
        int port,
        Duration keep,
        long maxFrames,
        int queueFrames,
        long queueBytes,
        long maxBehind,
        int maxConnections,
        List<String> allowOrigins,
        Duration pingEvery,
        Duration closeIdleAfter,
        AuthSettings auth,
        NotifyLimits limits,
        TopicPolicies topics,
        boolean requireAuthorization,
        Optional<TlsFiles> tls) {

    /** The seed's port. */
    public static final int DEFAULT_PORT = 3003;

    public NotifySettings {
        require(port >= 0 && port <= 65_535, "WEBSOCKET_PORT=" + port + " is not a port. Write 1 to 65535, or off");
        if (!auth.isOn()) {
            requireLoopback(host);
        }
        require(keep.toMillis() > 0, "walroute.notify.keep=" + keep + " must be a positive duration");
        require(maxFrames > 0, "walroute.notify.max-frames=" + maxFrames + " must be at least 1");
        require(queueFrames > 1, "walroute.notify.queue-frames=" + queueFrames + " must be at least 2");
        require(queueBytes > 0, "walroute.notify.queue-bytes=" + queueBytes + " must be at least 1");
        require(maxBehind > 0, "walroute.notify.max-behind=" + maxBehind + " must be at least 1");
        require(maxConnections > 0, "walroute.notify.max-connections=" + maxConnections + " must be at least 1");
        require(pingEvery.toMillis() > 0, "walroute.notify.ping-every=" + pingEvery + " must be a positive duration");
        require(
                closeIdleAfter.compareTo(pingEvery) > 0,
                "walroute.notify.close-idle-after=" + closeIdleAfter + " must be longer than ping-every (" + pingEvery
                        + "), or connections without traffic would never live");
        allowOrigins = List.copyOf(allowOrigins);
        if (!auth.isOn()) {
            requireNoClaims(topics);
        }
    }

    /**
     * Reads the files that are named: of tokens, keys and certificates.
     *
     * @throws IllegalArgumentException if one can't be used; the message is one line
     */
    public void check() {
        new Authenticator(auth).close();
        tls.ifPresent(TlsFiles::keyManagers);
    }

    public static NotifySettings defaults() {
        return new Builder().build();
    }

    public static Builder builder() {
        return new Builder();
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new IllegalArgumentException(message);
        }
    }

    private static void requireNoClaims(TopicPolicies topics) {
        topics.parsedRules()
                .forEach((topic, rule) -> require(
                        !rule.namesClaims(),
                        "walroute.notify.topics." + topic + ".authorize=" + rule + " asks for claims, and subscribers"
                                + " are not authenticated. Set walroute.notify.jwt.jwks, walroute.notify.jwt.secret or"
                                + " walroute.notify.tokens"));
    }

    /** Whether a topic of which no rule says who may see it is nobody's. */
    boolean isRuleRequired() {
        return auth.isOn() && requireAuthorization;
    }

    private static void requireLoopback(String host) {
        try {
            require(
                    InetAddress.getByName(host).isLoopbackAddress(),
                    "walroute.notify.host=" + host + " is no loopback address: without authentication the WebSocket"
                            + " hub listens on 127.0.0.1 only. Set walroute.notify.jwt.jwks,"
                            + " walroute.notify.jwt.secret or walroute.notify.tokens, or put an"
                            + " authenticating proxy in front of it");
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(
                    "walroute.notify.host=" + host + " is no host known here. Write 127.0.0.1", e);
        }
    }

    /** Starts from the defaults. */
    public static final class Builder {
        private String host = "127.0.0.1";
        private int port = DEFAULT_PORT;
        private Duration keep = Duration.ofHours(1);
        private long maxFrames = 1_000_000;
        private int queueFrames = 1000;
        private long queueBytes = 4L << 20;
        private long maxBehind = 100_000;
        private int maxConnections = 10_000;
        private List<String> allowOrigins = List.of();
        private Duration pingEvery = Duration.ofSeconds(20);
        private Duration closeIdleAfter = Duration.ofSeconds(60);
        private AuthSettings auth = AuthSettings.NONE;
        private NotifyLimits limits = NotifyLimits.DEFAULTS;
        private TopicPolicies topics = TopicPolicies.NONE;
        private boolean requireAuthorization = true;
        private Optional<TlsFiles> tls = Optional.empty();

        private Builder() {}

        public Builder host(String value) {
            host = value;
            return this;
        }

        public Builder port(int value) {
            port = value;
            return this;
        }

        public Builder keep(Duration value) {
            keep = value;
            return this;
        }

        public Builder maxFrames(long value) {
            maxFrames = value;
            return this;
        }

        public Builder queueFrames(int value) {
            queueFrames = value;
            return this;
        }

        public Builder queueBytes(long value) {
            queueBytes = value;
            return this;
        }

        public Builder maxBehind(long value) {
            maxBehind = value;
            return this;
        }

        public Builder maxConnections(int value) {
            maxConnections = value;
            return this;
        }

        public Builder allowOrigins(List<String> value) {
            allowOrigins = value;
            return this;
        }

        public Builder pingEvery(Duration value) {
            pingEvery = value;
            return this;
        }

        public Builder closeIdleAfter(Duration value) {
            closeIdleAfter = value;
            return this;
        }

        public Builder auth(AuthSettings value) {
            auth = value;
            return this;
        }

        public Builder limits(NotifyLimits value) {
            limits = value;
            return this;
        }

        public Builder topics(TopicPolicies value) {
            topics = value;
            return this;
        }

        public Builder requireAuthorization(boolean value) {
            requireAuthorization = value;
            return this;
        }

        public Builder tls(Optional<TlsFiles> value) {
            tls = value;
            return this;
        }

        public NotifySettings build() {
            return new NotifySettings(
                    host,
                    port,
                    keep,
                    maxFrames,
                    queueFrames,
                    queueBytes,
                    maxBehind,
                    maxConnections,
                    allowOrigins,
                    pingEvery,
                    closeIdleAfter,
                    auth,
                    limits,
                    topics,
                    requireAuthorization,
                    tls);
        }
    }
}
