package io.walroute.settings;

/** What the first start does with rows that exist already. */
public enum SnapshotMode {
    NONE,
    /** They are put into the cache. */
    CACHE
}
