package io.walroute.bench;

/** Somebody who reads the backlog. */
interface Reader {
    String name();

    /** What it is, for the report. */
    String description();

    /** Null if it can run here; else why not and what to do about it. */
    default String missing() throws Exception {
        return null;
    }

    /** Reads {@link Ground#SLOT} to the backlog's end. */
    Drain drain(Ground ground, int round) throws Exception;
}
