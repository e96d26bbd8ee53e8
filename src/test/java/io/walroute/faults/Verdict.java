package io.walroute.faults;

import java.util.List;

/**
 * What a comparison with the database found.
 *
 * @param changes committed changes that the workload made
 * @param lost what is missing or wrong at a sink: rows of the cache that differ, changes that the audit log, the receiver or a
 *     client never got, changes that were never committed
 * @param reordered changes that came before an earlier one of their row
 * @param repeated webhooks that the receiver accepted more than once; frames never come twice
 * @param details the first findings, one line each
 */
record Verdict(long changes, long lost, long reordered, long repeated, Frames frames, List<String> details) {
    /**
     * Of all WebSocket clients together.
     *
     * @param wanted how many frames they should have got
     * @param holes changes that a client never got and wasn't told a gap for; lost ones, too
     * @param repeats frames whose change the client had got already
     */
    record Frames(long wanted, long holes, long repeats) {
        Frames plus(Frames other) {
            return new Frames(wanted + other.wanted, holes + other.holes, repeats + other.repeats);
        }
    }

    boolean isClean() {
        return lost == 0 && reordered == 0 && frames.repeats == 0;
    }
}
