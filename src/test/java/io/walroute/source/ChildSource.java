package io.walroute.source;

import io.walroute.change.ChangeEvent;
import io.walroute.testing.Postgres;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TimeZone;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A source in a JVM of its own, for what can't be had in the tests' one: a small heap, another time zone. Prints each change's
 * JSON, or with a pause only the number of changes, and ends after as many as it was told.
 */
final class ChildSource {
    private ChildSource() {}

    /** Arguments: host, port, database, slot, number of changes, pause for each change in microseconds. */
    public static void main(String[] args) throws Exception {
        TimeZone zone = TimeZone.getDefault();
        var db = new Postgres.Database(args[0], Integer.parseInt(args[1]), args[2]);
        int expected = Integer.parseInt(args[4]);
        long pauseMicros = Long.parseLong(args[5]);
        var done = new CountDownLatch(expected);
        var count = new AtomicInteger();
        try (var rig = WalRig.on(db, args[3])) {
            rig.start(exchange -> {
                if (pauseMicros == 0) {
                    System.out.println(exchange.getMessage().getBody(ChangeEvent.class));
                } else {
                    java.util.concurrent.locks.LockSupport.parkNanos(pauseMicros * 1_000);
                }
                count.incrementAndGet();
                done.countDown();
            });
            done.await();
        }
        System.out.println("received " + count + " in zone " + zone.getID());
        System.exit(0);
    }

    /** The child's standard output, once it has ended. */
    static List<String> run(WalRig of, int changes, long pauseMicros, String... jvmOptions)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(jvmOptions));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), ChildSource.class.getName()));
        command.addAll(List.of(
                of.db.host(),
                Integer.toString(of.db.port()),
                of.db.name(),
                of.slot,
                Integer.toString(changes),
                Long.toString(pauseMicros)));
        Process child = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var out = child.inputReader(java.nio.charset.StandardCharsets.UTF_8)) {
            List<String> lines = out.lines().toList();
            child.waitFor();
            return lines;
        } finally {
            child.destroyForcibly();
        }
    }
}
