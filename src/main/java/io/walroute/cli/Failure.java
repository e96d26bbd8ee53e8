package io.walroute.cli;

import java.util.List;

/** What ends a command: its exit code and what to say on stderr, each line a cause with its fix. */
public final class Failure extends RuntimeException {
    /** The command did not do what it should. */
    public static final int FAILED = 1;
    /** Somebody has to correct a setting or the command line first. */
    public static final int MISCONFIGURED = 2;

    private final int exitCode;
    private final transient List<String> lines;

    public Failure(int exitCode, List<String> lines, Throwable cause) {
        super(String.join("\n", lines), cause);
        this.exitCode = exitCode;
        this.lines = List.copyOf(lines);
    }

    public Failure(int exitCode, String line) {
        this(exitCode, List.of(line), null);
    }

    /** The same where it ended a wait for something that the service does, and does not end that. */
    Failure whileWaiting(String whatGoesOn) {
        return new Failure(FAILED, List.of(String.join("; ", lines) + ". " + whatGoesOn), this);
    }

    public int exitCode() {
        return exitCode;
    }

    public List<String> lines() {
        return lines;
    }
}
