package io.walroute.service;

import io.walroute.cache.RowCacheComponent;
import io.walroute.change.Lsn;
import io.walroute.change.Version;
import io.walroute.settings.Settings;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Forgets what nothing older can come for any more: the versions that deletions leave in the cache.
 *
 * <p>The mark is the slot's {@code restart_lsn}: whatever lies before it belongs to transactions that are acknowledged. (The
 * confirmed position would be too late: a row that lies before it may belong to a transaction that commits after it.) A change
 * that is parked for the cache holds the mark back.
 */
final class Housekeeping implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Housekeeping.class);
    private static final long PERIOD_S = 60;

    private final Settings settings;
    private final DataSource database;
    private final Store store;
    private final Optional<RowCacheComponent> cache;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "housekeeping");
        thread.setDaemon(true);
        return thread;
    });
    private volatile Lsn settledUpTo = Lsn.ZERO;

    Housekeeping(Settings settings, DataSource database, Store store, Optional<RowCacheComponent> cache) {
        this.settings = settings;
        this.database = database;
        this.store = store;
        this.cache = cache;
    }

    void start() {
        timer.scheduleWithFixedDelay(this::run, 5, PERIOD_S, TimeUnit.SECONDS);
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
                Lsn parked = oldestParked("cache");
                Lsn mark = parked != null && parked.compareTo(restart.get()) < 0 ? parked : restart.get();
                cache.get().purge(new Version(store.epoch(), mark, 0));
            }
        } catch (SQLException | RuntimeException e) {
            // The next turn does what this one couldn't.
            LOG.debug("Housekeeping was put off", e);
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

    private Lsn oldestParked(String sink) throws SQLException {
        return store.read(connection -> {
            try (var query =
                    connection.prepareStatement("SELECT lsn FROM dead_letters WHERE sink = ? AND state = 'parked'")) {
                query.setString(1, sink);
                var rows = query.executeQuery();
                Lsn oldest = null;
                while (rows.next()) {
                    Lsn each = Lsn.parse(rows.getString(1));
                    oldest = oldest == null || each.compareTo(oldest) < 0 ? each : oldest;
                }
                return oldest;
            }
        });
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
