package io.walroute.slot;

import io.walroute.change.Lsn;
import io.walroute.slot.Finding.Fault;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Finds a transaction in what a slot still has to send, beside whoever reads the slot: in a temporary copy of it, which ends with
 * the connection. The server decodes the backlog for it up to the transaction. For one thread; blocks.
 */
public final class TransactionSearch {
    /** Which one is meant: one of the two is null. */
    public record Wanted(Long xid, Lsn lsn) {
        private static final long LEAST_XID = 3; // below lie PostgreSQL's own
        private static final long GREATEST_XID = 0xFFFF_FFFFL;

        /** @throws IllegalArgumentException in one line, unless exactly one of them is given and can be one */
        public static Wanted of(String xid, String lsn) {
            if ((xid == null) == (lsn == null)) {
                throw new IllegalArgumentException("Which transaction? Give --xid or --lsn, one of them");
            }
            return xid != null ? new Wanted(xid(xid.strip()), null) : new Wanted(null, lsn(lsn));
        }

        private static long xid(String text) {
            try {
                long xid = Long.parseLong(text);
                if (xid >= LEAST_XID && xid <= GREATEST_XID && text.matches("[0-9]+")) {
                    return xid;
                }
            } catch (NumberFormatException e) {
                // Told below.
            }
            throw new IllegalArgumentException("--xid " + text
                    + " is not a transaction's number. Write it as change events and the log have it: 3 to "
                    + GREATEST_XID);
        }

        private static Lsn lsn(String text) {
            try {
                return Lsn.parse(text);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("--lsn " + text + " is not an LSN. Write it as 0/17D5A48", e);
            }
        }

        @Override
        public String toString() {
            return xid != null ? "transaction " + xid : "a transaction with a change or its commit at " + lsn;
        }
    }

    /** How far the search is. */
    @FunctionalInterface
    public interface Progress {
        /** @param share from 0 to 1, of the WAL that lies after the slot's position */
        void at(double share, long transactions, long changes);
    }

    // Per call the server writes all it answers to a temporary file first.
    private static final int CHANGES_A_CALL = 20_000;
    private static final String FUTURE = "future";
    private static final int ROWS_A_FETCH = 2_000;
    private static final String FIND = "SELECT lsn::text, CASE WHEN get_byte(data, 0) IN (73, 85, 68)"
            + " THEN substring(data FROM 1 FOR 5) ELSE data END FROM %s(?, NULL, ?, 'proto_version', '1',"
            + " 'publication_names', ?)";
    private static final String GET = FIND.formatted("pg_logical_slot_get_binary_changes");
    private static final String PEEK = FIND.formatted("pg_logical_slot_peek_binary_changes");

    private final Connection connection;
    private final ReplicationTarget target;
    private final Progress progress;
    private SlotInfo slot;
    private Lsn end;

    /** @param connection for this search alone: it is to be closed afterwards, whatever comes of it */
    public TransactionSearch(Connection connection, ReplicationTarget target, Progress progress) {
        this.connection = connection;
        this.target = target;
        this.progress = progress;
    }

    /** @throws SlotException if there is no such transaction in the slot, or if that can't be looked for; says why */
    public SlotTransaction find(Wanted wanted) throws SQLException, SlotException {
        slot = readable();
        ServerInfo server = ServerInfo.read(connection);
        end = server.walPosition();
        for (Finding finding : ReplicationCheck.serverFindings(server, target)) {
            throw new SlotException(finding);
        }
        if (wanted.xid() != null) {
            checkXid(wanted.xid());
        } else {
            checkLsn(wanted.lsn());
        }
        // Behind the slot's own is the reader's end: the server decodes for as long as it takes.
        connection.setNetworkTimeout(Runnable::run, 0);
        return search(wanted, server).orElseThrow(() -> noSuch(wanted));
    }

    private SlotInfo readable() throws SQLException, SlotException {
        SlotInfo found = new SlotMove(connection, target).require();
        if (found.isInvalidated()) {
            throw new SlotException(
                    ReplicationCheck.slotFinding(found, connection.getCatalog()).orElseThrow());
        }
        return found;
    }

    // ---------------------------------------------------------------- what can't be

    private void checkXid(long xid) throws SQLException, SlotException {
        switch (state(xid)) {
            case "in progress" ->
                throw no("Transaction " + xid + " is still under way. It can be passed over once it has committed");
            case "aborted" -> throw no("Transaction " + xid + " was rolled back: nothing of it will come");
            case FUTURE -> throw no("Transaction " + xid + " has not begun yet");
            default -> {}
        }
    }

