package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A reader that ends by itself with the backlog's last change, and says how long it took: {@code DONE changes before seconds cpu-seconds},
 * where those before the time began are among the changes.
 */
final class OneShot {
    private OneShot() {}

    static Drain drain(String reader, int round, List<String> command, Path folder, Ground ground) throws Exception {
        Path log = ground.folder().resolve(reader + ".log");
        try (Child child = Child.start(command, Map.of(), folder, log)) {
            child.await(Duration.ofMinutes(60));
            String[] words = child.output()
                    .lines()
                    .filter(line -> line.startsWith("DONE "))
                    .findFirst()
                    .orElseThrow(() -> new IOException("it said nothing"))
                    .split(" ");
            long changes = Long.parseLong(words[1]);
            return new Drain(
                    reader,
                    round,
                    changes - Long.parseLong(words[2]),
                    Double.parseDouble(words[3]),
                    Double.parseDouble(words[4]),
                    0,
                    List.of(),
                    Map.of(),
                    changes == ground.tally().changes() ? null : "it read " + changes + " changes");
        }
    }
}
