package io.walroute.cache;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.change.ChangeEvent;
import io.walroute.testing.Redis;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** A row cache without Camel on a Redis, and a second client to look at what it did. */
final class TestCache implements AutoCloseable {
    static final RowCache.Keeping FOR_EVER = new RowCache.Keeping("", null, null);

    final RedisPipeline pipeline;
    final RowCache cache;
    final RedisCommands<String, String> redis;
    private final RedisClient client;
    private final ExecutorService executor = Executors.newFixedThreadPool(2);
    private final AtomicReference<Runnable> beforeNextAnswer = new AtomicReference<>();

    TestCache(Redis server) {
        this(server, null);
    }

    TestCache(Redis server, RowSource rows) {
        this(server, rows, Duration.ofSeconds(5));
    }

    TestCache(Redis server, RowSource rows, Duration timeout) {
        this(server.url(), rows, timeout, server.url());
    }

    /** Over a proxy, or to a server whose keys nobody looks at. */
    static TestCache on(String url, Duration timeout) {
        return new TestCache(url, null, timeout, null);
    }

    static TestCache on(String url, Duration timeout, Redis lookedAt) {
        return new TestCache(url, null, timeout, lookedAt.url());
    }

    private TestCache(String url, RowSource rows, Duration timeout, String lookUrl) {
        var settings = new CacheSettings(url, "", Map.of(), timeout, 256);
        pipeline = new RedisPipeline(settings, this::answer, commands -> commands.ping());
        cache = new RowCache(pipeline, rows, executor);
        pipeline.start();
        client = RedisClient.create(RedisURI.create(lookUrl == null ? url : lookUrl));
        redis = lookUrl == null ? null : client.connect().sync();
    }

    private void answer(Runnable task) {
        executor.execute(() -> {
            Runnable first = beforeNextAnswer.getAndSet(null);
            if (first != null) {
                first.run();
            }
            task.run();
        });
    }

    /** Runs something between Redis' next answer and what is made of it. */
    void beforeNextAnswer(Runnable action) {
        beforeNextAnswer.set(action);
    }

    RowCache.Outcome apply(ChangeEvent event) {
        return apply(event, FOR_EVER);
    }

    RowCache.Outcome apply(ChangeEvent event, RowCache.Keeping keeping) {
        return await(cache.apply(event, keeping));
    }

    static RowCache.Keeping expiring(Instant at) {
        return new RowCache.Keeping("", null, at);
    }

    static <T> T await(CompletableFuture<T> future) {
        return future.orTimeout(20, TimeUnit.SECONDS).join();
    }

    @Override
    public void close() {
        client.shutdown();
        pipeline.close();
        executor.shutdownNow();
    }
}
