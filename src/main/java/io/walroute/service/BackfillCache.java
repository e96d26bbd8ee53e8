package io.walroute.service;

import io.walroute.backfill.BackfillException;
import io.walroute.backfill.Backfills;
import io.walroute.cache.MarkerState;
import io.walroute.cache.RowCacheComponent;
import io.walroute.change.Version;
import io.walroute.slot.TableName;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The cache as a backfill needs it: waits for Redis. */
final class BackfillCache implements Backfills.Cache {
    private static final long PATIENCE_S = 10;
    /** Going through all keys of a large Redis takes a while. */
    private static final long PRUNE_PATIENCE_S = 3_600;

    private final RowCacheComponent cache;

    BackfillCache(RowCacheComponent cache) {
        this.cache = cache;
    }

    @Override
    public String marker() throws BackfillException {
        String marker = await(cache.markerStamp(), PATIENCE_S);
        if (cache.lastMarkerState() == MarkerState.FOREIGN) {
            throw new BackfillException(
                    "Redis was filled by another service or slot, whose rows may stand in the way of these."
                            + " Give this one a Redis of its own, or empty it");
        }
        return marker;
    }

    @Override
    public boolean filled(String marker) throws BackfillException {
        return await(cache.markBackfilled(marker), PATIENCE_S);
    }

    @Override
    public long prune(TableName table, int keyColumns, Version before) throws BackfillException {
        return await(cache.prune(table.toString(), keyColumns, before), PRUNE_PATIENCE_S);
    }

    private static <T> T await(CompletionStage<T> stage, long seconds) throws BackfillException {
        try {
            return stage.toCompletableFuture().get(seconds, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() instanceof CompletionException wrapped ? wrapped.getCause() : e.getCause();
            throw new BackfillException("the cache can't be asked: " + cause.getMessage());
        } catch (TimeoutException e) {
            throw new BackfillException("the cache gave no answer within " + seconds + " s");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BackfillException("interrupted while asking the cache");
        }
    }
}
