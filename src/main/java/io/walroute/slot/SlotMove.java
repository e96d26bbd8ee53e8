package io.walroute.slot;

import io.walroute.change.Lsn;
import io.walroute.slot.Finding.Fault;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Optional;

/** Moves a slot to the WAL's end, makes it anew there, or drops it: what gives changes up. Blocks. */
public final class SlotMove {
    private static final Duration POLL = Duration.ofMillis(100);

    private final Connection connection;
    private final ReplicationTarget target;

    public SlotMove(Connection connection, ReplicationTarget target) {
        this.connection = connection;
        this.target = target;
    }

    /** @throws SlotException if there is none, or if it isn't one that walroute could read */
    public SlotInfo require() throws SQLException, SlotException {
        SlotInfo slot = slot().orElseThrow(() -> new SlotException(Finding.of(
                Fault.SLOT_MISSING,
                "The replication slot " + target.slot()
                        + " does not exist. Run: walroute setup, or after a gap: walroute reset --accept-gap")));
        Optional<Finding> finding = ReplicationCheck.slotFinding(slot, connection.getCatalog());
        if (finding.isPresent()
                && finding.get().fault() != Fault.SLOT_ACTIVE
                && finding.get().fault() != Fault.SLOT_INVALIDATED) {
            throw new SlotException(finding.get());
        }
        return slot;
    }

    public Optional<SlotInfo> slot() throws SQLException {
        return SlotInfo.read(connection, target.slot());
    }

    /** @return whether nobody reads the slot, or has stopped to in that time */
    public boolean awaitInactive(Duration time) throws SQLException {
        long end = System.nanoTime() + time.toNanos();
        while (slot().map(SlotInfo::active).orElse(false)) {
            if (System.nanoTime() >= end) {
                return false;
            }
            pause();
        }
        return true;
    }

    /** Ends the process that reads the slot, if one does. What it hasn't confirmed is sent again by then. */
    public void terminateReader() throws SQLException {
        try (var terminate = connection.prepareStatement("SELECT pg_terminate_backend(active_pid)"
                + " FROM pg_replication_slots WHERE slot_name = ? AND active_pid IS NOT NULL")) {
            terminate.setString(1, target.slot());
            terminate.executeQuery().close();
        }
    }

    /** To the WAL's end as it is now. @return where it stands then */
    public Lsn advance() throws SQLException, SlotException {
        // The server decodes all that lies in between, which may take longer than any usual answer.
        int timeout = connection.getNetworkTimeout();
        connection.setNetworkTimeout(Runnable::run, 0);
        try (var advance = connection.prepareStatement(
                "SELECT end_lsn FROM pg_replication_slot_advance(?, pg_current_wal_flush_lsn())")) {
            advance.setString(1, target.slot());
            var row = advance.executeQuery();
            row.next();
            return Lsn.parse(row.getString(1));
        } catch (SQLException e) {
            throw failed("moved", e);
        } finally {
            connection.setNetworkTimeout(Runnable::run, timeout);
        }
    }

    /** In place of one that can't be read any more, if there is one. @return where it stands */
    public Lsn recreate() throws SQLException, SlotException {
        ServerInfo server = ServerInfo.read(connection);
        for (Finding finding : ReplicationCheck.serverFindings(server, target)) {
            throw new SlotException(finding);
        }
        if (Publication.read(connection, target.publication()).isEmpty()) {
            throw new SlotException(Finding.of(
                    Fault.PUBLICATION_MISSING,
                    "The publication " + target.publication()
                            + " does not exist, and must before the slot. Run: walroute setup, then: walroute reset"
                            + " --accept-gap"));
        }
        if (slot().isPresent()) {
            drop();
        } else {
            Optional<Finding> full = ReplicationCheck.noFreeSlot(server);
            if (full.isPresent()) {
                throw new SlotException(full.get());
            }
        }
        return new Setup(connection, target).createSlot(server);
    }

    public void drop() throws SQLException, SlotException {
        try (var drop = connection.prepareStatement("SELECT pg_drop_replication_slot(?)")) {
            drop.setString(1, target.slot());
            drop.executeQuery().close();
        } catch (SQLException e) {
            throw failed("dropped", e);
        }
    }

    public boolean hasPublication() throws SQLException {
        return Publication.read(connection, target.publication()).isPresent();
    }

    /** @return whether there was one */
    public boolean dropPublication() throws SQLException, SlotException {
        if (!hasPublication()) {
            return false;
        }
        try (var statement = connection.createStatement()) {
            statement.execute("DROP PUBLICATION IF EXISTS " + Quote.identifier(target.publication()));
            return true;
        } catch (SQLException e) {
            throw new SlotException(
                    Finding.of(
                            "42501".equals(e.getSQLState()) ? Fault.PERMISSION : Fault.STATEMENT_FAILED,
                            "The publication " + target.publication() + " could not be dropped: "
                                    + ConnectFailure.line(e)),
                    e);
        }
    }

    /** The WAL's end. */
    public Lsn walPosition() throws SQLException {
        return ServerInfo.read(connection).walPosition();
    }

    private SlotException failed(String what, SQLException e) {
        return SlotException.of(e, target.slot(), what);
    }

    private static void pause() throws SQLException {
        try {
            Thread.sleep(POLL.toMillis()); // PostgreSQL tells nobody when a slot becomes free
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SQLException("interrupted while waiting for the slot", e);
        }
    }
}
