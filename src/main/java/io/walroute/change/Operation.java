package io.walroute.change;

/** What happened to a row (or, for {@link #TRUNCATE}, to a table). {@link #READ} is a row read by a backfill. */
public enum Operation {
    INSERT,
    UPDATE,
    DELETE,
    TRUNCATE,
    READ
}
