package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "dead-letters",
        description = "Shows and mends changes that could not be delivered and were parked.",
        footer = {"", "Example: walroute dead-letters list"})
final class DeadLettersCommand implements Runnable {

    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "What of the dead letters? One of: "
                        + String.join(", ", spec.subcommands().keySet()));
    }

    @Command(
            name = "list",
            description = "Lists what is parked or dead, those that failed last first. Works without the service, too.",
            footer = {"", "Example: walroute dead-letters list --sink hook --state dead --since 2h"})
    static final class ListCommand implements Callable<Integer> {
        private static final int MOST = 10_000;

        private final Session session;

        @Mixin
        private DeadLetterOptions which = new DeadLetterOptions();

        @Option(
                names = "--limit",
                paramLabel = "N",
                defaultValue = "1000",
                description = "Show so many at most, up to 10000 (default: ${DEFAULT-VALUE}).")
        private int limit;

        @Option(names = "--json", description = "Print one JSON document.")
        private boolean json;

        ListCommand(Session session) {
            this.session = session;
        }

        @Override
        public Integer call() throws Exception {
            if (limit < 1 || limit > MOST) {
                throw new Failure(Failure.MISCONFIGURED, "--limit " + limit + " is not a number from 1 to " + MOST);
            }
            Map<String, String> query = which.filter();
            if (!which.ids().isEmpty()) {
                query.put(
                        "ids",
                        String.join(
                                ",", which.ids().stream().map(String::valueOf).toList()));
            }
            query.put("limit", Integer.toString(limit));
            List<Map<String, Object>> letters =
                    session.entryPoints().deadLetters().list(session.settings(), query);
            if (json) {
                Json.print(session.out(), letters);
                return 0;
            }
            if (letters.isEmpty()) {
                session.out().println(none());
                return 0;
            }
            TextTable.print(
                    session.out(), letters.stream().map(ListCommand::line).toList());
            if (letters.size() == limit) {
                session.out().println("There may be more. See: --limit, or a filter");
            }
            return 0;
        }

        /** A name that is mistyped fits none, too: so what there is is said beside. */
        private String none() throws Exception {
            Map<String, Long> others = session
                    .entryPoints()
                    .deadLetters()
                    .list(session.settings(), Map.of("limit", Integer.toString(MOST)))
                    .stream()
                    .collect(Collectors.groupingBy(
                            letter -> String.valueOf(letter.get("sink")), TreeMap::new, Collectors.counting()));
            return others.isEmpty()
                    ? "No dead letters."
                    : "None of these. There are: "
                            + others.entrySet().stream()
                                    .map(each -> each.getKey() + " " + each.getValue())
                                    .collect(Collectors.joining(", "));
        }

        private static Map<String, Object> line(Map<String, Object> letter) {
            Map<String, Object> line = new LinkedHashMap<>();
            for (String column : List.of("id", "sink", "state", "table")) {
                line.put(column, letter.get(column));
            }
            line.put("key", key(letter.get("key")));
            line.put("operation", letter.get("operation"));
            line.put("attempts", letter.get("attempts"));
            line.put("last failure", time(letter.get("last_failure")));
            line.put("next attempt", when(letter.get("next_attempt"), Instant.now()));
            line.put("cause", letter.get("cause"));
            return line;
        }
    }

    @Command(
            name = "show",
            description = "Shows one with its cause and its change. Works without the service, too.",
            footer = {"", "Example: walroute dead-letters show 17"})
    static final class ShowCommand implements Callable<Integer> {
        private static final ObjectMapper JSON = new ObjectMapper();

        private final Session session;

        @Parameters(paramLabel = "ID", description = "Its id, as dead-letters list shows it.")
        private long id;

        @Option(names = "--json", description = "Print one JSON document.")
        private boolean json;

        ShowCommand(Session session) {
            this.session = session;
        }

        @Override
        public Integer call() throws Exception {
            Map<String, Object> letter = session.entryPoints()
                    .deadLetters()
                    .show(session.settings(), id)
                    .orElseThrow(() -> new Failure(
                            Failure.FAILED,
                            "There is no dead letter " + id
                                    + ". It was delivered or discarded, or never was. See: walroute"
                                    + " dead-letters list"));
            if (json) {
                Json.print(session.out(), letter);
                return 0;
            }
            Object event = letter.get("event");
            Map<String, Object> facts = new LinkedHashMap<>(letter);
            facts.remove("event");
            facts.remove("under_way");
            facts.remove("attempt_log");
            facts.put("key", key(letter.get("key")));
            facts.put("first_failure", time(letter.get("first_failure")));
            facts.put("last_failure", time(letter.get("last_failure")));
            facts.put(
                    "next_attempt",
                    letter.get("next_attempt") == null
                            ? "none, it is dead"
                            : time(letter.get("next_attempt")) + ", "
                                    + when(letter.get("next_attempt"), Instant.now()));
            facts.forEach((name, value) -> {
                if (value != null
                        && !value.toString().isEmpty()
                        && !value.toString().equals("{}")) {
                    session.out().printf("%-14s %s%n", name.replace('_', ' '), TextTable.oneLine(value));
                }
            });
            if (letter.get("attempt_log") != null) {
                printAttempts(session.out(), JSON.valueToTree(letter.get("attempt_log")));
            }
            session.out().println("event");
            session.out().println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(event));
            return 0;
        }
    }

    /** As many as are kept, the oldest first. */
    private static void printAttempts(PrintStream out, JsonNode attempts) {
        String title = "last attempts";
        for (JsonNode attempt : attempts) {
            out.printf(
                    "%-14s %s  %s%n",
                    title,
                    time(attempt.path("at").asText()),
                    TextTable.oneLine(
                            attempt.has("status")
                                    ? "answered " + attempt.path("status").asText()
                                            + after(": ", attempt.path("answer").asText())
                                    : attempt.path("cause").asText()));
            title = "";
        }
    }

    /** A primary key of one column is its value. */
    static String key(Object key) {
        if (key instanceof JsonNode node && node.isObject() && node.size() == 1) {
            return node.elements().next().asText();
        }
        return key instanceof JsonNode node && node.isNull() || key == null ? "" : key.toString();
    }

    private static String after(String before, String text) {
        return text.isBlank() ? "" : before + text;
    }

    private static String time(Object iso) {
        return iso == null ? null : TextTable.time(iso.toString());
    }

    static String when(Object iso, Instant now) {
        if (iso == null) {
            return "-";
        }
        Duration left = Duration.between(now, Instant.parse(iso.toString()));
        if (left.compareTo(Duration.ofSeconds(1)) < 0) {
            return "due";
        } else if (left.toMinutes() < 1) {
            return "in " + left.toSeconds() + "s";
        } else if (left.toHours() < 1) {
            return "in " + left.toMinutes() + "m " + left.toSecondsPart() + "s";
        }
        return "in " + left.toHours() + "h " + left.toMinutesPart() + "m";
    }
}
