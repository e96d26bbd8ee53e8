package io.walroute.cache;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hash {@code _walroute:marker}, which tells a cache that this service filled from an emptied or foreign one.
 *
 * <p>Rule: a marker is written as soon as one is found missing at a connect, with {@code backfill=needed}, and that only
 * {@link #backfilled} takes back; so an emptied Redis is said once in the log and stays visible until rows were filled in.
 * Another's marker is left alone until a backfill makes the cache this service's.
 */
final class CacheMarker {
    private static final Logger LOG = LoggerFactory.getLogger(CacheMarker.class);
    private static final byte[] KEY = bytes("_walroute:marker");
    private static final String IDENTITY = "identity";
    private static final String BACKFILL = "backfill";
    private static final String SINCE = "since";

    private final String server;
    private final String identity;
    private volatile MarkerState lastSeen = MarkerState.UNKNOWN;

    /** @param identity whose changes fill the cache: the same for every instance on one slot of one database */
    CacheMarker(String server, String identity) {
        this.server = server;
        this.identity = identity;
    }

    /** On each new connection. Redis' own refusal to write it (out of memory, a replica) is no reason not to connect. */
    CompletionStage<?> greet(RedisAsyncCommands<byte[], byte[]> commands) {
        return commands.hgetall(KEY)
                .thenCompose(found -> {
                    MarkerState state = state(found);
                    if (found.isEmpty()) {
                        warnOfEmpty();
                        return commands.hset(KEY, fields("needed"));
                    }
                    if (state == MarkerState.FOREIGN) {
                        LOG.warn(
                                "The cache in Redis at {} was filled by {}, this is {}. Give this one a Redis (or a"
                                        + " database in it) of its own, or empty it",
                                server,
                                text(found, IDENTITY),
                                identity);
                    }
                    return CompletableFuture.completedStage(0L);
                })
                .exceptionally(CacheMarker::passRefusal);
    }

    private void warnOfEmpty() {
        LOG.warn(
                "The cache in Redis at {} was emptied or is new: a row is missing from it until it changes. Run:"
                        + " walroute backfill",
                server);
    }

    /** For now and then: a Redis may be emptied (FLUSHALL) without a connection being lost. */
    void look(RedisPipeline redis) {
        redis.send(commands -> commands.hgetall(KEY))
                .thenCompose(found -> {
                    state(found);
                    return found.isEmpty() ? markEmpty(redis) : CompletableFuture.completedFuture(0L);
                })
                .exceptionally(failure -> {
                    LOG.debug("The cache's marker was not looked at", failure);
                    return null;
                });
    }

    private CompletableFuture<Long> markEmpty(RedisPipeline redis) {
        warnOfEmpty();
        // Only where there is none: a backfill may have ended since.
        return redis.send(commands -> commands.hsetnx(KEY, bytes(BACKFILL), bytes("needed")))
                .thenCompose(first -> redis.send(commands -> commands.hset(KEY, origin())));
    }

    /** What the marker told when it was last asked for; doesn't ask. */
    MarkerState lastSeen() {
        return lastSeen;
    }

    static Long passRefusal(Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        if (cause instanceof RedisCommandExecutionException) {
            LOG.warn("Redis refused a command of a new connection: {}", cause.getMessage());
            return 0L;
        }
        throw new CompletionException(cause);
    }

    CompletionStage<MarkerState> state(RedisPipeline redis) {
        return redis.send(commands -> commands.hgetall(KEY)).thenApply(this::state);
    }

    CompletionStage<?> backfilled(RedisPipeline redis) {
        return redis.send(commands -> commands.hset(KEY, fields("done")))
                .thenAccept(done -> lastSeen = MarkerState.PRESENT);
    }

    /** What the marker says now, which is another text whenever the cache was emptied or went stale in between. */
    CompletionStage<String> stamp(RedisPipeline redis) {
        return redis.send(commands -> commands.hgetall(KEY)).thenCompose(found -> {
            state(found);
            return found.isEmpty()
                    ? markEmpty(redis).thenCompose(done -> stamp(redis))
                    : CompletableFuture.completedFuture(stamp(found));
        });
    }

    /** @return false, and nothing is changed, if the marker says something else than this by now */
    CompletionStage<Boolean> backfilled(RedisPipeline redis, String stamp) {
        return redis.send(commands -> commands.hgetall(KEY)).thenCompose(found -> {
            state(found);
            return found.isEmpty() || !stamp.equals(stamp(found))
                    ? CompletableFuture.completedFuture(false)
                    : backfilled(redis).thenApply(done -> true);
        });
    }

    private static String stamp(Map<byte[], byte[]> found) {
        return text(found, IDENTITY) + " " + text(found, SINCE);
    }

    /** Rows may be stale: until a backfill the marker says so. */
    CompletionStage<?> needsBackfill(RedisPipeline redis) {
        return redis.send(commands -> commands.hset(KEY, fields("needed")));
    }

    private MarkerState state(Map<byte[], byte[]> found) {
        lastSeen = stateOf(found);
        return lastSeen;
    }

    MarkerState stateOf(Map<byte[], byte[]> found) {
        if (found.isEmpty()) {
            return MarkerState.MISSING;
        }
        if (!identity.equals(text(found, IDENTITY))) {
            return MarkerState.FOREIGN;
        }
        return "done".equals(text(found, BACKFILL)) ? MarkerState.PRESENT : MarkerState.MISSING;
    }

    private Map<byte[], byte[]> fields(String backfill) {
        Map<byte[], byte[]> fields = origin();
        fields.put(bytes(BACKFILL), bytes(backfill));
        return fields;
    }

    private Map<byte[], byte[]> origin() {
        var fields = new LinkedHashMap<byte[], byte[]>();
        fields.put(bytes(IDENTITY), bytes(identity));
        fields.put(bytes(SINCE), bytes(Instant.now().toString()));
        return fields;
    }

    private static String text(Map<byte[], byte[]> fields, String name) {
        for (var field : fields.entrySet()) {
            if (name.equals(new String(field.getKey(), StandardCharsets.UTF_8))) {
                return new String(field.getValue(), StandardCharsets.UTF_8);
            }
        }
        return null;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
