package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.logging.Terminal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "backfill",
        description = {
            "Reads the rows that exist and puts them into the cache, through the routes of their tables, while changes go on"
                    + " coming: whatever changes meanwhile, or has changed since a row was read, wins. Afterwards entries of rows"
                    + " that are gone are removed. Without --table: all published tables that go to the cache, after which the"
                    + " cache counts as whole.",
            "The running service does it, one table after another. It goes on when this command is ended or the service starts"
                    + " again, until --cancel."
        },
        footer = {
            "",
            "Example: walroute backfill",
            "         walroute backfill --table listings --where \"status = 'active'\" --rate 500"
        })
final class BackfillCommand implements Callable<Integer> {
    private static final long LOOK_EVERY_MS = 300;
    private static final String PATH = "/backfill";

    private final Session session;

    @Option(
            names = "--table",
            paramLabel = "TABLE",
            description = "A table (schema.table outside public); may be given several times.")
    private List<String> tables = List.of();

    @Option(names = "--where", paramLabel = "SQL", description = "Only rows for which this is true; with one --table.")
    private String where;

    @Option(names = "--rate", paramLabel = "N", description = "Rows a second at most, 0 for no limit (default: 2000).")
    private Integer rate;

    @Option(
            names = "--no-prune",
            description = "Leave entries of rows that are gone; the cache doesn't count as whole then.")
    private boolean noPrune;

    @Option(names = "--dry-run", description = "Check, and print which tables and about how many rows it would read.")
    private boolean dryRun;

    @Option(names = "--list", description = "Show the backfills there were, the newest first.")
    private boolean list;

    @Option(
            names = "--cancel",
            paramLabel = "ID",
            arity = "0..1",
            fallbackValue = "all",
            description = "End this backfill, or all that are queued and under way.")
    private String cancel;

