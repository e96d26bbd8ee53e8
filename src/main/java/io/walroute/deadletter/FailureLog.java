package io.walroute.deadletter;

import io.walroute.change.ChangeContext;
import io.walroute.change.ChangeEvent;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;

/**
 * Says what is parked and what is dead: the first of a sink in a line of its own, and when more follow, how many they were in
 * one line each ten seconds. A sink that is away fails thousands. Safe to use from any thread.
 */
final class FailureLog {
    private static final Duration PERIOD = Duration.ofSeconds(10);

    private static final class Sink {
        private final Flood parked = new Flood(PERIOD);
        private final Flood untried = new Flood(PERIOD);
        private final Flood dead = new Flood(PERIOD);
        private volatile String lastCause = "";
        private volatile String lastReason = "";
    }

    private final Logger log;
    private final Map<String, Sink> sinks = new ConcurrentHashMap<>();

    /** @param log who speaks */
    FailureLog(Logger log) {
        this.log = log;
    }

    void parked(String sink, ChangeEvent event, Failure failure) {
        Sink of = sinks.computeIfAbsent(sink, name -> new Sink());
        boolean tried = failure.attempts() > 0;
        if (tried) {
            of.lastCause = failure.cause();
        } else {
            of.lastReason = failure.cause();
        }
        if (!(tried ? of.parked : of.untried).say(System.nanoTime())) {
            return;
        }
        try (var context = ChangeContext.of(event, tried ? failure.route() : sink)) {
            log.warn(
                    "Parked change {} of {} at {} for {} {}: {}",
                    event.id(),
                    event.qualifiedTable(),
                    event.lsn(),
                    sink,
                    tried
                            ? "after " + failure.attempts() + (failure.attempts() == 1 ? " attempt" : " attempts")
                            : "without an attempt",
                    failure.cause());
        }
    }

    void dead(String sink, ChangeEvent event, String route) {
        Sink of = sinks.computeIfAbsent(sink, name -> new Sink());
        if (!of.dead.say(System.nanoTime())) {
            return;
        }
        try (var context = ChangeContext.of(event, route)) {
            log.error(
                    "Change {} of table {} at {} had its last attempt for {} and is dead: it stays until it is redriven or"
                            + " discarded. See: walroute dead-letters list --state dead",
                    event.id(),
                    event.qualifiedTable(),
                    event.lsn(),
                    sink);
        }
    }

    /** To be called about once a second. */
    void sumUp() {
        long now = System.nanoTime();
        sinks.forEach((sink, of) -> sumUp(sink, of, of.parked.rest(now), of.untried.rest(now), of.dead.rest(now)));
    }

    /** Nothing is left unsaid at the end. */
    void close() {
        long now = System.nanoTime();
        sinks.forEach((sink, of) -> sumUp(sink, of, of.parked.all(now), of.untried.all(now), of.dead.all(now)));
    }

    private void sumUp(String sink, Sink of, long parked, long untried, long dead) {
        if (parked > 0) {
            log.warn(
                    "Parked {} more for {} since the last such line, the last one: {}",
                    changes(parked),
                    sink,
                    of.lastCause);
        }
        if (untried > 0) {
            log.warn(
                    "Parked {} more for {} without an attempt since the last such line, the last one: {}",
                    changes(untried),
                    sink,
                    of.lastReason);
        }
        if (dead > 0) {
            log.error(
                    "{} more had their last attempt for {} and are dead. See: walroute dead-letters list --state dead",
                    changes(dead),
                    sink);
        }
    }

    private static String changes(long count) {
        return String.format(java.util.Locale.ROOT, "%,d %s", count, count == 1 ? "change" : "changes");
    }
}