    /** Of the newest transaction with this number. */
    private String state(long xid) throws SQLException {
        long now;
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")) {
            row.next();
            now = row.getLong(1);
        }
        long whole = (now & ~0xFFFF_FFFFL) | xid;
        String state = stateOfWhole(whole);
        long before = whole - (1L << 32);
        return state.equals(FUTURE) && before >= 0 ? stateOfWhole(before) : state;
    }

    private String stateOfWhole(long wholeXid) throws SQLException {
        try (var query = connection.prepareStatement("SELECT coalesce(pg_xact_status(?::text::xid8), 'forgotten')")) {
            query.setString(1, Long.toString(wholeXid));
            var row = query.executeQuery();
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            if ("22023".equals(e.getSQLState())) { // how PostgreSQL says: not assigned yet
                return FUTURE;
            }
            throw e;
        }
    }

    private void checkLsn(Lsn lsn) throws SlotException {
        if (lsn.compareTo(end) > 0) {
            throw no("LSN " + lsn + " lies in the future: the WAL ends at " + end);
        }
        if (slot.restartLsn() != null && lsn.compareTo(slot.restartLsn()) < 0) {
            throw no("LSN " + lsn + " is behind the slot " + slot.name() + ", which is at " + slot.confirmedFlushLsn()
                    + ": its transaction was acknowledged");
        }
    }

    private SlotException noSuch(Wanted wanted) {
        return no("The slot " + slot.name() + " does not hold " + wanted + " (from " + slot.confirmedFlushLsn()
                + " to " + end + "): it was acknowledged already, or changed no table of publication "
                + target.publication());
    }

    private static SlotException no(String line) {
        return new SlotException(Finding.of(Fault.NO_SUCH_TRANSACTION, line));
    }

    // ---------------------------------------------------------------- the search

    private Optional<SlotTransaction> search(Wanted wanted, ServerInfo server) throws SQLException, SlotException {
        Predicate<Lsn> atLsn = lsn -> lsn.equals(wanted.lsn());
        var tally = new TransactionTally(atLsn);
        Optional<String> copy = copy(server);
        if (copy.isEmpty()) {
            return next(PEEK, slot.name(), null, tally, wanted).found();
        }
        if (wanted.lsn() != null && wanted.lsn().compareTo(slot.confirmedFlushLsn()) > 0) {
            advance(copy.get(), wanted.lsn());
        }
        while (true) {
            Part part = next(GET, copy.get(), CHANGES_A_CALL, tally, wanted);
            if (part.found().isPresent() || part.last()) {
                return part.found();
            }
        }
    }

    /** @param last whether all that was committed when the search began was seen */
    private record Part(Optional<SlotTransaction> found, boolean last) {}

    private Part next(String sql, String from, Integer changes, TransactionTally tally, Wanted wanted)
            throws SQLException, SlotException {
        connection.setAutoCommit(false); // else the driver fetches all rows at once
        try (var query = connection.prepareStatement(sql)) {
            query.setString(1, from);
            query.setObject(2, changes, java.sql.Types.INTEGER);
            query.setString(3, Quote.identifier(target.publication()));
            query.setFetchSize(ROWS_A_FETCH);
            var rows = query.executeQuery();
            boolean any = false;
            while (rows.next()) {
                any = true;
                Lsn lsn = Lsn.parse(rows.getString(1));
                Optional<SlotTransaction> whole = tally.take(lsn, rows.getBytes(2));
                if (whole.isPresent()
                        && (wanted.xid() == null ? tally.isHit() : whole.get().xid() == wanted.xid())) {
                    return new Part(whole, true);
                }
            }
            if (any) {
                progress.at(share(tally.commit()), tally.transactions(), tally.changes());
            }
            return new Part(Optional.empty(), !any || tally.commit().compareTo(end) > 0);
        } catch (SQLException e) {
            throw failed(e);
        } finally {
            connection.rollback();
            connection.setAutoCommit(true);
        }
    }

    private double share(Lsn reached) {
        long all = end.minus(slot.confirmedFlushLsn());
        return all <= 0 ? 1 : (double) reached.minus(slot.confirmedFlushLsn()) / all;
    }

    /** Empty if there is no room for one and the slot itself is free to be looked into. */
    private Optional<String> copy(ServerInfo server) throws SQLException, SlotException {
        String name = "walroute_skip_" + backend();
        try (var copy = connection.prepareStatement("SELECT pg_copy_logical_replication_slot(?, ?, true)")) {
            copy.setString(1, slot.name());
            copy.setString(2, name);
            copy.executeQuery().close();
            return Optional.of(name);
        } catch (SQLException e) {
            Optional<Finding> full = ReplicationCheck.noFreeSlot(server);
            if (full.isPresent() && !slot.active()) {
                return Optional.empty();
            }
            if (full.isPresent()) {
                throw new SlotException(
                        Finding.of(
                                Fault.NO_FREE_SLOT,
                                "To look into the slot beside its reader takes a second one. "
                                        + full.get().line() + "; or stop the service and run this again"),
                        e);
            }
            throw failed(e);
        }
    }

    private int backend() throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            return row.getInt(1);
        }
    }

    /** Whatever was committed before isn't meant; the server gets past it without decoding. */
    private void advance(String copy, Lsn to) throws SlotException {
        try (var advance = connection.prepareStatement("SELECT pg_replication_slot_advance(?, ?::pg_lsn)")) {
            advance.setString(1, copy);
            advance.setString(2, to.toString());
            advance.executeQuery().close();
        } catch (SQLException e) {
            throw failed(e);
        }
    }

    private SlotException failed(SQLException e) {
        return SlotException.of(e, slot.name(), "looked into");
    }
}