    @Option(names = "--no-wait", description = "Return at once; walroute backfill --list shows how far it is.")
    private boolean noWait;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    BackfillCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        if (cancel != null && !cancel.equals("all") && !cancel.matches("\\d{1,18}")) {
            throw new Failure(Failure.MISCONFIGURED, "--cancel " + cancel + " is no id. See: walroute backfill --list");
        }
        var service = new ManagementClient(session.settings());
        if (list) {
            return list(service.get(PATH, Map.of()));
        }
        if (cancel != null) {
            return ended(cancelled(service));
        }
        JsonNode answer = service.post(PATH, request());
        if (dryRun) {
            return wouldRead(answer);
        }
        List<JsonNode> begun = new ArrayList<>();
        answer.forEach(begun::add);
        return noWait ? ended(begun) : ended(await(service, begun));
    }

    private Map<String, Object> request() {
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("tables", tables);
        request.put("where", where);
        request.put("rate", rate);
        request.put("prune", noPrune ? false : null);
        request.put("dry_run", dryRun);
        request.put("by", System.getProperty("user.name"));
        return request;
    }

    private List<JsonNode> cancelled(ManagementClient service) {
        List<JsonNode> ended = new ArrayList<>();
        if (cancel.equals("all")) {
            service.post(PATH + "/cancel", Map.of()).forEach(ended::add);
        } else {
            ended.add(service.post(PATH + "/" + cancel + "/cancel", Map.of()));
        }
        return ended;
    }

    private List<JsonNode> await(ManagementClient service, List<JsonNode> begun) throws InterruptedException {
        List<JsonNode> ended = new ArrayList<>();
        for (JsonNode each : begun) {
            JsonNode now = each;
            var progress = new ProgressLine(session.out(), Terminal.hasColours());
            while (isOpen(now)) {
                if (!json) {
                    progress.show(share(now), what(now));
                }
                Thread.sleep(LOOK_EVERY_MS); // the service does the work; nobody here could be told of its end
                now = look(service, each.path("id").asLong(), progress);
            }
            progress.end();
            ended.add(now);
        }
        return ended;
    }

    private static JsonNode look(ManagementClient service, long id, ProgressLine progress) {
        try {
            return service.get(PATH + "/" + id, Map.of());
        } catch (Failure e) {
            progress.end();
            throw e.whileWaiting("Backfill " + id + " is not ended by that, and goes on when the service does. See:"
                    + " walroute backfill --list");
        }
    }

    private static boolean isOpen(JsonNode backfill) {
        String state = backfill.path("state").asText();
        return state.equals("queued") || state.equals("running");
    }

    /** The number of rows is an estimate: it isn't done before it is. */
    private static double share(JsonNode backfill) {
        double all = Math.max(1, backfill.path("estimated_rows").asDouble());
        return backfill.path("state").asText().equals("done")
                ? 1
                : Math.min(0.99, backfill.path("rows").asDouble() / all);
    }

    private static String what(JsonNode backfill) {
        return String.format(
                Locale.ROOT,
                "%s: %,d of about %,d rows%s",
                TextTable.oneLine(backfill.path("table").asText()),
                backfill.path("rows").asLong(),
                backfill.path("estimated_rows").asLong(),
                backfill.hasNonNull("problem") ? ", " + backfill.path("problem").asText() : "");
    }

    private Integer ended(List<JsonNode> backfills) {
        if (json) {
            Json.print(session.out(), backfills);
        } else if (backfills.isEmpty()) {
            session.out().println("No backfill is under way.");
        } else {
            backfills.forEach(each -> session.out().println(line(each)));
        }
        boolean failed =
                backfills.stream().anyMatch(each -> each.path("state").asText().equals("failed"));
        boolean stopped = cancel == null
                && backfills.stream()
                        .anyMatch(each -> each.path("state").asText().equals("cancelled"));
        return failed || stopped ? Failure.FAILED : 0;
    }

    private static String line(JsonNode backfill) {
        var line = new StringBuilder(String.format(
                Locale.ROOT,
                "Backfill %d of %s: %s, %,d rows",
                backfill.path("id").asLong(),
                TextTable.oneLine(backfill.path("table").asText()),
                backfill.path("state").asText(),
                backfill.path("rows").asLong()));
        if (backfill.path("filtered").asLong() > 0) {
            line.append(String.format(
                    Locale.ROOT,
                    ", %,d of them kept from the cache by the table's route",
                    backfill.path("filtered").asLong()));
        }
        if (backfill.path("pruned").asLong() > 0) {
            line.append(String.format(
                    Locale.ROOT,
                    ", %,d entries of gone rows removed",
                    backfill.path("pruned").asLong()));
        }
        return backfill.hasNonNull("error")
                ? line.append(": ").append(backfill.path("error").asText()).toString()
                : line.toString();
    }

    private Integer wouldRead(JsonNode tables) {
        if (json) {
            session.out().println(tables.toPrettyString());
            return 0;
        }
        tables.forEach(each -> session.out()
                .printf(
                        Locale.ROOT,
                        "Would read about %,d rows of %s%n",
                        each.path("estimated_rows").asLong(),
                        TextTable.oneLine(each.path("table").asText())));
        return 0;
    }

    private Integer list(JsonNode backfills) {
        if (json) {
            session.out().println(backfills.toPrettyString());
            return 0;
        }
        if (backfills.isEmpty()) {
            session.out().println("No backfills.");
            return 0;
        }
        List<Map<String, Object>> lines = new ArrayList<>();
        for (JsonNode each : backfills) {
            Map<String, Object> line = new LinkedHashMap<>();
            for (String column : List.of("id", "state", "table", "where", "rows")) {
                line.put(column, each.hasNonNull(column) ? each.path(column).asText() : null);
            }
            line.put("done", Math.round(share(each) * 100) + " %");
            line.put("asked", TextTable.time(each.path("asked_at").asText()));
            line.put("by", each.path("by").asText());
            line.put(
                    "problem",
                    each.path(each.hasNonNull("error") ? "error" : "problem").asText(""));
            lines.add(line);
        }
        TextTable.print(session.out(), lines);
        return 0;
    }
}
