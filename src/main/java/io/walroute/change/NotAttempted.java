package io.walroute.change;

/**
 * Marks an exception that says a delivery was not even tried, since its sink takes nothing at present (an open circuit). The
 * dead letters don't count it as an attempt, and don't hurry to send the next.
 */
public interface NotAttempted {}
