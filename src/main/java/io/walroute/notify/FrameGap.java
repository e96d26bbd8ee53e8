package io.walroute.notify;

import io.walroute.store.Store;
import java.sql.SQLException;

/**
 * A place in the frame log where changes may be missing. Who follows the log over it, live or by {@code since}, is told of a gap
 * in each topic that it subscribed to, and then goes on; who begins behind it is not.
 */
public final class FrameGap {
    private FrameGap() {}

    /**
     * Makes the frame log, if there is none yet. Blocks.
     *
     * @return writes the place behind everything that is in the log; the same id again writes nothing
     */
    public static Store.Write mark(Store store, String id, String reason) throws SQLException {
        var log = new FrameLog(store);
        log.define();
        return session -> log.mark(session, id, reason);
    }
}
