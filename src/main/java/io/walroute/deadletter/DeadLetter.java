package io.walroute.deadletter;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.List;

/**
 * One delivery of one change to one sink that did not get through, as the table {@code dead_letters} keeps it.
 *
 * @param seq the change's place in the audit log; null if it isn't there (a backfilled row, no audit step)
 * @param key the primary key as JSON; null for a TRUNCATE and where the table has no key
 * @param route the id of the route that failed; null if it was parked without an attempt
 * @param endpoint the step that failed, without secrets; null as for the route
 * @param attempts how often it was tried in all; 0 if it was parked without an attempt
 * @param redrives how many of its redrives failed: what the schedule counts
 * @param nextAttempt when it is due; null once it is dead
 * @param event the change's JSON
 * @param headers the message headers that its route needs again, as a JSON object
 * @param attemptLog how the last attempts ended, the oldest first
 */
public record DeadLetter(
        long id,
        String sink,
        String eventId,
        Long seq,
        String lsn,
        long xid,
        String schema,
        String table,
        String operation,
        String key,
        String route,
        String endpoint,
        int attempts,
        int redrives,
        Instant firstFailure,
        Instant lastFailure,
        Instant nextAttempt,
        String cause,
        State state,
        String event,
        String headers,
        List<JsonNode> attemptLog) {
    /** PARKED ones are sent again, and later changes of the key wait behind them; DEAD ones have had their last attempt. */
    public enum State {
        PARKED,
        DEAD;

        String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }

        static State of(String text) {
            return valueOf(text.toUpperCase(java.util.Locale.ROOT));
        }
    }
}
