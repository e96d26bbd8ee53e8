package io.walroute.slot;

import io.walroute.slot.Finding.Fault;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Whether changes can be read from the slot now. To be asked before every start of an engine: Debezium creates a missing slot
 * at the current position in silence, and what was written before is lost.
 *
 * <p>Changes nothing. Blocks for at most the connection's timeouts.
 */
public final class ReplicationCheck {
    /** The first version whose pgoutput sends the messages that heartbeats are. */
    static final int OLDEST_SERVER = 14;

    private ReplicationCheck() {}

    /** @return everything that stands in the way; empty if nothing does */
    public static List<Finding> findings(ReplicationTarget target) {
        try (Connection connection = target.connect()) {
            return findings(connection, target);
        } catch (SlotException e) {
            return List.of(e.finding());
        } catch (SQLException e) {
            return List.of(Finding.of(
                    Fault.NO_ANSWER,
                    "PostgreSQL at " + target.server() + " could not be checked: " + ConnectFailure.line(e)));
        }
    }

    /** @see #findings(ReplicationTarget) */
    public static List<Finding> findings(Connection connection, ReplicationTarget target) throws SQLException {
        ServerInfo server = ServerInfo.read(connection);
        List<Finding> findings = serverFindings(server, target);
        if (Publication.read(connection, target.publication()).isEmpty()) {
            findings.add(Finding.of(
                    Fault.PUBLICATION_MISSING,
                    "The publication " + target.publication() + " does not exist. Run: walroute setup"));
        }
        Optional<SlotInfo> slot = SlotInfo.read(connection, target.slot());
        if (slot.isPresent()) {
            slotFinding(slot.get(), connection.getCatalog()).ifPresent(findings::add);
        } else {
            findings.add(Finding.of(
                    Fault.SLOT_MISSING,
                    "The replication slot " + target.slot()
                            + " does not exist: changes are not being kept. Run: walroute setup"));
            noFreeSlot(server).ifPresent(findings::add);
        }
        // The slot's own reader has a wal sender already; only a new one needs a free one.
        boolean active = slot.map(SlotInfo::active).orElse(false);
        if (!active && server.usedWalSenders() >= server.maxWalSenders()) {
            findings.add(Finding.of(
                    Fault.NO_FREE_WAL_SENDER,
                    "All " + server.maxWalSenders() + " WAL senders of the server are in use. Raise max_wal_senders in"
                            + " postgresql.conf and restart PostgreSQL"));
        }
        return List.copyOf(findings);
    }

    /** What has to be right before there is a slot, too. */
    static List<Finding> serverFindings(ServerInfo server, ReplicationTarget target) {
        List<Finding> findings = new ArrayList<>();
        if (server.majorVersion() < OLDEST_SERVER) {
            findings.add(Finding.of(
                    Fault.SERVER_TOO_OLD,
                    "PostgreSQL " + server.majorVersion() + " at " + target.server() + " is too old. Upgrade to "
                            + OLDEST_SERVER + " or later"));
        }
        if (server.standby()) {
            findings.add(Finding.of(
                    Fault.SERVER_IS_STANDBY,
                    "PostgreSQL at " + target.server()
                            + " is a standby and takes no writes. Let DATABASE_URL name the primary"));
        }
        if (!server.decodesLogically()) {
            findings.add(Finding.of(
                    Fault.WAL_LEVEL,
                    "wal_level is " + server.walLevel()
                            + ", not logical. Run: ALTER SYSTEM SET wal_level = logical; and" + " restart PostgreSQL"));
        }
        if (!server.mayReplicate()) {
            findings.add(Finding.of(
                    Fault.NO_REPLICATION_PRIVILEGE,
                    "User " + target.user() + " may not replicate. Run as a superuser: ALTER ROLE "
                            + Quote.identifier(target.user()) + " REPLICATION"));
        }
        return findings;
    }

    static Optional<Finding> noFreeSlot(ServerInfo server) {
        return server.usedSlots() < server.maxSlots()
                ? Optional.empty()
                : Optional.of(Finding.of(
                        Fault.NO_FREE_SLOT,
                        "All " + server.maxSlots() + " replication slots of the server are in use. Drop one that nobody"
                                + " needs (SELECT slot_name, active FROM pg_replication_slots), or raise"
                                + " max_replication_slots in postgresql.conf and restart PostgreSQL"));
    }

    static Optional<Finding> slotFinding(SlotInfo slot, String database) {
        if (slot.plugin() == null) {
            return Optional.of(Finding.of(
                    Fault.SLOT_OF_OTHER_PLUGIN,
                    "The replication slot " + slot.name()
                            + " is a physical one. Choose another name: REPLICATION_SLOT"));
        }
        if (!slot.database().equals(database)) {
            return Optional.of(Finding.of(
                    Fault.SLOT_OF_OTHER_DATABASE,
                    "The replication slot " + slot.name() + " belongs to database " + slot.database() + ", not to "
                            + database + ". Choose another name: REPLICATION_SLOT"));
        }
        if (!slot.plugin().equals("pgoutput")) {
            return Optional.of(Finding.of(
                    Fault.SLOT_OF_OTHER_PLUGIN,
                    "The replication slot " + slot.name() + " decodes with " + slot.plugin()
                            + ", not pgoutput. Choose another name: REPLICATION_SLOT"));
        }
        if (slot.isInvalidated()) {
            return Optional.of(invalidated(slot));
        }
        return slot.active()
                ? Optional.of(Finding.of(
                        Fault.SLOT_ACTIVE,
                        "The replication slot " + slot.name() + " is in use by process " + slot.activePid()
                                + (slot.activeClient() == null ? "" : " (" + slot.activeClient() + ")")
                                + ". Waiting for it as a standby"))
                : Optional.empty();
    }

    private static Finding invalidated(SlotInfo slot) {
        return Finding.of(
                Fault.SLOT_INVALIDATED,
                "The replication slot " + slot.name() + " is invalidated ("
                        + (slot.invalidationReason() == null ? "wal_removed" : slot.invalidationReason())
                        + "): changes after " + slot.confirmedFlushLsn()
                        + " are gone from PostgreSQL. Give them up: walroute reset --accept-gap");
    }
}
