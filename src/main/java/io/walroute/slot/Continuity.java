package io.walroute.slot;

import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import java.time.Instant;

/**
 * What was last known of the stream that the audit log is made of. Whoever streams notes it down before the slot moves: a slot
 * that stands further was moved, or made anew, by somebody else.
 *
 * @param position the slot stands here at most; everything published before it is in the audit log
 * @param restartLsn the slot's; a later look must never find an earlier one. Null if not known yet
 * @param notedAt when position was noted: what came later is what a gap lacks
 * @param epochs what event ids of the stream begin with
 */
public record Continuity(
        String systemIdentifier,
        int timeline,
        String database,
        String slot,
        Lsn position,
        Lsn restartLsn,
        Instant notedAt,
        Epochs epochs) {

    /** Begins at the slot, whatever was before. */
    public static Continuity from(SlotState state, Epochs epochs, Instant now) {
        return new Continuity(
                state.server().systemIdentifier(),
                state.server().timeline(),
                state.database(),
                state.slot().name(),
                state.slot().confirmedFlushLsn(),
                null,
                now,
                epochs);
    }

    public Continuity at(Lsn newPosition, Instant now) {
        return new Continuity(systemIdentifier, timeline, database, slot, newPosition, restartLsn, now, epochs);
    }

    public Continuity withRestartLsn(Lsn restart) {
        return new Continuity(systemIdentifier, timeline, database, slot, position, restart, notedAt, epochs);
    }

    /** After a promotion: the same stream on a new timeline. */
    public Continuity promoted(SlotState state, Epochs newEpochs) {
        return new Continuity(
                systemIdentifier,
                state.server().timeline(),
                database,
                state.slot().name(),
                position,
                null,
                notedAt,
                newEpochs);
    }
}
