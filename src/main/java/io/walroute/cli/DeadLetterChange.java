package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.settings.Settings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A command that does something to dead letters, through the running service or to its database. */
abstract class DeadLetterChange implements Callable<Integer> {
    private static final int IDS_A_CALL = 200;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Session session;
    private Settings settings;
    private ManagementClient service;

    @Mixin
    private DeadLetterOptions which = new DeadLetterOptions();

    @Option(names = "--all", description = "All dead letters there are.")
    private boolean all;

    @Option(names = "--dry-run", description = "Print which ones are meant and change nothing.")
    private boolean dryRun;

    @Option(names = "--offline", description = "Change the database directly; only while the service is stopped.")
    private boolean offline;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    DeadLetterChange(Session session) {
        this.session = session;
    }

    final Session session() {
        return session;
    }

    final boolean isJson() {
        return json;
    }

    final boolean isDryRun() {
        return dryRun;
    }

    final boolean isOffline() {
        return offline;
    }

    final ManagementClient service() {
        return service;
    }

    /** Opens the way to the dead letters, and checks that it is clear which ones are meant. */
    final void prepare() {
        if (which.ids().isEmpty() && which.filter().isEmpty() && !all) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "Which ones? Give ids or a filter, or --all. See: walroute dead-letters list");
        }
        if (all && !(which.ids().isEmpty() && which.filter().isEmpty())) {
            throw new Failure(Failure.MISCONFIGURED, "--all means all: leave it out, or the ids and filters");
        }
        settings = session.settings();
        if (!offline) {
            service = new ManagementClient(settings);
        } else if (settings.managementPort().orElse(0) != 0 && new ManagementClient(settings).isReachable()) {
            throw new Failure(
                    Failure.FAILED, "The service is running. Leave out --offline, so that it does this itself");
        }
    }

    abstract String verb();

    abstract Map<String, Object> offline(EntryPoints.DeadLetters letters, Settings settings, Map<String, Object> body)
            throws Exception;

    /** Goes through all that are meant. */
    final List<JsonNode> change(Map<String, Object> more, Consumer<JsonNode> each) throws Exception {
        List<JsonNode> entries = new ArrayList<>();
        Consumer<JsonNode> taker = entry -> {
            entries.add(entry);
            each.accept(entry);
        };
        List<Long> ids = which.ids();
        if (ids.isEmpty()) {
            pages(more, taker);
        }
        for (int from = 0; from < ids.size(); from += IDS_A_CALL) {
            Map<String, Object> part = new LinkedHashMap<>(more);
            part.put("ids", ids.subList(from, Math.min(ids.size(), from + IDS_A_CALL)));
            pages(part, taker);
        }
        return entries;
    }

    private void pages(Map<String, Object> more, Consumer<JsonNode> each) throws Exception {
        Map<String, Object> body = new LinkedHashMap<>(more);
        body.putAll(which.filter());
        if (all) {
            body.put("all", true);
        }
        JsonNode next;
        do {
            JsonNode answer = call(body);
            answer.path("entries").forEach(each);
            next = answer.path("next_after");
            body.put("after", next.asLong());
            body.put("up_to", answer.path("up_to").asLong());
        } while (next.isNumber());
    }

    private JsonNode call(Map<String, Object> body) throws Exception {
        return offline
                ? JSON.valueToTree(offline(session.entryPoints().deadLetters(), settings, body))
                : service.post("/dead-letters/" + verb(), body);
    }

    final void print(JsonNode entry) {
        if (json) {
            return;
        }
        session.out()
                .println(entry.path("id").asText() + "  "
                        + (entry.has("sink")
                                ? entry.path("sink").asText() + "  "
                                        + entry.path("table").asText() + " "
                                        + TextTable.oneLine(DeadLettersCommand.key(entry.path("key"))) + "  "
                                : "")
                        + TextTable.oneLine(entry.path("result").asText()));
    }

    /** The end of it: counts, and 1 if any didn't come out as wished. */
    final int summary(List<JsonNode> entries, List<String> good) {
        Map<String, Long> counts = entries.stream()
                .collect(Collectors.groupingBy(DeadLetterChange::kind, LinkedHashMap::new, Collectors.counting()));
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("dry_run", dryRun);
            document.put("results", counts);
            document.put("entries", entries);
            Json.print(session.out(), document);
        } else if (entries.isEmpty()) {
            session.out().println("None of these.");
        } else {
            session.out()
                    .println(counts.entrySet().stream()
                                    .map(each -> each.getValue() + " " + each.getKey())
                                    .collect(Collectors.joining(", "))
                            + ".");
        }
        return good.containsAll(counts.keySet()) ? 0 : 1;
    }

    /** A result may go on with its cause. */
    private static String kind(JsonNode entry) {
        return entry.path("result").asText().split(":", 2)[0];
    }

    @Command(
            name = "redrive",
            description = {
                "Sends them again now, dead ones too: per row the oldest first, and what is parked before one of them of"
                        + " the same row goes along. A dead one gets one more attempt.",
                "Redriven changes may arrive behind newer ones of their row; the cache leaves older ones out by itself."
            },
            footer = {"", "Example: walroute dead-letters redrive --sink hook --state dead --wait"})
    static final class Redrive extends DeadLetterChange {
        @Option(
                names = "--wait",
                description =
                        "Wait until each was delivered or has failed again, and print which; exit 1 if any failed.")
        private boolean waiting;

        @Option(
                names = "--timeout",
                paramLabel = "TIME",
                defaultValue = "2m",
                converter = DurationConverter.class,
                description = "How long --wait waits at most, as 30s or 5m (default: ${DEFAULT-VALUE}).")
        private Duration timeout;

        Redrive(Session session) {
            super(session);
        }

        @Override
        String verb() {
            return "redrive";
        }

        @Override
        Map<String, Object> offline(EntryPoints.DeadLetters letters, Settings settings, Map<String, Object> body)
                throws Exception {
            return letters.redrive(settings, body);
        }

        @Override
        public Integer call() throws Exception {
            if (waiting && isOffline()) {
                throw new Failure(Failure.MISCONFIGURED, "--wait needs the service: with --offline nothing is sent");
            }
            prepare();
            boolean wait = waiting && !isDryRun();
            List<JsonNode> entries = change(Map.of("dry_run", isDryRun()), wait ? entry -> {} : this::print);
            if (wait) {
                entries = new RedriveWatch(service(), timeout).watch(entries, this::print);
            }
            return summary(entries, wait ? List.of("delivered", "gone") : List.of("due", "would be due", "gone"));
        }
    }

    @Command(
            name = "discard",
            description =
                    "Deletes them for good: their sink never gets these changes. What was discarded and why is logged.",
            footer = {"", "Example: walroute dead-letters discard 17 18 --reason \"test rows, partner told\""})
    static final class Discard extends DeadLetterChange {
        private static final int MANY = 10;

        @Option(names = "--reason", paramLabel = "TEXT", description = "Why; kept in the service's log.")
        private String reason;

        @Option(names = "--yes", description = "Don't ask, even if they are many.")
        private boolean yes;

        Discard(Session session) {
            super(session);
        }

        @Override
        String verb() {
            return "discard";
        }

        @Override
        Map<String, Object> offline(EntryPoints.DeadLetters letters, Settings settings, Map<String, Object> body)
                throws Exception {
            return letters.discard(settings, body);
        }

        @Override
        public Integer call() throws Exception {
            if (!isDryRun() && (reason == null || reason.isBlank())) {
                throw new Failure(
                        Failure.MISCONFIGURED, "Why are they discarded? Give --reason TEXT: it is kept in the log");
            }
            prepare();
            if (isDryRun()) {
                return summary(change(Map.of("dry_run", true), this::print), List.of("would be discarded"));
            }
            if (!yes && !confirmed()) {
                session().out().println("Nothing was discarded.");
                return Failure.FAILED;
            }
            return summary(change(Map.of("reason", reason), this::print), List.of("discarded"));
        }

        private boolean confirmed() throws Exception {
            int many = change(Map.of("dry_run", true), entry -> {}).size();
            if (many <= MANY) {
                return true;
            }
            if (System.console() == null || isJson()) {
                throw new Failure(
                        Failure.MISCONFIGURED,
                        many + " dead letters would be deleted for good. Look at them with --dry-run, then add --yes");
            }
            String answer = System.console().readLine("Delete %,d dead letters for good? Type yes: ", many);
            return answer != null && answer.strip().equalsIgnoreCase("yes");
        }
    }
}
