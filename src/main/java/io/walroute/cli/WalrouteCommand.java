package io.walroute.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "walroute",
        description =
                "Routes every committed row change of a PostgreSQL database to a cache, to WebSocket clients, to webhooks"
                        + " and to an audit log.",
        footer = {
            "",
            "Try it:              walroute demo",
            "Your own database:   walroute setup, then walroute run",
            "",
            "Settings are in application.properties of the home folder; environment variables override them.",
            "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."
        })
final class WalrouteCommand extends SharedOptions implements Runnable {
    @Spec
    private CommandSpec spec;

    WalrouteCommand(Session session) {
        super(session);
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "Which command? One of: " + String.join(", ", spec.subcommands().keySet()));
    }
}
