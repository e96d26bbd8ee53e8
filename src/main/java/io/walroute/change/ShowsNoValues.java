package io.walroute.change;

/**
 * Marks an exception whose message holds nothing of any row: the dead letters show it where the messages of others, which may hold
 * part of a hidden column, are not shown.
 */
public interface ShowsNoValues {}
