package io.walroute.distribution;

import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.security.GeneralSecurityException;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.Connection;

/**
 * The connection to RabbitMQ, made when it is first used and made anew when it is lost, with publisher confirms on its
 * channels. Thread-safe.
 */
public final class RabbitServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RabbitServer.class);
    private static final int TIMEOUT_MS = 3_000;
    private static final int HEARTBEAT_SECONDS = 5;
    /** One for each thread of the route. */
    private static final int CHANNELS = 8;

    private final CachingConnectionFactory connections;

    /** @throws IllegalArgumentException if the URL can't be used */
    public RabbitServer(String url, String exchange) {
        var client = new ConnectionFactory();
        try {
            var uri = new URI(url);
            client.setUri(uri);
            if ("amqps".equals(uri.getScheme())) {
                // By default, the client trusts every certificate.
                client.useSslProtocol(SSLContext.getDefault());
                client.enableHostnameVerification();
            }
        } catch (URISyntaxException | GeneralSecurityException e) {
            throw new IllegalArgumentException("it is not a URL that the client can use", e); // the cause may show it
        }
        client.setConnectionTimeout(TIMEOUT_MS);
        client.setHandshakeTimeout(TIMEOUT_MS);
        client.setChannelRpcTimeout(TIMEOUT_MS);
        client.setRequestedHeartbeat(HEARTBEAT_SECONDS);
        client.setAutomaticRecoveryEnabled(false); // Spring's does it
        connections = new CachingConnectionFactory(client);
        connections.setConnectionNameStrategy(factory -> "walroute");
        connections.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.SIMPLE);
        connections.setChannelCacheSize(CHANNELS);
        connections.setCloseTimeout(TIMEOUT_MS);
        connections.addConnectionListener(connection -> declare(connection, exchange));
    }

    /** With each connection, since a server may have been set up anew; not at the start, when it may be away. */
    private static void declare(Connection connection, String exchange) {
        try (Channel channel = connection.createChannel(false)) {
            channel.exchangeDeclare(exchange, BuiltinExchangeType.TOPIC, true);
        } catch (IOException | TimeoutException | RuntimeException e) {
            // Whoever may publish need not be allowed to declare, and may have made it of another type. If it is
            // missing,
            // each publish says so.
            LOG.warn("The exchange {} can't be declared in RabbitMQ: {}", exchange, reason(e));
        }
    }

    private static String reason(Throwable e) {
        Throwable deepest = e;
        while (deepest.getCause() != null) {
            deepest = deepest.getCause();
        }
        return deepest.getMessage();
    }

    public CachingConnectionFactory connections() {
        return connections;
    }

    @Override
    public void close() {
        connections.destroy();
    }
}
