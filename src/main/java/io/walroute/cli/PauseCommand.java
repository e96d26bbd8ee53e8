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
    private final Session session;
    private final String verb;

    @Parameters(paramLabel = "ROUTE", description = "source, or the id of a sink's route: cache, notify, hook, …")
    private String route;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    PauseCommand(Session session, String verb) {
        this.session = session;
        this.verb = verb;
    }

    @Override
    public Integer call() {
        String path = route.equals("source")
                ? "/source/" + verb
                : "/routes/" + URLEncoder.encode(route, StandardCharsets.UTF_8) + "/" + verb;
        JsonNode now = new ManagementClient(session.settings()).post(path, Map.of());
        if (json) {
            Json.print(session.out(), now);
        } else {
            session.out()
                    .println("Route " + now.path("route").asText() + " is "
                            + now.path("state").asText().toLowerCase(java.util.Locale.ROOT) + ".");
        }
        return 0;
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
            description = "Lets go on what was paused.",
            footer = {"", "Example: walroute resume hook"})
    static final class Resume extends PauseCommand {
        Resume(Session session) {
            super(session, "resume");
        }
    }
}
