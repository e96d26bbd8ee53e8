package io.walroute.service;

import io.walroute.backfill.Backfills;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.change.Version;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the stream stands, by the slot and the audit log. */
final class BackfillStream implements Backfills.Stream {
    private static final Logger LOG = LoggerFactory.getLogger(BackfillStream.class);
    /**
     * A commit is streamed before others see it for microseconds only, or, while a synchronous standby is away, together with no
     * more transactions than there are connections.
     */
    private static final int LAST_CHANGES = 20_000;

    private final DataSource database;
    private final String slot;
    private final Supplier<Epochs> epochs;
    private final Store store;
    private final SkipLog skips;

    BackfillStream(DataSource database, String slot, Supplier<Epochs> epochs, Store store) throws SQLException {
        this.database = database;
        this.slot = slot;
        this.epochs = epochs;
        this.store = store;
        skips = new SkipLog(store);
    }

    /** @param confirmed null if there is none yet */
    private record Place(Lsn restart, Lsn confirmed) {}

    /**
     * After a gap it takes until the slot has passed its end: before, a row could get no version that beats what went stale in the
     * gap and yet loses against a transaction that began before it. The same goes for a transaction that was passed over: of its
     * rows the cache has older versions, or knows that it has none.
     */
    @Override
    public Optional<Version> oldestToCome() throws SQLException {
        Optional<Place> place = place();
        if (place.isEmpty()) {
            return Optional.empty();
        }
        Lsn restart = place.get().restart();
        Epochs known = epochs.get();
        long epoch = known.at(restart);
        if (epoch != known.last() || hasPassedOverSince(place.get())) {
            askForSnapshot();
            return Optional.empty();
        }
        return Optional.of(new Version(epoch, restart, 0));
    }

    private boolean hasPassedOverSince(Place place) throws SQLException {
        return place.confirmed() != null && skips.hasPassedBetween(place.restart(), place.confirmed());
    }

    private Optional<Place> place() throws SQLException {
        try (var connection = database.getConnection();
                var query = connection.prepareStatement(
                        "SELECT restart_lsn::text, confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = ?")) {
            query.setString(1, slot);
            var rows = query.executeQuery();
            return rows.next() && rows.getString(1) != null
                    ? Optional.of(new Place(
                            Lsn.parse(rows.getString(1)),
                            rows.getString(2) == null ? null : Lsn.parse(rows.getString(2))))
                    : Optional.empty();
        }
    }

    /** What the server writes every 15 seconds by itself; who may ask for it waits less. PostgreSQL 16 and later. */
    private void askForSnapshot() {
        try (var connection = database.getConnection();
                var query = connection.createStatement()) {
            query.execute("SELECT pg_log_standby_snapshot()");
        } catch (SQLException e) {
            LOG.trace("The restart position moves by itself in a while", e);
        }
    }

    @Override
    public Collection<Long> lastTransactions() throws SQLException {
        return store.read(connection -> {
            try (var select = connection.createStatement();
                    var rows =
                            select.executeQuery("SELECT xid FROM audit_log ORDER BY seq DESC LIMIT " + LAST_CHANGES)) {
                Set<Long> transactions = new HashSet<>();
                while (rows.next()) {
                    transactions.add(rows.getLong(1));
                }
                return transactions;
            }
        });
    }
}
