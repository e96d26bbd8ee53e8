package io.walroute.service;

import io.walroute.cli.EntryPoints;
import io.walroute.cli.EntryPoints.DropOptions;
import io.walroute.cli.EntryPoints.ResetOptions;
import io.walroute.cli.EntryPoints.ResetPlan;
import io.walroute.cli.EntryPoints.ResetResult;
import io.walroute.cli.Failure;
import io.walroute.logging.Figures;
import io.walroute.settings.Settings;
import io.walroute.slot.Finding.Fault;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.SlotMove;
import io.walroute.slot.SlotTransaction;
import io.walroute.slot.TransactionSearch;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** What the commands do to the slot. */
final class SlotCommands implements EntryPoints.Slots {
    private static final String SQLITE = "jdbc:sqlite:";
    private static final int MOST_LISTED = 100;
    private static final Duration AFTER_TERMINATION = Duration.ofSeconds(10);

    @Override
    public boolean ranBefore(Settings settings) throws SQLException {
        String url = settings.auditUrl();
        if (isMissing(url)) {
            return false;
        }
        try (Store store = Store.open(new Store.Settings(url))) {
            return new SlotLog(store).continuity().isPresent();
        }
    }

    /** Looking must not make the file. */
    private static boolean isMissing(String url) {
        return url.startsWith(SQLITE)
                && !url.startsWith(SQLITE + "file:")
                && !Files.exists(Path.of(url.substring(SQLITE.length()).split("\\?", 2)[0]));
    }

    @Override
    public ResetResult reset(Settings settings, ResetOptions options, Consumer<ResetPlan> say)
            throws SQLException, SlotException {
        try (var reset = new SlotReset(settings)) {
            return options.acceptGap()
                    ? reset.acceptGap(options.force(), options.dryRun(), say)
                    : reset.toCurrent(options.force(), options.dryRun(), say);
        }
    }

    @Override
    public SlotTransaction find(Settings settings, TransactionSearch.Wanted wanted, TransactionSearch.Progress progress)
            throws SQLException, SlotException {
        return Skipping.find(settings.replicationTarget(), wanted, progress);
    }

    @Override
    public Map<String, Object> skip(Settings settings, SlotTransaction transaction, String reason, String by)
            throws SQLException {
        try (Store store = Store.open(new Store.Settings(settings.auditUrl()))) {
            return new SkipLog(store)
                    .add(transaction, SkipLog.checkedReason(reason), by)
                    .toJson();
        } catch (SkipException e) {
            throw new Failure(Failure.FAILED, e.getMessage());
        } catch (IllegalArgumentException e) {
            throw new Failure(Failure.MISCONFIGURED, e.getMessage());
        }
    }

    @Override
    public List<Map<String, Object>> skips(Settings settings) throws SQLException {
        if (isMissing(settings.auditUrl())) {
            return List.of();
        }
        try (Store store = Store.open(new Store.Settings(settings.auditUrl()))) {
            return new SkipLog(store)
                    .newest(MOST_LISTED).stream().map(Skip::toJson).toList();
        }
    }

    @Override
    public Optional<EntryPoints.Noted> noted(Settings settings) throws SQLException {
        String url = settings.auditUrl();
        if (isMissing(url)) {
            return Optional.empty();
        }
        try (Store store = Store.open(new Store.Settings(url))) {
            var log = new SlotLog(store);
            String gap = log.open().map(open -> open.gap().line()).orElse(null);
            List<Map<String, Object>> skips = new SkipLog(store)
                    .shown(Instant.now()).stream().map(Skip::toJson).toList();
            return log.continuity().map(each -> new EntryPoints.Noted(gap, each.position(), each.notedAt(), skips));
        }
    }

    @Override
    public List<String> drop(Settings settings, DropOptions options) throws SQLException, SlotException {
        var target = settings.replicationTarget();
        List<String> done = new ArrayList<>();
        try (Connection connection = target.connect()) {
            var move = new SlotMove(connection, target);
            Optional<SlotInfo> slot = move.slot();
            if (slot.isPresent()) {
                move.require();
                drop(move, slot.get(), options, done);
            }
            if (options.publication() && options.dryRun() && move.hasPublication()) {
                done.add("drop publication " + target.publication());
            }
            if (options.publication() && !options.dryRun() && move.dropPublication()) {
                done.add("Dropped publication " + target.publication());
            }
        }
        return done;
    }

    private static void drop(SlotMove move, SlotInfo slot, DropOptions options, List<String> done)
            throws SQLException, SlotException {
        if (slot.active() && !options.force()) {
            throw new Failure(
                    Failure.FAILED,
                    "The replication slot " + slot.name() + " is in use by " + reader(slot)
                            + ". Stop what reads it, or run: walroute drop --force");
        }
        String what = "replication slot " + slot.name() + " at " + slot.confirmedFlushLsn()
                + (slot.lagBytes() == null
                        ? ""
                        : ", with " + Figures.bytes(slot.lagBytes()) + " of WAL that was not read");
        if (options.dryRun()) {
            if (slot.active()) {
                done.add("end " + reader(slot) + ", which reads the slot");
            }
            done.add("drop " + what);
            return;
        }
        if (drop(move, slot, options.force())) {
            done.add("Ended " + reader(slot) + ", which read the slot");
        }
        done.add("Dropped " + what);
    }

    private static String reader(SlotInfo slot) {
        return "process " + slot.activePid() + (slot.activeClient() == null ? "" : " (" + slot.activeClient() + ")");
    }

    /** @return whether a reader was ended for it */
    private static boolean drop(SlotMove move, SlotInfo slot, boolean force) throws SQLException, SlotException {
        long end = System.nanoTime() + AFTER_TERMINATION.toNanos();
        while (true) {
            try {
                if (slot.active()) {
                    move.terminateReader();
                    move.awaitInactive(Duration.ofSeconds(1));
                }
                move.drop();
                return slot.active();
            } catch (SlotException e) {
                // A running service takes its slot back within a quarter of a second: whoever is first.
                if (!force || e.finding().fault() != Fault.SLOT_ACTIVE || System.nanoTime() > end) {
                    throw e;
                }
            }
        }
    }
}
