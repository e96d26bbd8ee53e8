package io.walroute.deadletter;

import java.time.Instant;

/**
 * One kind of failure of one sink since the start.
 *
 * @param kind the exception's name, or {@code not tried} for what was parked without an attempt
 * @param failures attempts that failed
 * @param redeliveries failed attempts that were followed by another
 * @param parked how often a change went into the dead letters
 * @param dead how many had their last attempt
 * @param lastError one line
 * @param lastAt null if it is not known
 */
public record FailureReport(
        String sink,
        String kind,
        long failures,
        long redeliveries,
        long parked,
        long dead,
        String lastError,
        Instant lastAt) {}
