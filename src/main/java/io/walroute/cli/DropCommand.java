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
                        + " not read are given up; a later start finds that as a gap.",
        footer = {"", "Example: walroute drop --publication"})
final class DropCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--force", description = "End the process that reads the slot, if one does.")
    private boolean force;

    @Option(names = "--publication", description = "Remove the publication too.")
    private boolean publication;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    DropCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        Settings settings = session.settings();
        List<String> done = session.entryPoints().slots().drop(settings, force, publication);
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("database", settings.databaseUrl().toString());
            document.put("slot", settings.replicationSlot());
            document.put("publication", settings.publicationName());
            document.put("done", done);
            Json.print(session.out(), document);
        } else if (done.isEmpty()) {
            session.out().println("Nothing to do: there is no such slot" + (publication ? " nor publication." : "."));
        } else {
            done.forEach(line -> session.out().println(line + "."));
        }
        return 0;
    }
}
