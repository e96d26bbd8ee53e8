package io.walroute.cache;

/** What the marker key tells of the cache as a whole. */
public enum MarkerState {
    /** The cache is this service's and was filled. */
    PRESENT,
    /** There is no marker, or it was written anew into a Redis without one: rows may be missing until a backfill. */
    MISSING,
    /** Another service's slot (or an earlier database) filled it: its rows and versions mean nothing here. */
    FOREIGN,
    /** Redis can't be asked. */
    UNKNOWN;

    public boolean needsBackfill() {
        return this == MISSING || this == FOREIGN;
    }
}
