package io.walroute.cache;

import io.lettuce.core.api.async.RedisAsyncCommands;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Redacted;
import io.walroute.change.Version;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.camel.Endpoint;
import org.apache.camel.spi.annotations.Component;
import org.apache.camel.support.DefaultComponent;

/**
 * {@code to: row-cache:NAME} puts a change's row into Redis under {@code table:key}, or takes it out.
 *
 * <p>One component is one Redis with one connection, made in the background: the context starts without it, and until it is
 * there changes fail. NAME only tells endpoints apart. A component that is created by Camel itself, without settings, can't
 * make endpoints.
 */
@Component("row-cache")
public class RowCacheComponent extends DefaultComponent {
    /** How often an emptied cache is looked for. */
    private static final long LOOK_SECONDS = 10;

    private CacheSettings settings;
    private RowSource rowSource;
    private String identity = "walroute";
    private volatile RedisPipeline redis;
    private volatile RowCache cache;
    private volatile CacheMarker marker;
    private CacheMeters meters;
    private volatile CacheCircuit circuit;
    private ExecutorService answers;
    private ExecutorService rowReaders;
    private ScheduledExecutorService looks;

    public RowCacheComponent() {}

    public RowCacheComponent(CacheSettings settings) {
        this.settings = settings;
    }

    public CacheSettings getSettings() {
        return settings;
    }

    public void setSettings(CacheSettings settings) {
        this.settings = settings;
    }

    public RowSource getRowSource() {
        return rowSource;
    }

    /** Left out, a row with left-out columns that neither the change nor the cache can complete is removed. */
    public void setRowSource(RowSource rowSource) {
        this.rowSource = rowSource;
    }

    public String getIdentity() {
        return identity;
    }

    /**
     * Whose changes fill this cache, as the marker key says it: the same for all instances on one slot, another for another
     * database.
     */
    public void setIdentity(String identity) {
        this.identity = identity;
    }

