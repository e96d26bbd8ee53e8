package io.walroute.slot;

import io.walroute.change.Lsn;
import io.walroute.slot.Gap.Reason;

/** Whether a slot goes on where the audit log ends. Judges; asks nobody. */
public final class ContinuityCheck {
    public sealed interface Verdict permits Sound, Promoted, Gap {}

    /** It goes on: what the slot sends first is what wasn't confirmed. */
    public record Sound() implements Verdict {}

    /** It goes on, on a promoted standby. @param switchPoint what lies at or past it was never seen before */
    public record Promoted(Lsn switchPoint) implements Verdict {}

    private final Continuity known;
    private final Lsn last;
    private final SlotState now;
    private final ReplicationTarget target;
    private final String address;

    private ContinuityCheck(Continuity known, Lsn last, SlotState now, ReplicationTarget target) {
        this.known = known;
        this.last = last;
        this.now = now;
        this.target = target;
        address = target.server();
    }

    /**
     * @param audited the last audited change of the known stream, which may lie past what was confirmed
     * @param now its slot read before {@code known}, or it has moved on meanwhile; its server read after both others, or
     *     they have ({@link SlotState#withServerNow})
     */
    public static Verdict judge(Continuity known, Lsn audited, SlotState now, ReplicationTarget target) {
        // A change's LSN is where it begins: a WAL that ends just there doesn't hold it.
        Lsn last = audited.compareTo(known.position()) >= 0 ? new Lsn(audited.value() + 1) : known.position();
        return new ContinuityCheck(known, last, now, target).judge();
    }

    private Verdict judge() {
        ServerInfo server = now.server();
        if (!server.systemIdentifier().equals(known.systemIdentifier())) {
            return missing(
                    Reason.OTHER_SERVER,
                    null,
                    "PostgreSQL at " + address + " is another server (system identifier " + server.systemIdentifier()
                            + ", not " + known.systemIdentifier() + ")");
        }
        if (!now.database().equals(known.database())) {
            return missing(
                    Reason.OTHER_DATABASE,
                    null,
                    "database " + now.database() + " is to be followed, and " + known.database() + " was");
        }
        if (server.timeline() == known.timeline()) {
            Verdict restored = restored();
            return restored != null ? restored : slot(new Sound(), Lsn.ZERO);
        }
        return otherTimeline(server);
    }

    private Verdict otherTimeline(ServerInfo server) {
        String where = "PostgreSQL at " + address + " is on timeline " + server.timeline();
        if (server.timeline() < known.timeline()) {
            return missing(
                    Reason.OTHER_TIMELINE,
                    null,
                    where + " and timeline " + known.timeline()
                            + " was followed: it is a former primary or was restored");
        }
        var end = now.history().endOf(known.timeline());
        if (end.isEmpty()) {
            return missing(
                    Reason.OTHER_TIMELINE, null, where + ", which doesn't come from timeline " + known.timeline());
        }
        if (end.get().compareTo(last) < 0) {
            return new Gap(
                    Reason.DIVERGED,
                    end.get(),
                    last,
                    known.notedAt(),
                    server(),
                    where + ", which left timeline " + known.timeline() + " at " + end.get()
                            + ", before the last change that was read, at " + last,
                    end.get());
        }
        return slot(new Promoted(end.get()), end.get());
    }

    private Verdict restored() {
        Lsn wal = now.server().walPosition();
        if (wal.compareTo(last) < 0) {
            return restored(wal, "the WAL of PostgreSQL at " + address + " ends at " + wal);
        }
        SlotInfo slot = now.slot();
        if (slot != null
                && slot.name().equals(known.slot())
                && slot.restartLsn() != null
                && known.restartLsn() != null
                && slot.restartLsn().compareTo(known.restartLsn()) < 0) {
            return restored(
                    slot.restartLsn(),
                    "the replication slot " + slot.name() + " keeps WAL from " + slot.restartLsn()
                            + " on, and kept it from " + known.restartLsn() + " before");
        }
        return null;
    }

    private Gap restored(Lsn place, String what) {
        return new Gap(
                Reason.RESTORED,
                place,
                last,
                known.notedAt(),
                server(),
                what + ", where " + last + " was read already: it was restored from a backup",
                Lsn.ZERO);
    }

    private Verdict slot(Verdict otherwise, Lsn newFrom) {
        SlotInfo slot = now.slot();
        if (slot == null) {
            return missing(
                    Reason.SLOT_MISSING,
                    null,
                    "the replication slot " + target.slot() + " is gone from " + address,
                    newFrom);
        }
        if (slot.isInvalidated()) {
            return missing(
                    Reason.SLOT_INVALIDATED,
                    null,
                    "the replication slot " + slot.name() + " is invalidated ("
                            + (slot.invalidationReason() == null ? "wal_removed" : slot.invalidationReason()) + ")",
                    newFrom);
        }
        if (slot.confirmedFlushLsn() != null && slot.confirmedFlushLsn().compareTo(known.position()) > 0) {
            return missing(
                    Reason.SLOT_AHEAD,
                    slot.confirmedFlushLsn(),
                    "the replication slot " + slot.name() + " stands at " + slot.confirmedFlushLsn()
                            + ", past the audit log's end at " + known.position()
                            + ": somebody made it anew or moved it, or the audit log is an older copy",
                    newFrom);
        }
        return otherwise;
    }

    private Gap missing(Reason reason, Lsn to, String what) {
        return missing(reason, to, what, Lsn.ZERO);
    }

    private Gap missing(Reason reason, Lsn to, String what, Lsn newFrom) {
        return new Gap(reason, known.position(), to, known.notedAt(), server(), what, newFrom);
    }

    private String server() {
        return now.server().systemIdentifier() + " timeline " + now.server().timeline();
    }
}
