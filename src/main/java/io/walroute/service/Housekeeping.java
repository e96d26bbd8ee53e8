package io.walroute.service;

import io.walroute.cache.RowCacheComponent;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.change.Version;
import io.walroute.settings.Settings;
import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Forgets what nothing older can come for any more: the versions that deletions leave in the cache.
 *
 * <p>The mark is the slot's {@code restart_lsn}: whatever lies before it belongs to transactions that are acknowledged. (The
 * confirmed position would be too late: a row that lies before it may belong to a transaction that commits after it.) A change
 * that is parked for the cache, or dead in the router, holds the mark back, and so do rows that a backfill is reading.
 */
final class Housekeeping implements AutoCloseable {
    /** The oldest version that may still come otherwise than by the stream. */
    @FunctionalInterface
    interface Floor {
        Optional<Version> oldest() throws SQLException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(Housekeeping.class);
    private static final long PERIOD_S = 60;
    /**
     * The router's: one that is redriven goes through the routes again. It is looked for first: on its way it may be parked for the
     * cache, and only then it is gone from the router's.
     */
    private static final List<String> LEAD_TO_CACHE = List.of("router", "cache");

    private final Settings settings;
    private final DataSource database;
    private final Store store;
    private final Supplier<Epochs> epochs;
    private final Optional<RowCacheComponent> cache;
    private final Floor floor;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "housekeeping");
        thread.setDaemon(true);
        return thread;
    });
    private volatile Lsn settledUpTo = Lsn.ZERO;

    /**
     * @param epochs those of the stream as it is known now
     * @param floor the oldest version of rows that are being read for the cache
     */
    Housekeeping(
            Settings settings,
            DataSource database,
            Store store,
            Supplier<Epochs> epochs,
            Optional<RowCacheComponent> cache,
            Floor floor) {
        this.settings = settings;
        this.database = database;
        this.store = store;
        this.epochs = epochs;
        this.cache = cache;
        this.floor = floor;
    }

    void start() {
        timer.scheduleWithFixedDelay(this::run, 5, PERIOD_S, TimeUnit.SECONDS);
        if (cache.isPresent()) {
            timer.scheduleWithFixedDelay(this::tellCacheOfGap, 1, 2, TimeUnit.SECONDS);
        }
    }

    /** Everything before it is acknowledged; {@link Lsn#ZERO} as long as that is unknown. */
    Lsn settledUpTo() {
        return settledUpTo;
    }

    private void run() {
        try {
            Optional<Lsn> restart = restartLsn();
            if (restart.isEmpty()) {
                return;
            }
            settledUpTo = restart.get();
            if (cache.isPresent()) {
                var settled = new Version(epochs.get().at(restart.get()), restart.get(), 0);
                // In this order: rows that a backfill is done with may be parked by now.
                Version read = floor.oldest().orElse(settled);
                Version mark = read.compareTo(settled) < 0 ? read : settled;
                for (String sink : LEAD_TO_CACHE) {
                    Version parked = store.read(c -> oldestDeadLetter(c, sink));
                    mark = parked != null && parked.compareTo(mark) < 0 ? parked : mark;
                }
                cache.get().purge(mark);
            }
        } catch (SQLException | RuntimeException e) {
            // The next turn does what this one couldn't.
            LOG.debug("Housekeeping was put off", e);
        }
    }

    /** After an accepted gap rows in the cache may be stale; noted until Redis has it, however long that is away. */
    private void tellCacheOfGap() {
        try {
            String gap = store.meta(SlotLog.CACHE_IS_STALE);
            if (gap == null) {
                return;
            }
            cache.get().markStale().toCompletableFuture().get(5, TimeUnit.SECONDS);
            LOG.warn("Rows that changed in the {} are stale in the cache until they are read again: backfill", gap);
            store.write(
                    session -> {
                        var done = session.statement("DELETE FROM walroute_meta WHERE key = ? AND value = ?");
                        done.setString(1, SlotLog.CACHE_IS_STALE);
                        done.setString(2, gap);
                        done.executeUpdate();
                    },
                    Duration.ofSeconds(10));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            LOG.debug("The cache can't be told of an accepted gap yet", e);
        }
    }

    private Optional<Lsn> restartLsn() throws SQLException {
        try (var connection = database.getConnection();
                var query = connection.prepareStatement(
                        "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = ?")) {
            query.setString(1, settings.replicationSlot());
            var rows = query.executeQuery();
            return rows.next() && rows.getString(1) != null
                    ? Optional.of(Lsn.parse(rows.getString(1)))
                    : Optional.empty();
        }
    }

    /** Null if there is none. Dead ones count: a redrive by hand may still bring them, and must not bring back a deleted row. */
    static Version oldestDeadLetter(Connection connection, String sink) throws SQLException {
        try (var query = connection.prepareStatement("SELECT lsn, event_id FROM dead_letters WHERE sink = ?")) {
            query.setString(1, sink);
            var rows = query.executeQuery();
            Version oldest = null;
            while (rows.next()) {
                // An event's id begins with its epoch.
                String id = rows.getString(2);
                var each =
                        new Version(Long.parseLong(id.substring(0, id.indexOf('-'))), Lsn.parse(rows.getString(1)), 0);
                oldest = oldest == null || each.compareTo(oldest) < 0 ? each : oldest;
            }
            return oldest;
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
