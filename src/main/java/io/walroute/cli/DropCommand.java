package io.walroute.cli;

import io.walroute.settings.Settings;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "drop",
        description =
                "Removes the replication slot, so that the database keeps no more WAL for walroute. Changes that were"
                        + " not read are given up; a later start finds that as a gap. Refused while a process reads the"
                        + " slot, unless with --force.",
        footer = {"", "Example: walroute drop --dry-run", "         walroute drop --publication"})
final class DropCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--force", description = "End the process that reads the slot, if one does.")
    private boolean force;

    @Option(names = "--publication", description = "Remove the publication too.")
    private boolean publication;

    @Option(names = "--dry-run", description = "Say what would be removed and change nothing.")
    private boolean dryRun;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    DropCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        Settings settings = session.settings();
        var options = new EntryPoints.DropOptions(force, publication, dryRun);
        List<String> done = session.entryPoints().slots().drop(settings, options);
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("database", settings.databaseUrl().toString());
            document.put("slot", settings.replicationSlot());
            document.put("publication", settings.publicationName());
            document.put("dry_run", dryRun);
            document.put("done", dryRun ? List.of() : done);
            document.put("would_do", dryRun ? done : List.of());
            Json.print(session.out(), document);
        } else if (done.isEmpty()) {
            session.out().println("Nothing to do: there is no such slot" + (publication ? " nor publication." : "."));
        } else {
            done.forEach(line -> session.out().println((dryRun ? "Would " : "") + line + "."));
        }
        return 0;
    }
}
