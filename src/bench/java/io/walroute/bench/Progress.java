package io.walroute.bench;

import java.time.LocalTime;
import java.time.temporal.ChronoUnit;

/** What happens at the moment, for whoever waits: on stderr, since stdout is the report's. */
final class Progress {
    private Progress() {}

    static void say(String line) {
        System.err.println(LocalTime.now().truncatedTo(ChronoUnit.SECONDS) + " " + line);
    }
}
