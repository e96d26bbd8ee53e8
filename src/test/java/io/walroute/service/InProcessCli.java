package io.walroute.service;

import io.walroute.cli.Cli;
import io.walroute.cli.EntryPoints;
import io.walroute.testing.JsonSchemas;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Runs commands in this JVM as the process would, and keeps what the last one printed. With {@code --json} that must follow its
 * schema.
 */
final class InProcessCli {
    private final Map<String, String> environment;
    private final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    private final ByteArrayOutputStream stderr = new ByteArrayOutputStream();

    /** @param environment as it is at each call; the home is this project unless it says otherwise */
    InProcessCli(Map<String, String> environment) {
        this.environment = environment;
    }

    /** @return the exit code */
    int run(String... args) {
        stdout.reset();
        stderr.reset();
        var values = new LinkedHashMap<>(environment);
        values.putIfAbsent("WALROUTE_HOME", Path.of("").toAbsolutePath().toString());
        int code = new Cli(
                        new PrintStream(stdout, true, StandardCharsets.UTF_8),
                        new PrintStream(stderr, true, StandardCharsets.UTF_8),
                        values,
                        new EntryPoints(
                                null,
                                null,
                                new StoredDeadLetters(),
                                Commands.slots(),
                                new Diagnosis(),
                                Commands::beside))
                .run(args);
        JsonSchemas.checkOutput(out(), args);
        return code;
    }

    String out() {
        return stdout.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return stderr.toString(StandardCharsets.UTF_8);
    }
}
