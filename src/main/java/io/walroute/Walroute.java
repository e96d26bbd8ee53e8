package io.walroute;

import io.walroute.cli.Cli;
import io.walroute.cli.EntryPoints;
import io.walroute.service.Commands;
import io.walroute.service.Diagnosis;
import io.walroute.service.StoredDeadLetters;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.TimeZone;

/** The program. */
public final class Walroute {
    private Walroute() {}

    public static void main(String[] args) {
        // Before any other class sees a time: Debezium's and pgjdbc's texts of timestamptz[] follow the JVM's zone.
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        var out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        var err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        var entryPoints = new EntryPoints(
                Commands::run,
                Commands::demo,
                new StoredDeadLetters(),
                Commands.slots(),
                new Diagnosis(),
                Commands::beside);
        System.exit(new Cli(out, err, System.getenv(), entryPoints).run(args));
    }
}
