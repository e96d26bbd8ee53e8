package io.walroute.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Options that stand before or behind the command's name. */
abstract class SharedOptions {
    private final Session session;

    SharedOptions(Session session) {
        this.session = session;
    }

    @Option(
            names = "--home",
            paramLabel = "DIR",
            scope = picocli.CommandLine.ScopeType.INHERIT,
            description =
                    "The folder that holds application.properties and routes/ (default: WALROUTE_HOME, or the current"
                            + " folder).")
    void home(Path home) {
        if (home != null) {
            session.useHome(home);
        }
    }

    @Option(
            names = "--verbose",
            scope = picocli.CommandLine.ScopeType.INHERIT,
            description = "Log more, and print stack traces of errors.")
    void verbose(boolean verbose) {
        if (verbose) {
            session.beVerbose();
        }
    }
}
