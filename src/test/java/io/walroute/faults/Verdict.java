package io.walroute.faults;

import java.util.List;

/**
 * What a comparison with the database found.
 *
 * @param changes committed changes that the workload made
 * @param lost what is missing or wrong at a sink: rows of the cache that differ, changes that the audit log, the receiver or a
 *     client never got, changes that were never committed
 * @param reordered changes that came before an earlier one of their row
 * @param repeated webhooks that the receiver accepted more than once
 * @param details the first findings, one line each
 */
record Verdict(long changes, long lost, long reordered, long repeated, List<String> details) {
    boolean isClean() {
        return lost == 0 && reordered == 0;
    }
}
