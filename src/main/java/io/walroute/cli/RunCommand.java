package io.walroute.cli;

import io.walroute.settings.Settings;
import io.walroute.slot.Finding;
import io.walroute.slot.Finding.Fault;
import io.walroute.slot.ReplicationCheck;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;

@Command(
        name = "run",
        description = "Runs the service until it is stopped (Ctrl-C or SIGTERM); it then finishes what is under way.",
        footer = {"", "Example: DATABASE_URL=postgresql://walroute:secret@localhost:5432/grails walroute run"})
class RunCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(RunCommand.class);

    private static final Set<Fault> OF_GAP =
            Set.of(Fault.SLOT_MISSING, Fault.SLOT_INVALIDATED, Fault.PUBLICATION_MISSING, Fault.NO_FREE_SLOT);

    private final Session session;

    RunCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        return run(false);
    }

    final int run(boolean dev) throws Exception {
        Settings settings = session.settings();
        checkRoutes(settings);
        checkDatabase(settings);
        return session.entryPoints().service().run(settings, dev);
    }

    private static void checkRoutes(Settings settings) {
        if (!Files.isDirectory(settings.routes())) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "There is no folder " + settings.routes()
                            + ". Start walroute in the folder that holds routes/, give --home,"
                            + " or set walroute.routes");
        }
    }

    /** What may pass by itself is waited for by the service; what somebody has to mend ends the start. */
    private void checkDatabase(Settings settings) throws Exception {
        List<Finding> findings = ReplicationCheck.findings(settings.replicationTarget());
        // A slot that was there before is a gap: the service says so, and waits until somebody accepts it.
        boolean gap = findings.stream().anyMatch(finding -> OF_GAP.contains(finding.fault()))
                && session.entryPoints().slots().ranBefore(settings);
        Map<Boolean, List<String>> lines = findings.stream()
                .collect(java.util.stream.Collectors.partitioningBy(
                        finding -> finding.kind() != Finding.Kind.UNREACHABLE
                                && finding.kind() != Finding.Kind.STANDBY
                                && !(gap && OF_GAP.contains(finding.fault())),
                        java.util.stream.Collectors.mapping(Finding::line, java.util.stream.Collectors.toList())));
        if (!lines.get(true).isEmpty()) {
            throw new Failure(Failure.MISCONFIGURED, lines.get(true), null);
        }
        lines.get(false).forEach(LOG::warn);
    }

    @Command(
            name = "dev",
            description = "Runs the service as run does, and loads a route anew when its YAML file is saved.",
            footer = {"", "Example: DATABASE_URL=postgresql://walroute:secret@localhost:5432/grails walroute dev"})
    static final class Dev extends RunCommand {
        Dev(Session session) {
            super(session);
        }

        @Override
        public Integer call() throws Exception {
            return run(true);
        }
    }
}
