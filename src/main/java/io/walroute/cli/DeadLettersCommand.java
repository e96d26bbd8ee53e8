package io.walroute.cli;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "dead-letters",
        description = "Shows changes that could not be delivered and were parked.",
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
            description = "Lists what is parked, oldest first.",
            footer = {"", "Example: walroute dead-letters list --json"})
    static final class ListCommand implements Callable<Integer> {
        private final Session session;

        @Option(names = "--json", description = "Print one JSON document.")
        private boolean json;

        ListCommand(Session session) {
            this.session = session;
        }

        @Override
        public Integer call() throws Exception {
            List<Map<String, Object>> letters =
                    session.entryPoints().deadLetters().list(session.settings());
            if (json) {
                Json.print(session.out(), letters);
            } else if (letters.isEmpty()) {
                session.out().println("No dead letters.");
            } else {
                TextTable.print(session.out(), letters);
            }
            return 0;
        }
    }
}
