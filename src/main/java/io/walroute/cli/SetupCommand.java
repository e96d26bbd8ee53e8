package io.walroute.cli;

import io.walroute.settings.Settings;
import io.walroute.slot.Setup;
import io.walroute.slot.SlotException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "setup",
        description =
                "Makes the publication, the replication slot and the replica identities that the settings name. What is"
                        + " there already stays, so it may run again at any time.",
        footer = {
            "",
            "Example: DATABASE_URL=postgresql://postgres:secret@localhost:5432/grails walroute setup --dry-run"
        })
final class SetupCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--dry-run", description = "Print the SQL and change nothing.")
    private boolean dryRun;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    SetupCommand(Session session) {
        this.session = session;
    }

    /**
     * @param steps what is to be done, or was
     * @param done in the past tense; empty for a dry run
     */
    record Result(List<Setup.Step> steps, List<String> done, List<String> notes) {}

    @Override
    public Integer call() throws SlotException, SQLException {
        Settings settings = session.settings();
        Result result = setUp(settings, dryRun);
        if (json) {
            Json.print(session.out(), document(settings, result));
        } else if (dryRun) {
            printSql(result);
        } else {
            print(result);
        }
        return 0;
    }

    static Result setUp(Settings settings, boolean dryRun) throws SlotException, SQLException {
        var target = settings.replicationTarget();
        try (Connection connection = target.connect()) {
            var setup = new Setup(connection, target);
            Setup.Plan plan = setup.plan(settings.wantedSetup());
            List<String> done = dryRun ? List.of() : setup.apply(plan);
            return new Result(plan.steps(), done, plan.notes());
        }
    }

    private void printSql(Result result) {
        if (result.steps().isEmpty()) {
            session.out().println("-- Nothing to do: publication, replica identities and slot are in place.");
        }
        result.steps().forEach(step -> session.out().println(step.sql() + ";"));
        result.notes().forEach(note -> session.out().println("-- Note: " + note + "."));
    }

    private void print(Result result) {
        if (result.done().isEmpty()) {
            session.out().println("Nothing to do: publication, replica identities and slot are in place.");
        }
        result.done().forEach(line -> session.out().println(line + "."));
        result.notes().forEach(note -> session.out().println("Note: " + note + "."));
        session.out().println("Next: walroute run");
    }

    private Map<String, Object> document(Settings settings, Result result) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("database", settings.databaseUrl().toString());
        document.put("publication", settings.publicationName());
        document.put("slot", settings.replicationSlot());
        document.put("dry_run", dryRun);
        document.put("sql", result.steps().stream().map(Setup.Step::sql).toList());
        document.put("done", result.done());
        document.put("notes", result.notes());
        document.put("next", dryRun ? "walroute setup" : "walroute run");
        return document;
    }
}
