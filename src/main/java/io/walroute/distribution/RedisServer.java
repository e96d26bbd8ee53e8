package io.walroute.distribution;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import java.time.Duration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.StringRedisTemplate;

/**
 * One connection to the Redis of stream and channels, made when it is first used and made anew when it is lost. While it is
 * away, commands fail at once or within the timeout: trying again is the route's error handler's. Thread-safe.
 */
public final class RedisServer implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private final RedisURI uri;
    private final LettuceConnectionFactory connections;
    private final StringRedisTemplate template;

    /**
     * @param ssl whom a {@code rediss://} server may show a certificate of
     * @throws IllegalArgumentException if the URL can't be used
     */
    public RedisServer(String url, SslOptions ssl) {
        uri = RedisURI.create(url);
        var client = LettuceClientConfiguration.builder()
                .commandTimeout(TIMEOUT)
                .shutdownTimeout(Duration.ZERO)
                .clientOptions(ClientOptions.builder()
                        .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                        .sslOptions(ssl)
                        .socketOptions(
                                SocketOptions.builder().connectTimeout(TIMEOUT).build())
                        .build());
        if (uri.isSsl()) {
            client.useSsl();
        }
        connections =
                new LettuceConnectionFactory(LettuceConnectionFactory.createRedisConfiguration(uri), client.build());
        connections.afterPropertiesSet();
        connections.start();
        template = new StringRedisTemplate(connections);
    }

    public StringRedisTemplate template() {
        return template;
    }

    /** {@code host:port}, for the endpoint's address. */
    public String address() {
        return uri.getHost() + ":" + uri.getPort();
    }

    @Override
    public void close() {
        connections.destroy();
    }
}
