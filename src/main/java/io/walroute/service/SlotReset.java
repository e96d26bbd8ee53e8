package io.walroute.service;

import io.walroute.audit.AuditLog;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.cli.EntryPoints.ResetPlan;
import io.walroute.cli.EntryPoints.ResetResult;
import io.walroute.cli.Failure;
import io.walroute.notify.FrameGap;
import io.walroute.service.SlotLog.OpenGap;
import io.walroute.settings.Settings;
import io.walroute.slot.Continuity;
import io.walroute.slot.ContinuityCheck;
import io.walroute.slot.Gap;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.SlotMove;
import io.walroute.slot.SlotState;
import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What {@code reset} does: gives changes up, on purpose, and notes who did. Works beside a running service, which finds an open
 * gap in the store, lets go of the slot, and goes on once the gap is accepted; and without one.
 */
final class SlotReset implements AutoCloseable {
    /** A service that shares the store looks for open gaps every two seconds, and ends its stream. */
    private static final Duration HAND_OVER = Duration.ofSeconds(12);

    private static final Duration AFTER_TERMINATION = Duration.ofSeconds(10);

    private final ReplicationTarget target;
    private final Store store;
    private final SlotLog log;
    private final Connection connection;
    private final SlotMove move;
    private final List<String> done = new ArrayList<>();

    SlotReset(Settings settings) throws SQLException, SlotException {
        target = settings.replicationTarget();
        connection = target.connect();
        try {
            store = Store.open(new Store.Settings(settings.auditUrl()));
        } catch (SQLException e) {
            connection.close();
            throw e;
        }
        log = new SlotLog(store);
        move = new SlotMove(connection, target);
    }

    // ---------------------------------------------------------------- to the current position

    ResetResult toCurrent(boolean force, boolean dryRun, Consumer<ResetPlan> say) throws SQLException, SlotException {
        Optional<Gap> gap = gap();
        if (gap.isPresent() && gap.get().reason() != Gap.Reason.RESET) {
            throw new Failure(Failure.FAILED, gap.get().line());
        }
        SlotInfo slot = move.require();
        if (slot.active() && !force && !dryRun) {
            throw new Failure(
                    Failure.FAILED,
                    "The replication slot " + slot.name() + " is in use by process " + slot.activePid()
                            + (slot.activeClient() == null ? "" : " (" + slot.activeClient() + ")")
                            + ". Stop what reads it, or take the slot from it: walroute reset --force");
        }
        Lsn from = slot.confirmedFlushLsn();
        Lsn to = move.walPosition();
        say.accept(new ResetPlan(from, to, to.minus(from), null));
        if (dryRun) {
            return result(from, to, null);
        }
        long id = announce(from, to);
        try {
            takeSlot();
            Lsn reached = move.advance();
            return accept(id, from, reached, "Moved replication slot " + target.slot() + " to " + reached);
        } catch (SQLException | SlotException | RuntimeException e) {
            log.resolve(id);
            throw e;
        }
    }

    /** From here on a service that shares the store lets go of the slot. */
    private long announce(Lsn from, Lsn to) throws SQLException {
        SlotState state = SlotState.read(connection, target, 0);
        log.open(new Gap(
                Gap.Reason.RESET,
                from,
                to,
                SlotLog.nowToTheSecond(),
                state.server().systemIdentifier() + " timeline "
                        + state.server().timeline(),
                "an operator moves the replication slot " + target.slot(),
                Lsn.ZERO));
        return log.open().orElseThrow().id();
    }

    private void takeSlot() throws SQLException, SlotException {
        if (move.awaitInactive(HAND_OVER)) {
            return;
        }
        move.terminateReader();
        done.add("Ended the process that read the slot");
        if (!move.awaitInactive(AFTER_TERMINATION)) {
            throw new Failure(
                    Failure.FAILED,
                    "The replication slot " + target.slot() + " is in use again at once. Stop what reads it, then run:"
                            + " walroute reset");
        }
    }

    // ---------------------------------------------------------------- a gap

