package io.walroute.load;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.protocol.ProtocolVersion;
import io.walroute.settings.Settings;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Notices when a row that was inserted appears in Redis. Redis tells by itself which entries were written (client tracking in
 * broadcast mode, from version 6 on): no setting of the server is changed, and nothing is polled.
 *
 * <p>Only inserted rows are measured: of an entry that is written again Redis doesn't say which version it holds now.
 */
final class CacheProbe implements AutoCloseable {
    private final RedisClient client;
    private final StatefulRedisConnection<String, String> connection;
    /** A prefix of entries, and the table's name and colon that stand for it in a {@code Transaction}. */
    private final Map<String, String> tables = new TreeMap<>();

    /** @throws LoadException if the server has no client tracking, or can't be reached */
    CacheProbe(Settings settings, List<String> followed, Traffic traffic, Sink sink) throws LoadException {
        followed.forEach(table -> tables.put(CacheKeys.prefix(settings, table), table + ":"));
        client = RedisClient.create(settings.redisUrl().orElseThrow());
        client.setOptions(
                ClientOptions.builder().protocolVersion(ProtocolVersion.RESP3).build());
        try {
            connection = client.connect();
            connection.addListener(message -> {
                if (message.getType().equals("invalidate")) {
                    seen(message.getContent(StringCodec.UTF8::decodeValue), traffic, sink, System.nanoTime());
                }
            });
            connection
                    .sync()
                    .clientTracking(TrackingArgs.Builder.enabled()
                            .bcast()
                            .prefixes(tables.keySet().toArray(String[]::new)));
        } catch (RedisException e) {
            client.shutdown();
            throw new LoadException(
                    "Redis tells nobody what is written (client tracking, Redis 6): " + e.getMessage(), e);
        }
    }

    private void seen(List<Object> content, Traffic traffic, Sink sink, long now) {
        if (content.size() < 2 || !(content.get(1) instanceof List<?> keys)) {
            return; // Redis was emptied
        }
        for (Object key : keys) {
            sink.arrived(now);
            String row = row(String.valueOf(key));
            Transactions.Entry transaction = row == null ? null : traffic.firstSight(row);
            if (transaction != null) {
                sink.seen(transaction, now);
            }
        }
    }

    private String row(String key) {
        for (var table : tables.entrySet()) {
            if (key.startsWith(table.getKey())) {
                return table.getValue() + key.substring(table.getKey().length());
            }
        }
        return null;
    }

    @Override
    public void close() {
        client.shutdown();
    }
}
