package io.walroute.notify;

import java.time.Duration;

/**
 * What one client may cost.
 *
 * @param connectionsPerSubject connections of one subject (the claim sub); further ones are refused with 429
 * @param connectionsPerAddress connections of one address (IPv6: one /64 network); further ones are refused with 429
 * @param subscriptions subscriptions of one connection
 * @param messageBytes a larger message ends its connection
 * @param messagesPerSecond what a client sends faster waits in its socket
 * @param handshake a connection that isn't a WebSocket by then, TLS and token included, is cut
 */
public record NotifyLimits(
        int connectionsPerSubject,
        int connectionsPerAddress,
        int subscriptions,
        int messageBytes,
        int messagesPerSecond,
        Duration handshake) {
    public static final NotifyLimits DEFAULTS =
            new NotifyLimits(100, Integer.MAX_VALUE, 1000, 64 << 10, 100, Duration.ofSeconds(10));

    public NotifyLimits {
        require(connectionsPerSubject > 0, "max-connections-per-subject", connectionsPerSubject, "at least 1");
        require(connectionsPerAddress > 0, "max-connections-per-address", connectionsPerAddress, "at least 1");
        require(subscriptions > 0, "max-subscriptions", subscriptions, "at least 1");
        require(messageBytes >= 1 << 10 && messageBytes <= 16 << 20, "max-message", messageBytes, "from 1KB to 16MB");
        require(messagesPerSecond > 0, "message-rate", messagesPerSecond, "at least 1");
        require(
                handshake.toMillis() > 0 && handshake.toMinutes() <= 10,
                "handshake-timeout",
                handshake,
                "above 0 and at most 10m");
    }

    private static void require(boolean holds, String key, Object value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException("walroute.notify." + key + "=" + value + " must be " + expected);
        }
    }
}
