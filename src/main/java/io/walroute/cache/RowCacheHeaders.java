package io.walroute.cache;

/** Message headers that {@code row-cache:} reads. */
public final class RowCacheHeaders {
    /**
     * Instant, or String in ISO-8601 with zone, or {@code infinity}: the entry disappears at that time, whatever TTL its
     * table has. A time in the past removes it at once. Null or empty: the table's TTL applies.
     */
    public static final String EXPIRES_AT = "cacheExpiresAt";

    private RowCacheHeaders() {}
}