    @Override
    protected Endpoint createEndpoint(String uri, String remaining, Map<String, Object> parameters) throws Exception {
        if (settings == null) {
            throw new IllegalArgumentException(uri + " has no Redis. Set REDIS_URL, as redis://localhost:6379");
        }
        var endpoint = new RowCacheEndpoint(uri, remaining, this);
        setProperties(endpoint, parameters);
        return endpoint;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        if (settings == null) {
            return;
        }
        var executors = getCamelContext().getExecutorServiceManager();
        answers = executors.newFixedThreadPool(this, "row-cache-answers", 2);
        rowReaders = executors.newFixedThreadPool(this, "row-cache-rows", 2);
        marker = new CacheMarker(settings.server(), identity);
        meters = new CacheMeters(meterRegistry());
        redis = new RedisPipeline(settings, answers, this::greet);
        cache = new RowCache(redis, rowSource, rowReaders);
        circuit = new CacheCircuit(settings.server(), cache::tryOut, meterRegistry());
        redis.start();
        looks = executors.newSingleThreadScheduledExecutor(this, "row-cache-marker");
        looks.scheduleWithFixedDelay(() -> marker.look(redis), LOOK_SECONDS, LOOK_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    protected void doStop() throws Exception {
        super.doStop();
        if (redis != null) {
            getCamelContext().getExecutorServiceManager().shutdownNow(looks);
            redis.close();
            circuit.close();
            redis = null;
            cache = null;
            getCamelContext().getExecutorServiceManager().shutdown(rowReaders);
            getCamelContext().getExecutorServiceManager().shutdown(answers);
        }
    }

    private MeterRegistry meterRegistry() {
        var found = getCamelContext().getRegistry().findSingleByType(MeterRegistry.class);
        return found != null ? found : new SimpleMeterRegistry();
    }

    private CompletionStage<?> greet(RedisAsyncCommands<byte[], byte[]> commands) {
        var loaded = Arrays.stream(Script.values())
                .map(script -> commands.scriptLoad(script.source()).toCompletableFuture())
                .toArray(CompletableFuture<?>[]::new);
        return CompletableFuture.allOf(loaded)
                .handle((done, failure) -> failure == null ? 0L : CacheMarker.passRefusal(failure))
                .thenCompose(done -> marker.greet(commands));
    }

    CompletableFuture<RowCache.Outcome> apply(ChangeEvent event, RowCache.Keeping keeping, Redacted redacted) {
        RowCache running = cache;
        if (running == null) {
            return CompletableFuture.failedFuture(new RowCacheException("The row cache is stopped", null));
        }
        return circuit.call(() -> running.apply(event, keeping, redacted))
                .whenComplete((outcome, failure) -> meters.count(outcome, failure));
    }

    CompletableFuture<Boolean> forget(ChangeEvent event, String prefix) {
        RowCache running = cache;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache is stopped", null))
                : circuit.call(() -> running.forget(event, prefix));
    }

    /** Why Redis can't be used now, in one line without password; empty if, as far as known, it can. */
    public Optional<String> problem() {
        RedisPipeline running = redis;
        return running == null
                ? Optional.of("The row cache isn't started")
                : running.problem().or(circuit::problem);
    }

    /** {@code closed}, {@code open} or {@code half_open}; null before the start. */
    public String circuit() {
        CacheCircuit known = circuit;
        return known == null ? null : known.state();
    }

    /** As {@link #markerState()}, but as it was last seen, at most some seconds ago while Redis answers. Asks nobody. */
    public MarkerState lastMarkerState() {
        CacheMarker known = marker;
        return known == null ? MarkerState.UNKNOWN : known.lastSeen();
    }

    /** Whether the cache is this service's and filled. Waits for Redis, at most for the command time-out. */
    public MarkerState markerState() {
        RedisPipeline running = redis;
        if (running == null) {
            return MarkerState.UNKNOWN;
        }
        try {
            return marker.state(running)
                    .toCompletableFuture()
                    .get(settings.commandTimeout().toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return MarkerState.UNKNOWN;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return MarkerState.UNKNOWN;
        }
    }

    /** To be called once every cached table has been read by a backfill: the cache is whole, and this service's. */
    public CompletionStage<?> markBackfilled() {
        RedisPipeline running = redis;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null))
                : marker.backfilled(running);
    }

    /** What the marker says now; to be given to {@link #markBackfilled(String)} once all cached tables were read. */
    public CompletionStage<String> markerStamp() {
        RedisPipeline running = redis;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null))
                : marker.stamp(running);
    }

    /**
     * As {@link #markBackfilled()}, if the cache was neither emptied nor went stale since {@link #markerStamp} said this.
     *
     * @return whether it is so
     */
    public CompletionStage<Boolean> markBackfilled(String stamp) {
        RedisPipeline running = redis;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null))
                : marker.backfilled(running, stamp);
    }

    /**
     * Removes a table's entries that are older than a version; to be called once all rows of the table were put in with that
     * version or a later one.
     *
     * @param table as {@link ChangeEvent#qualifiedTable()} has it
     * @param keyColumns how many columns its primary key has
     * @return how many there were
     */
    public CompletionStage<Long> prune(String table, int keyColumns, Version before) {
        RowCache running = cache;
        if (running == null) {
            return CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null));
        }
        var of = settings.tables().get(table);
        String prefix = of != null && of.prefix() != null ? of.prefix() : settings.prefix();
        return running.prune(prefix + table, keyColumns, before);
    }

    /** Rows that changed unseen may be stale: {@link #markerState} says backfill until {@link #markBackfilled}. */
    public CompletionStage<?> markStale() {
        RedisPipeline running = redis;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null))
                : marker.needsBackfill(running);
    }

    /**
     * Forgets deletions, expired rows and truncations up to and including this version. Only for what nothing older can come
     * after: the slot has confirmed past it, nothing is parked before it, and no backfill is running whose rows carry an
     * older version.
     *
     * @return how many were forgotten
     */
    public CompletionStage<Long> purge(Version settledUpTo) {
        RowCache running = cache;
        return running == null
                ? CompletableFuture.failedFuture(new RowCacheException("The row cache isn't started", null))
                : running.purge(settledUpTo);
    }
}
