package io.walroute.source;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import java.util.HashSet;
import java.util.Set;

/**
 * How far a clean stop came inside a transaction: PostgreSQL sends all of it again, and what was settled is then passed over.
 * Along one transaction LSNs never fall, and a change's id is the same each time it is sent.
 *
 * @param xid the transaction's id
 * @param lsn of the last change that was handed over
 * @param ids of those handed-over changes that have this LSN: a COPY's rows share one
 */
public record StopMark(long xid, Lsn lsn, Set<String> ids) {
    /** Where marks are kept, over restarts. Called from the stream's thread; may block. */
    public interface Keeper {
        /** Null if no mark was kept. */
        StopMark last() throws Exception;

        void keep(StopMark mark) throws Exception;
    }

    /** With {@code next} handed over, too. @param before null at a transaction's first change */
    static StopMark after(StopMark before, ChangeEvent next) {
        if (before == null || !before.lsn.equals(next.lsn()) || before.xid != next.xid()) {
            return new StopMark(next.xid(), next.lsn(), Set.of(next.id())); // nearly always: each row has its own LSN
        }
        Set<String> ids = before.ids.size() == 1 ? new HashSet<>(before.ids) : before.ids;
        ids.add(next.id());
        return ids == before.ids ? before : new StopMark(before.xid, before.lsn, ids);
    }

    /** Whether the change was settled before the stop. */
    boolean covers(ChangeEvent change) {
        return change.xid() == xid
                && epoch(change.id()).equals(epoch(ids.iterator().next()))
                && (change.lsn().compareTo(lsn) < 0 || ids.contains(change.id()));
    }

    /** The one of two marks of a transaction that came further. @param before may be null */
    static StopMark further(StopMark before, StopMark after) {
        if (before == null || before.xid != after.xid || !epoch(before).equals(epoch(after))) {
            return after;
        }
        int order = before.lsn.compareTo(after.lsn);
        if (order == 0) {
            var both = new HashSet<>(before.ids);
            both.addAll(after.ids);
            return new StopMark(after.xid, after.lsn, both);
        }
        return order > 0 ? before : after;
    }

    private static String epoch(StopMark mark) {
        return epoch(mark.ids.iterator().next());
    }

    /** Where LSNs may be used again, another epoch has begun: the same xid and LSN are then another change. */
    private static String epoch(String id) {
        return id.substring(0, id.indexOf('-') + 1);
    }

    /** {@code xid lsn id id …} */
    public String toText() {
        return xid + " " + lsn + " " + String.join(" ", ids);
    }

    /** @param text as {@link #toText()} makes it */
    public static StopMark parse(String text) {
        String[] parts = text.split(" ");
        return new StopMark(
                Long.parseLong(parts[0]),
                Lsn.parse(parts[1]),
                new HashSet<>(java.util.Arrays.asList(parts).subList(2, parts.length)));
    }
}
