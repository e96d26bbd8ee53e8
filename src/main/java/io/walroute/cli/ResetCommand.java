package io.walroute.cli;

import io.walroute.settings.Settings;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "reset",
        description = {
            "Moves the replication slot to the current position: changes that were not read until then are given up. Says"
                    + " first which these are. A running service on the same audit log lets go of the slot and goes on"
                    + " afterwards; another reader is ended only with --force.",
            "After a gap (the slot was dropped, invalidated or moved, the database was restored or replaced), --accept-gap"
                    + " acknowledges it: makes the slot anew where it is missing, begins a new epoch and notes who accepted"
                    + " what. The service then goes on. Rows that changed in the gap are stale in the cache until they are"
                    + " read again."
        },
        footer = {"", "Example: walroute reset --dry-run", "         walroute reset --accept-gap"})
final class ResetCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--force", description = "Take the slot from the process that reads it.")
    private boolean force;

    @Option(names = "--accept-gap", description = "Acknowledge the gap that was found, and go on behind it.")
    private boolean acceptGap;

    @Option(names = "--dry-run", description = "Say what would be given up and change nothing.")
    private boolean dryRun;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    ResetCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        Settings settings = session.settings();
        var options = new EntryPoints.ResetOptions(acceptGap, force, dryRun);
        EntryPoints.ResetResult result = session.entryPoints().slots().reset(settings, options, plan -> {
            if (!json) {
                print(plan);
            }
        });
        if (json) {
            Json.print(session.out(), document(settings, result));
        } else {
            print(result);
        }
        return 0;
    }

    private void print(EntryPoints.ResetPlan plan) {
        if (plan.gap() != null) {
            session.out().println(plan.gap());
        }
        session.out()
                .println("Gives up the changes from " + plan.from() + " to " + plan.to()
                        + (plan.bytes() == null ? "." : String.format(": %,d bytes of WAL.", plan.bytes())));
    }

    private void print(EntryPoints.ResetResult result) {
        if (acceptGap && result.gap() == null) {
            session.out().println("There is no gap: nothing to accept.");
            return;
        }
        if (dryRun) {
            session.out().println("Nothing was changed (--dry-run).");
            return;
        }
        result.done().forEach(line -> session.out().println(line + "."));
        session.out()
                .println("Rows that changed in between are stale in the cache until they are read again."
                        + " A running service goes on by itself within seconds; otherwise: walroute run");
    }

    private Map<String, Object> document(Settings settings, EntryPoints.ResetResult result) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("database", settings.databaseUrl().toString());
        document.put("slot", settings.replicationSlot());
        document.put("dry_run", dryRun);
        document.put("gap", result.gap());
        document.put("from_lsn", result.from().toString());
        document.put("to_lsn", result.to().toString());
        document.put("bytes", result.bytes());
        document.put("epoch", result.epoch());
        document.put("done", result.done());
        return document;
    }
}
