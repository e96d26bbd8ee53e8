package io.walroute.service;

import io.walroute.cli.EntryPoints;
import io.walroute.cli.EntryPoints.ResetOptions;
import io.walroute.cli.EntryPoints.ResetPlan;
import io.walroute.cli.EntryPoints.ResetResult;
import io.walroute.cli.Failure;
import io.walroute.settings.Settings;
import io.walroute.slot.Finding.Fault;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.SlotMove;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** What the commands do to the slot. */
final class SlotCommands implements EntryPoints.Slots {
    private static final String SQLITE = "jdbc:sqlite:";
    private static final Duration AFTER_TERMINATION = Duration.ofSeconds(10);

    @Override
    public boolean ranBefore(Settings settings) throws SQLException {
        String url = settings.auditUrl();
        if (url.startsWith(SQLITE) && !Files.exists(Path.of(url.substring(SQLITE.length())))) {
            return false; // looking must not make the file
        }
        try (Store store = Store.open(new Store.Settings(url))) {
            return new SlotLog(store).continuity().isPresent();
        }
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
    public List<String> drop(Settings settings, boolean force, boolean publication) throws SQLException, SlotException {
        var target = settings.replicationTarget();
        List<String> done = new ArrayList<>();
        try (Connection connection = target.connect()) {
            var move = new SlotMove(connection, target);
            Optional<SlotInfo> slot = move.slot();
            if (slot.isPresent()) {
                move.require();
                drop(move, slot.get(), force);
                done.add("Dropped replication slot " + target.slot());
            }
            if (publication && move.dropPublication()) {
                done.add("Dropped publication " + target.publication());
            }
        }
        return done;
    }

    private static void drop(SlotMove move, SlotInfo slot, boolean force) throws SQLException, SlotException {
        if (slot.active() && !force) {
            throw new Failure(
                    Failure.FAILED,
                    "The replication slot " + slot.name() + " is in use by process " + slot.activePid()
                            + (slot.activeClient() == null ? "" : " (" + slot.activeClient() + ")")
                            + ". Stop what reads it, or run: walroute drop --force");
        }
        long end = System.nanoTime() + AFTER_TERMINATION.toNanos();
        while (true) {
            try {
                if (slot.active()) {
                    move.terminateReader();
                    move.awaitInactive(Duration.ofSeconds(1));
                }
                move.drop();
                return;
            } catch (SlotException e) {
                // A running service takes its slot back within a quarter of a second: whoever is first.
                if (!force || e.finding().fault() != Fault.SLOT_ACTIVE || System.nanoTime() > end) {
                    throw e;
                }
            }
        }
    }
}
