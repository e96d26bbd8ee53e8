package io.walroute.service;

import io.walroute.backfill.BackfillException;
import io.walroute.backfill.BackfillRequest;
import io.walroute.backfill.Backfills;
import io.walroute.cache.MarkerState;
import io.walroute.cache.RowCacheComponent;
import io.walroute.settings.SnapshotMode;
import java.sql.SQLException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * At the first start with {@code walroute.snapshot=cache}, puts all rows that exist into the cache. A start is the first as long as
 * no backfill was ever asked for and the cache was never filled: afterwards an operator says when.
 */
final class Warming implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Warming.class);
    private static final long LOOK_MS = 500;

    private final SnapshotMode mode;
    private final Backfills backfills;
    private final RowCacheComponent cache;
    private final BooleanSupplier streaming;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "warming");
        thread.setDaemon(true);
        return thread;
    });
    private String told = "";

    Warming(SnapshotMode mode, Backfills backfills, RowCacheComponent cache, BooleanSupplier streaming) {
        this.mode = mode;
        this.backfills = backfills;
        this.cache = cache;
        this.streaming = streaming;
    }

    void start() {
        if (mode == SnapshotMode.CACHE) {
            timer.scheduleWithFixedDelay(this::look, 0, LOOK_MS, TimeUnit.MILLISECONDS);
        }
    }

    private void look() {
        try {
            MarkerState marker = cache.lastMarkerState();
            if (!backfills.isFirst() || marker == MarkerState.PRESENT) {
                timer.shutdown();
            } else if (streaming.getAsBoolean() && marker != MarkerState.UNKNOWN) {
                backfills.start(BackfillRequest.all(), "walroute.snapshot=cache");
                timer.shutdown();
            }
        } catch (BackfillException | IllegalArgumentException e) {
            tell(e.getMessage());
        } catch (SQLException | RuntimeException e) {
            tell(StartFailure.line(e));
        }
    }

    private void tell(String why) {
        if (!why.equals(told)) {
            told = why;
            LOG.warn("The cache is not filled yet: {}", why);
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
