package io.walroute.cache;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Looks at a Redis once, without the service, and changes nothing in it.
 *
 * @param info what INFO tells, by name
 * @param save the setting {@code save}; null where CONFIG is forbidden, as on managed servers
 * @param marker whose the cache is
 */
public record CacheProbe(Map<String, String> info, String save, MarkerState marker) {
    /** @throws RuntimeException Lettuce's, if it can't be asked */
    public static CacheProbe look(CacheSettings settings, String identity, Duration timeout) {
        var uri = settings.uri();
        uri.setTimeout(timeout);
        RedisClient client = RedisClient.create(uri);
        try {
            client.setOptions(ClientOptions.builder()
                    .autoReconnect(false)
                    .sslOptions(settings.ssl())
                    .socketOptions(
                            SocketOptions.builder().connectTimeout(timeout).build())
                    .timeoutOptions(TimeoutOptions.enabled(timeout))
                    .build());
            try (var connection = client.connect(ByteArrayCodec.INSTANCE)) {
                RedisCommands<byte[], byte[]> redis = connection.sync();
                return new CacheProbe(info(redis), save(redis), marker(redis, settings, identity));
            }
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private static Map<String, String> info(RedisCommands<byte[], byte[]> redis) {
        Map<String, String> info = new HashMap<>();
        redis.info().lines().forEach(line -> {
            int colon = line.indexOf(':');
            if (colon > 0 && !line.startsWith("#")) {
                info.put(line.substring(0, colon), line.substring(colon + 1).strip());
            }
        });
        return info;
    }

    private static String save(RedisCommands<byte[], byte[]> redis) {
        try {
            return redis.configGet("save").getOrDefault("save", "");
        } catch (RedisCommandExecutionException e) {
            return null;
        }
    }

    private static MarkerState marker(RedisCommands<byte[], byte[]> redis, CacheSettings settings, String identity) {
        try {
            return new CacheMarker(settings.server(), identity)
                    .stateOf(redis.hgetall("_walroute:marker".getBytes(StandardCharsets.UTF_8)));
        } catch (RedisCommandExecutionException e) {
            return MarkerState.UNKNOWN; // as while it loads its file
        }
    }
}
