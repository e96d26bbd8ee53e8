package io.walroute.cache;

/** Message headers that {@code row-cache:} reads. */
public final class RowCacheHeaders {
    /**
     * Instant, or String in ISO-8601 with zone, or {@code infinity}: the entry disappears at that time, whatever TTL its
     * table has. A time in the past removes it at once. Null or empty: the table's TTL applies.
     */
    public static final String EXPIRES_AT = "cacheExpiresAt";

    /**
     * Boolean: the change is not written, its row is given up where the cache has it from before: somebody decided that the
     * change never gets here.
     */
    public static final String FORGET = "cacheForget";

    private RowCacheHeaders() {}
}