    ResetResult acceptGap(boolean force, boolean dryRun, Consumer<ResetPlan> say) throws SQLException, SlotException {
        Optional<Gap> found = gap();
        if (found.isEmpty()) {
            Lsn position = log.continuity().map(Continuity::position).orElse(Lsn.ZERO);
            return new ResetResult(position, position, 0L, null, store.readEpoch(), List.of());
        }
        Gap gap = found.get();
        Optional<SlotInfo> slot = move.slot();
        if (slot.isPresent()) {
            move.require();
        }
        boolean usable = slot.isPresent() && !slot.get().isInvalidated();
        Lsn to = usable ? slot.get().confirmedFlushLsn() : move.walPosition();
        say.accept(new ResetPlan(gap.from(), to, bytes(gap, to), gap.line()));
        if (dryRun) {
            return result(gap.from(), to, gap);
        }
        boolean active = slot.isPresent() && slot.get().active();
        if (active && !force) {
            throw new Failure(
                    Failure.FAILED,
                    "The replication slot " + target.slot() + " is in use by process "
                            + slot.get().activePid()
                            + ". Stop what reads it, or: walroute reset --accept-gap --force");
        }
        log.open(gap); // only now: from here on a service that shares the store lets go of the slot
        OpenGap open = log.open().orElseThrow();
        if (active) {
            takeSlot();
        }
        if (usable) {
            return accept(open.id(), gap.from(), to, "Replication slot " + target.slot() + " stays at " + to, gap);
        }
        Lsn made = move.recreate();
        return accept(open.id(), gap.from(), made, "Created replication slot " + target.slot() + " at " + made, gap);
    }

    /** As kept by the service, or as found now. */
    private Optional<Gap> gap() throws SQLException {
        Optional<OpenGap> open = log.open();
        if (open.isPresent() && open.get().gap().reason().isLasting()) {
            return open.map(OpenGap::gap);
        }
        Optional<Continuity> known = log.continuity();
        if (known.isEmpty()) {
            return move.slot().filter(SlotInfo::isInvalidated).map(this::lostBeforeTheFirstStart);
        }
        SlotState state = SlotState.read(connection, target, known.get().timeline());
        // Read again: a service that streams has noted more by now.
        Continuity now = log.continuity().orElse(known.get());
        Lsn audited = new AuditLog(store)
                .last()
                .map(last -> last.event().version())
                .filter(last -> now.epochs().at(last.lsn()) == last.epoch())
                .map(last -> last.lsn())
                .orElse(Lsn.ZERO);
        return ContinuityCheck.judge(now, audited, state.withServerNow(connection), target) instanceof Gap gap
                ? Optional.of(gap)
                : Optional.empty();
    }

    private Gap lostBeforeTheFirstStart(SlotInfo slot) {
        return new Gap(
                Gap.Reason.SLOT_INVALIDATED,
                slot.confirmedFlushLsn(),
                null,
                SlotLog.nowToTheSecond(),
                target.slot(),
                "the replication slot " + slot.name() + " is invalidated, and nothing was read from it yet",
                Lsn.ZERO);
    }

    private ResetResult accept(long id, Lsn from, Lsn to, String what) throws SQLException {
        return accept(id, from, to, what, null);
    }

    private ResetResult accept(long id, Lsn from, Lsn to, String what, Gap gap) throws SQLException {
        done.add(what);
        SlotState state = SlotState.read(connection, target, 0);
        long epoch = Math.max(
                        store.readEpoch(),
                        log.continuity().map(each -> each.epochs().last()).orElse(0L))
                + 1;
        Epochs epochs = gap == null || gap.newFrom().equals(Lsn.ZERO)
                ? Epochs.all(epoch)
                : log.continuity().orElseThrow().epochs().then(epoch, gap.newFrom());
        String by = System.getProperty("user.name", "unknown");
        // In one transaction with the rest: no change of the new epoch may come before it into the frame log.
        var forSubscribers = FrameGap.mark(
                store, "epoch " + epoch, "changes after " + from + " are missing; the stream goes on at " + to);
        log.accept(id, to, by, Continuity.from(state, epochs, SlotLog.nowToTheSecond()), forSubscribers);
        done.add("Accepted the gap from " + from + " to " + to + " as " + by + "; ids begin with epoch " + epoch
                + " from now on");
        return result(from, to, gap);
    }

    private ResetResult result(Lsn from, Lsn to, Gap gap) throws SQLException {
        Long bytes = gap == null ? Long.valueOf(to.minus(from)) : bytes(gap, to);
        return new ResetResult(from, to, bytes, gap == null ? null : gap.line(), store.readEpoch(), List.copyOf(done));
    }

    /** Unknown (null) where the positions are not of one WAL. */
    private static Long bytes(Gap gap, Lsn to) {
        return switch (gap.reason()) {
            case SLOT_MISSING, SLOT_INVALIDATED, SLOT_AHEAD, RESET, OTHER_DATABASE ->
                (Long) Math.max(0, to.minus(gap.from()));
            default -> null;
        };
    }

    @Override
    public void close() throws SQLException {
        store.close();
        connection.close();
    }
}
