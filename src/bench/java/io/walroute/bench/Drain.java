package io.walroute.bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One reader's turn at the backlog.
 *
 * @param seconds from the first change delivered to the last one, acknowledged where the reader acknowledges
 * @param cpuSeconds processor time of the reader's process meanwhile
 * @param startSeconds from its start to the first change
 * @param progress seconds since the first change, and changes acknowledged by then
 * @param figures what else is known, by name
 * @param fault null if the sink held what it should
 */
record Drain(
        String reader,
        int round,
        long changes,
        double seconds,
        double cpuSeconds,
        double startSeconds,
        List<double[]> progress,
        Map<String, Object> figures,
        String fault) {
    double rate() {
        return changes / seconds;
    }

    double cpuMicros() {
        return cpuSeconds * 1e6 / changes;
    }

    String line() {
        return String.format(
                Locale.ROOT,
                "%s, round %d: %,d changes in %.2f s, %,.0f/s; %.1f µs of processor time a change; %s%s",
                reader,
                round,
                changes,
                seconds,
                rate(),
                cpuMicros(),
                figures,
                fault == null ? "" : "; FAULT: " + fault);
    }
}
