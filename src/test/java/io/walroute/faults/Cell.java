package io.walroute.faults;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** One fault at one moment. */
record Cell(Fault fault, Moment moment) {
    /** What ends the process or the stream: struck at every moment. The others break a sink, where load is what matters. */
    private static final Set<Fault> EVERYWHERE =
            EnumSet.of(Fault.KILL_9, Fault.WALSENDER_TERMINATED, Fault.POSTGRES_CRASH);

    /** A clean stop is already what "during drain" means; held replication is no moment at which it could end in time. */
    private static final Set<Moment> NOT_FOR_SIGTERM =
            EnumSet.of(Moment.DURING_DRAIN, Moment.BEFORE_DISPATCH, Moment.ALL_DELIVERED);

    static List<Cell> all() {
        List<Cell> cells = new ArrayList<>();
        for (Fault fault : Fault.values()) {
            for (Moment moment : Moment.values()) {
                if (isMeant(fault, moment)) {
                    cells.add(new Cell(fault, moment));
                }
            }
        }
        return cells;
    }

    private static boolean isMeant(Fault fault, Moment moment) {
        if (moment == Moment.RANDOM_LOAD || EVERYWHERE.contains(fault)) {
            return true;
        }
        return switch (fault) {
            case SIGTERM -> !NOT_FOR_SIGTERM.contains(moment);
            case NETWORK_CUT -> moment == Moment.MID_COPY || moment == Moment.INTERLEAVED;
            case REDIS_KILLED, REDIS_BLACK_HOLE -> moment == Moment.DURING_DRAIN || moment == Moment.DURING_REDRIVE;
            default -> false;
        };
    }

    String title() {
        return fault.title + " | " + moment.title;
    }
}
