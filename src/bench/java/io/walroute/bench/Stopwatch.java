package io.walroute.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Times a reader that runs as a service: from its sink's first change, or from where the warm-up ends, until its sink holds all and
 * its slot is past the end.
 */
final class Stopwatch {
    private static final long PROGRESS_EVERY = TimeUnit.MILLISECONDS.toNanos(250);
    private static final long PATIENCE = TimeUnit.MINUTES.toNanos(5);

    /** Looks at something outside. */
    @FunctionalInterface
    interface Question {
        boolean ask() throws Exception;
    }

    private final Ground ground;
    private final Child child;
    private final List<double[]> progress = new ArrayList<>();
    private final long started = System.nanoTime();
    private long first;
    private long begin;
    private long end;
    /** Changes of the warm-up, as many as there were when the time began. */
    private long before;

    private double cpuAtBegin;
    private long held;
    private double cpuAtEnd;

    /** @param child just started */
    Stopwatch(Ground ground, Child child) {
        this.ground = ground;
        this.child = child;
    }

    Stopwatch awaitFirst(Question begun) throws Exception {
        while (!begun.ask()) {
            child.check();
            if (System.nanoTime() - started > PATIENCE) {
                throw new IOException("no change came through" + child.tail());
            }
            LockSupport.parkNanos(2_000_000);
        }
        first = System.nanoTime();
        begin = first;
        cpuAtBegin = child.cpuSeconds();
        return this;
    }

    /** How many changes have come through. */
    @FunctionalInterface
    interface Count {
        long ask() throws Exception;
    }

    /** Begins only once the warm-up is through; does nothing without one. */
    Stopwatch awaitWarm(Count changes) throws Exception {
        if (ground.warmUp() == 0) {
            return this;
        }
        while ((before = changes.ask()) < ground.warmUp()) {
            child.check();
            LockSupport.parkNanos(20_000_000);
        }
        begin = System.nanoTime();
        cpuAtBegin = child.cpuSeconds();
        return this;
    }

    /**
     * Until the slot is past the end, noting when the sink had the last change: a slot is moved only now and then.
     *
     * @param sinkHolds whether it has
     */
    Stopwatch awaitAcknowledged(Question sinkHolds) throws Exception {
        return awaitEnd(() -> {
            if (held == 0 && sinkHolds.ask()) {
                held = System.nanoTime();
            }
            return held != 0 && ground.isConfirmed();
        });
    }

    /** From the first change until the sink had the last. */
    double heldSeconds() {
        return ((held == 0 ? end : held) - begin) / 1e9;
    }

    /** @param complete asked until it says so; cheap, since it costs the reader time that it is measured by */
    Stopwatch awaitEnd(Question complete) throws Exception {
        long nextProgress = begin + PROGRESS_EVERY;
        long lastMove = begin;
        long lastConfirmed = 0;
        while (!complete.ask()) {
            child.check();
            long now = System.nanoTime();
            if (now >= nextProgress) {
                long confirmed = ground.confirmed();
                progress.add(new double[] {(now - begin) / 1e9, ground.tally().changesUpTo(confirmed) - before});
                lastMove = confirmed == lastConfirmed ? lastMove : now;
                lastConfirmed = confirmed;
                nextProgress = now + PROGRESS_EVERY;
                if (now - lastMove > PATIENCE) {
                    throw new IOException("the slot has not moved for five minutes" + child.tail());
                }
            }
            LockSupport.parkNanos(10_000_000);
        }
        end = System.nanoTime();
        cpuAtEnd = child.cpuSeconds();
        progress.add(new double[] {(end - begin) / 1e9, ground.tally().changes() - before});
        return this;
    }

    Drain drain(String reader, int round, Map<String, Object> figures, String fault) {
        return new Drain(
                reader,
                round,
                ground.tally().changes() - before,
                (end - begin) / 1e9,
                cpuAtEnd - cpuAtBegin,
                (first - started) / 1e9,
                progress,
                figures,
                fault);
    }
}
