package io.walroute.cli;

import io.walroute.logging.Logging;
import io.walroute.settings.Settings;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Map;

/** One call of the command line: what surrounds it, and the options that all commands share. */
final class Session {
    private final PrintStream out;
    private final Map<String, String> environment;
    private final EntryPoints entryPoints;
    private Path homeOption;
    private boolean verbose;

    Session(PrintStream out, Map<String, String> environment, EntryPoints entryPoints) {
        this.out = out;
        this.environment = environment;
        this.entryPoints = entryPoints;
    }

    PrintStream out() {
        return out;
    }

    EntryPoints entryPoints() {
        return entryPoints;
    }

    void useHome(Path home) {
        homeOption = home;
    }

    void beVerbose() {
        verbose = true;
    }

    boolean isVerbose() {
        return verbose;
    }

    Path home() {
        return Settings.home(homeOption, environment);
    }

    /** From here on log lines look as the settings say. */
    Settings settings() {
        Settings settings = Settings.load(home(), environment);
        Logging.configure(settings.logFormat(), verbose);
        return settings;
    }
}
