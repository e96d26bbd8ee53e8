package io.walroute.faults;

import static io.walroute.faults.Moment.ALL_DELIVERED;
import static io.walroute.faults.Moment.BACKFILL_BEGINS;
import static io.walroute.faults.Moment.BACKFILL_BETWEEN_CHUNKS;
import static io.walroute.faults.Moment.BACKFILL_IN_LANE;
import static io.walroute.faults.Moment.BACKFILL_NOT_ENDED;
import static io.walroute.faults.Moment.BACKFILL_NOT_RECORDED;
import static io.walroute.faults.Moment.BEFORE_DISPATCH;
import static io.walroute.faults.Moment.CACHE_NOT_DELIVERED;
import static io.walroute.faults.Moment.DURING_DRAIN;
import static io.walroute.faults.Moment.DURING_REDRIVE;
import static io.walroute.faults.Moment.INTERLEAVED;
import static io.walroute.faults.Moment.MID_COPY;
import static io.walroute.faults.Moment.MID_TRANSACTION;
import static io.walroute.faults.Moment.RANDOM_LOAD;
import static io.walroute.faults.Moment.RESUMED_DURING_DRAIN;
import static io.walroute.faults.Moment.RESUMED_UNDER_LOAD;
import static io.walroute.faults.Moment.WEBHOOK_NOT_DELIVERED;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** One fault at one moment. */
record Cell(Fault fault, Moment moment) {
    /** The cells that are run, fault by fault. */
    static List<Cell> all() {
        List<Cell> cells = new ArrayList<>();
        for (Fault fault : Fault.values()) {
            for (Moment moment : Moment.values()) {
                var cell = new Cell(fault, moment);
                if (cell.isRun()) {
                    cells.add(cell);
                }
            }
        }
        return cells;
    }

    /** Under load everything; what ends the process or the stream at every moment; what breaks a sink where that matters. */
    boolean isRun() {
        return switch (moment.part) {
            case STREAM -> moment == RANDOM_LOAD || moments(fault).contains(moment);
            case BACKFILL -> backfillMoments(fault).contains(moment);
            case RESUMPTION -> resumptions(fault).contains(moment);
        };
    }

    /** What ends the process that clients are connected to, or the stream that their frames come from. */
    private static Set<Moment> resumptions(Fault fault) {
        return switch (fault) {
            case KILL_9 -> EnumSet.copyOf(Moment.all(Moment.Part.RESUMPTION));
            case WALSENDER_TERMINATED, POSTGRES_CRASH -> EnumSet.of(RESUMED_UNDER_LOAD);
            default -> EnumSet.noneOf(Moment.class);
        };
    }

    private static Set<Moment> backfillMoments(Fault fault) {
        return switch (fault) {
            case KILL_9 ->
                EnumSet.of(
                        BACKFILL_BEGINS,
                        BACKFILL_IN_LANE,
                        BACKFILL_NOT_RECORDED,
                        BACKFILL_BETWEEN_CHUNKS,
                        BACKFILL_NOT_ENDED);
            case SIGTERM -> EnumSet.of(BACKFILL_IN_LANE, BACKFILL_BETWEEN_CHUNKS);
            case WALSENDER_TERMINATED -> EnumSet.of(BACKFILL_IN_LANE);
            case POSTGRES_CRASH -> EnumSet.of(BACKFILL_BEGINS, BACKFILL_BETWEEN_CHUNKS);
            case REDIS_KILLED -> EnumSet.of(BACKFILL_BETWEEN_CHUNKS, BACKFILL_NOT_ENDED);
            case REDIS_PAUSED -> EnumSet.of(BACKFILL_BETWEEN_CHUNKS);
            default -> EnumSet.noneOf(Moment.class);
        };
    }

    private static Set<Moment> moments(Fault fault) {
        return switch (fault) {
            case KILL_9, WALSENDER_TERMINATED, POSTGRES_CRASH -> EnumSet.copyOf(Moment.all(Moment.Part.STREAM));
            case SIGTERM ->
                EnumSet.of(
                        WEBHOOK_NOT_DELIVERED,
                        CACHE_NOT_DELIVERED,
                        MID_COPY,
                        MID_TRANSACTION,
                        INTERLEAVED,
                        DURING_REDRIVE);
            case NETWORK_CUT -> EnumSet.of(ALL_DELIVERED, MID_COPY, INTERLEAVED);
            case REDIS_KILLED, REDIS_BLACK_HOLE, RECEIVER_DOWN -> EnumSet.of(DURING_DRAIN, DURING_REDRIVE);
            case RECEIVER_500 -> EnumSet.of(DURING_REDRIVE);
            case DISK_FULL -> EnumSet.of(MID_TRANSACTION, DURING_REDRIVE);
            default -> EnumSet.noneOf(Moment.class);
        };
    }

    /** Whether the fault can strike at the moment at all: not where the moment is made of the same thing. */
    boolean isPossible() {
        return switch (moment) {
            // Nothing can drain while the stream is held, and a drain is what SIGTERM begins.
            case BEFORE_DISPATCH, ALL_DELIVERED ->
                fault != Fault.SIGTERM
                        && fault != Fault.NETWORK_BLACK_HOLE
                        && !(fault == Fault.NETWORK_CUT && moment == BEFORE_DISPATCH);
            case DURING_DRAIN, RESUMED_DURING_DRAIN -> fault != Fault.SIGTERM;
            case WEBHOOK_NOT_DELIVERED -> !fault.name().startsWith("RECEIVER_");
            case CACHE_NOT_DELIVERED -> !fault.name().startsWith("REDIS_");
            default -> true;
        };
    }

    String title() {
        return fault.title + " | " + moment.title;
    }
}
