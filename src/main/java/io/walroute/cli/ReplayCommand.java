package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.logging.Terminal;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "replay",
        description = {
            "Sends past changes of the audit log through the routes again, in commit order, from the first whose LSN is at or"
                    + " past --lsn. They keep their id and are marked \"replayed\": true; the cache can't go backwards by"
                    + " them, and a change whose row has a later one skips it. Write-backs are left out unless --route names"
                    + " them.",
            "The running service does it, one replay at a time, beside the changes that come meanwhile: between those and"
                    + " replayed ones there is no order. A replay goes on when this command is ended or the service starts"
                    + " again, until --cancel."
        },
        footer = {
            "",
            "Example: walroute replay --lsn 0/17D5A48 --table listings --route hook --dry-run",
            "         walroute replay --since 2026-01-31T12:00:00Z --rate 2000"
        })
final class ReplayCommand implements Callable<Integer> {
    private static final String WRITE_BACKS = "write-backs";
    private static final long LOOK_EVERY_MS = 300;

    private final Session session;

    @Option(names = "--lsn", paramLabel = "LSN", description = "From the first change whose LSN is at or past it.")
    private String lsn;

    @Option(
            names = "--to-lsn",
            paramLabel = "LSN",
            description = "Up to the last change whose LSN is at or before it (default: the log's end).")
    private String toLsn;

    @Option(names = "--since", paramLabel = "TIME", description = "Committed then or later, as 2026-01-31T12:00:00Z.")
    private String since;

    @Option(names = "--until", paramLabel = "TIME", description = "Committed then or before.")
    private String until;

    @Option(
            names = "--table",
            paramLabel = "TABLE",
            description = "Only this table's changes (schema.table outside public).")
    private String table;

    @Option(
            names = "--key",
            paramLabel = "KEY",
            description = "Only this row's, as in the cache's keys: 42, or 7:blue.")
    private String key;

    @Option(
            names = "--route",
            paramLabel = "LANE",
            description =
                    "Only to this lane: cache, notify, hook, write-backs or one of yours (default: all but write-backs).")
    private String route;

    @Option(
            names = "--rate",
            paramLabel = "N",
            description = "Changes a second at most, 0 for no limit (default: 500).")
    private Integer rate;

    @Option(
            names = "--dry-run",
            description = "Count by route what would be sent, and send nothing. Steps that stand before a lane do run.")
    private boolean dryRun;

    @Option(names = "--cancel", paramLabel = "ID", description = "End this replay.")
    private Long cancel;

    @Option(names = "--list", description = "Show the replays there were, the newest first.")
    private boolean list;

    @Option(names = "--no-wait", description = "Return at once; walroute replay --list shows how far it is.")
    private boolean noWait;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    ReplayCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        var service = new ManagementClient(session.settings());
        if (list) {
            return list(service.get("/replays", Map.of()));
        }
        if (cancel != null) {
            return print(service.post("/replays/" + cancel + "/cancel", Map.of()));
        }
        JsonNode answer = service.post("/replays", request());
        if (dryRun) {
            return counts(answer);
        }
        return noWait ? print(answer) : await(service, answer);
    }

    private Map<String, Object> request() {
        if (lsn == null && since == null) {
            throw new Failure(Failure.MISCONFIGURED, "From where? Give --lsn or --since. See: walroute replay --help");
        }
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("lsn", lsn);
        request.put("to_lsn", toLsn);
        request.put("since", since);
        request.put("until", until);
        request.put("table", table);
        request.put("key", key);
        request.put("route", route);
        request.put("rate", rate);
        request.put("dry_run", dryRun);
        request.put("by", System.getProperty("user.name"));
        return request;
    }

    private Integer await(ManagementClient service, JsonNode begun) throws InterruptedException {
        JsonNode now = begun;
        var progress = new ProgressLine(session.out(), Terminal.hasColours());
        while (now.path("state").asText().equals("running")) {
            if (!json) {
                progress.show(share(now), now.path("sent").asLong() + " changes sent");
            }
            Thread.sleep(LOOK_EVERY_MS); // the service does the work; nobody here could be told of its end
            now = look(service, begun.path("id").asLong(), progress);
        }
        progress.end();
        return print(now);
    }

    private static JsonNode look(ManagementClient service, long id, ProgressLine progress) {
        try {
            return service.get("/replays/" + id, Map.of());
        } catch (Failure e) {
            progress.end();
            throw e.whileWaiting("Replay " + id + " is not ended by that, and goes on when the service does. See:"
                    + " walroute replay --list");
        }
    }

    private static double share(JsonNode replay) {
        double all = replay.path("to_seq").asDouble() - replay.path("from_seq").asDouble() + 1;
        return (replay.path("next_seq").asDouble() - replay.path("from_seq").asDouble()) / all;
    }

    private Integer print(JsonNode replay) {
        if (json) {
            session.out().println(replay.toPrettyString());
        } else {
            session.out()
                    .println("Replay " + replay.path("id").asLong() + ": "
                            + replay.path("state").asText() + ", "
                            + replay.path("sent").asLong() + " changes sent"
                            + (replay.hasNonNull("error")
                                    ? ": " + replay.path("error").asText()
                                    : ""));
        }
        return replay.path("state").asText().equals("failed") ? Failure.FAILED : 0;
    }

    private Integer counts(JsonNode answer) {
        if (json) {
            session.out().println(answer.toPrettyString());
            return 0;
        }
        session.out().println("Would send " + answer.path("changes").asLong() + " changes:");
        answer.path("routes")
                .fields()
                .forEachRemaining(count -> session.out()
                        .printf(
                                "  %-16s %,d%s%n",
                                count.getKey(),
                                count.getValue().asLong(),
                                route == null && count.getKey().equals(WRITE_BACKS)
                                        ? " (left out without --route " + WRITE_BACKS + ")"
                                        : ""));
        return 0;
    }

    private Integer list(JsonNode replays) {
        if (json) {
            session.out().println(replays.toPrettyString());
            return 0;
        }
        if (replays.isEmpty()) {
            session.out().println("No replays.");
            return 0;
        }
        var lines = new java.util.ArrayList<Map<String, Object>>();
        for (JsonNode replay : replays) {
            Map<String, Object> line = new LinkedHashMap<>();
            for (String column : new String[] {"id", "state", "lsn", "since", "table", "key", "route", "sent"}) {
                line.put(column, replay.hasNonNull(column) ? replay.path(column).asText() : null);
            }
            line.put("done", Math.round(share(replay) * 100) + " %");
            line.put("started", TextTable.time(replay.path("started_at").asText()));
            line.put("by", replay.path("by").asText());
            lines.add(line);
        }
        TextTable.print(session.out(), lines);
        return 0;
    }
}
