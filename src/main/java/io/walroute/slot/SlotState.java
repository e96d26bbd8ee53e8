package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;

/**
 * What has to be seen of server and slot together to tell whether a stream goes on where it ended.
 *
 * @param slot null if there is none
 * @param history how the server's timeline came about; empty unless it was asked for
 */
public record SlotState(ServerInfo server, String database, SlotInfo slot, TimelineHistory history) {
    /**
     * @param knownTimeline the timeline that was followed: history is read if the server is on a later one; 0 for never
     * @throws SQLException also if the history can't be read
     */
    public static SlotState read(Connection connection, ReplicationTarget target, int knownTimeline)
            throws SQLException {
        // The slot first: what the server is then is never older than the slot's position.
        SlotInfo slot = SlotInfo.read(connection, target.slot()).orElse(null);
        ServerInfo server = ServerInfo.read(connection);
        boolean promoted = knownTimeline > 0 && server.timeline() > knownTimeline;
        return new SlotState(
                server,
                connection.getCatalog(),
                slot,
                promoted ? TimelineHistory.read(target, server.timeline()) : TimelineHistory.NONE);
    }

    /**
     * The same slot, and the server as it is now: what was read from it meanwhile, by whomever, can't lie past its WAL.
     */
    public SlotState withServerNow(Connection connection) throws SQLException {
        ServerInfo now = ServerInfo.read(connection);
        return now.timeline() == server.timeline() ? new SlotState(now, database, slot, history) : this;
    }
}
