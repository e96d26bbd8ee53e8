package io.walroute.cli;

import io.walroute.admin.ApiException;
import io.walroute.settings.SettingsException;
import io.walroute.slot.Finding;
import io.walroute.slot.SlotException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line: which commands there are, and the one place that turns a failure into lines and an exit code. */
public final class Cli {
    private final PrintStream err;
    private final Session session;
    private final CommandLine commands;

    /**
     * @param out what commands print
     * @param err errors; log lines go to the process's own stderr
     */
    public Cli(PrintStream out, PrintStream err, Map<String, String> environment, EntryPoints entryPoints) {
        this.err = err;
        session = new Session(out, environment, entryPoints);
        commands = new CommandLine(new WalrouteCommand(session))
                .addSubcommand(new SetupCommand(session))
                .addSubcommand(new StatusCommand(session))
                .addSubcommand(new DoctorCommand(session))
                .addSubcommand(new ResetCommand(session))
                .addSubcommand(new DropCommand(session))
                .addSubcommand(new RunCommand(session))
                .addSubcommand(new RunCommand.Dev(session))
                .addSubcommand(new DemoCommand(session))
                .addSubcommand(new ReplayCommand(session))
                .addSubcommand(new SkipCommand(session, err))
                .addSubcommand(new BackfillCommand(session))
                .addSubcommand(new MetricsCommand(session))
                .addSubcommand(new PauseCommand.Pause(session))
                .addSubcommand(new PauseCommand.Resume(session))
                .addSubcommand(new SimulateCommand(session))
                .addSubcommand(new LoadCommand(session))
                .addSubcommand(new CommandLine(new DeadLettersCommand())
                        .addSubcommand(new DeadLettersCommand.ListCommand(session))
                        .addSubcommand(new DeadLettersCommand.ShowCommand(session))
                        .addSubcommand(new DeadLetterChange.Redrive(session))
                        .addSubcommand(new DeadLetterChange.Discard(session)));
        addHelp(commands);
        commands.getCommandSpec().addOption(versionOption());
        commands.setOut(new PrintWriter(out, true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(err, true, StandardCharsets.UTF_8))
                .setUsageHelpWidth(100)
                .setUsageHelpAutoWidth(false)
                .setAbbreviatedOptionsAllowed(false)
                .setParameterExceptionHandler((e, args) -> wrongUsage(e))
                .setExecutionExceptionHandler((e, command, result) -> failed(e));
    }

    /** Blocks until the command ends; returns its exit code. */
    public int run(String... args) {
        return commands.execute(args);
    }

    private static void addHelp(CommandLine command) {
        command.getCommandSpec()
                .addOption(CommandLine.Model.OptionSpec.builder("-h", "--help")
                        .usageHelp(true)
                        .description("Print this help.")
                        .build());
        command.getSubcommands().values().forEach(Cli::addHelp);
    }

    private CommandLine.Model.OptionSpec versionOption() {
        commands.getCommandSpec().versionProvider(() -> new String[] {"walroute " + version()});
        return CommandLine.Model.OptionSpec.builder("--version")
                .versionHelp(true)
                .description("Print the version.")
                .build();
    }

    /** From the jar's manifest; classes that were never packed have none. */
    private static String version() {
        String version = Cli.class.getPackage().getImplementationVersion();
        return version == null ? "(not packed)" : version;
    }

    private int wrongUsage(ParameterException e) {
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        String message = e.getMessage().strip().replaceAll("\\s*[\\r\\n]+\\s*", "; ");
        List<String> suggestions =
                e instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions() : List.of();
        err.println(message + (message.endsWith("?") ? " " : ". ")
                + (suggestions.isEmpty() ? "" : "Did you mean " + suggestions.get(0) + "? ") + "See: " + command
                + " --help");
        return Failure.MISCONFIGURED;
    }

    private int failed(Exception e) {
        Failure failure = explain(e);
        failure.lines().forEach(err::println);
        if (session.isVerbose()) {
            e.printStackTrace(err);
        }
        return failure.exitCode();
    }

    private Failure explain(Exception e) {
        if (e instanceof Failure failure) {
            return failure;
        }
        if (e instanceof SettingsException settings) {
            return new Failure(Failure.MISCONFIGURED, settings.problems(), e);
        }
        if (e instanceof ApiException api) {
            boolean wrong = api.status() == 400;
            return new Failure(wrong ? Failure.MISCONFIGURED : Failure.FAILED, List.of(api.getMessage()), e);
        }
        if (e instanceof SlotException slot) {
            boolean passing = slot.finding().kind() == Finding.Kind.UNREACHABLE;
            return new Failure(
                    passing ? Failure.FAILED : Failure.MISCONFIGURED,
                    List.of(slot.finding().line()),
                    e);
        }
        String message = e.getMessage() == null ? e.toString() : e.getMessage();
        return new Failure(
                Failure.FAILED,
                List.of(message.strip().replaceAll("\\s*[\\r\\n]+\\s*", "; ")
                        + (session.isVerbose() ? "" : " (--verbose shows where)")),
                e);
    }
}
