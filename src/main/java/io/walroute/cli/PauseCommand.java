package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code pause} and {@code resume}. */
abstract class PauseCommand implements Callable<Integer> {
    private static final String RECEIVER = "hook:";

    private final Session session;
    private final String verb;

    @Parameters(
            paramLabel = "ROUTE",
            description =
                    "source, the id of a sink's route (cache, notify, hook, …), or with resume a receiver: hook:NAME")
    private String route;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    PauseCommand(Session session, String verb) {
        this.session = session;
        this.verb = verb;
    }

    @Override
    public Integer call() {
        JsonNode now = new ManagementClient(session.settings()).post(path(), Map.of());
        if (json) {
            Json.print(session.out(), now);
        } else {
            session.out()
                    .println(
                            now.has("receiver")
                                    ? receiver(now)
                                    : "Route " + now.path("route").asText() + " is "
                                            + now.path("state").asText().toLowerCase(java.util.Locale.ROOT) + ".");
        }
        return 0;
    }

    private String path() {
        if (route.equals("source")) {
            return "/source/" + verb;
        }
        return route.startsWith(RECEIVER)
                ? "/hooks/" + encoded(route.substring(RECEIVER.length())) + "/" + verb
                : "/routes/" + encoded(route) + "/" + verb;
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static String receiver(JsonNode now) {
        String name = RECEIVER + now.path("receiver").asText();
        return now.path("was").isNull()
                ? "Nothing was in the way of " + name + "."
                : name + " is tried again. It had got nothing: "
                        + now.path("was").asText();
    }

    @Command(
            name = "pause",
            description = {
                "Lets the source, a sink's route or a redrive of the running service stand still, until resume or its end.",
                "Behind a paused sink changes wait in memory, then in the dead letters; behind a paused source in the"
                        + " slot's WAL, which grows, and an instance that stands by takes the slot over."
            },
            footer = {"", "Example: walroute pause hook"})
    static final class Pause extends PauseCommand {
        Pause(Session session) {
            super(session, "pause");
        }
    }

    @Command(
            name = "resume",
            description = {
                "Lets go on what was paused.",
                "A receiver (hook:NAME) that answered 410 Gone, asked for a long pause or keeps failing is tried again."
            },
            footer = {"", "Example: walroute resume hook"})
    static final class Resume extends PauseCommand {
        Resume(Session session) {
            super(session, "resume");
        }
    }
}
