package io.walroute.change;

import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets routes go on, after an answer came, on other threads than those that bring answers: what a route does next may block.
 *
 * <p>One thread runs all that come meanwhile, one after the other, since to wake a thread costs more than most of them take. One that
 * blocks holds the others up for some milliseconds: then a second thread goes on with them, and so on up to all. From any thread.
 */
public final class Continuations {
    private static final Logger LOG = LoggerFactory.getLogger(Continuations.class);
    private static final long PATIENCE_MILLIS = 2;

    private final Executor executor;
    private final int threads;
    private final Executor later;
    private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();
    private final AtomicInteger working = new AtomicInteger();
    private final AtomicBoolean watched = new AtomicBoolean();

    /**
     * @param executor runs at most {@code threads} tasks of this; once it refuses them, continuations run where they are added
     */
    public Continuations(Executor executor, int threads) {
        this.executor = executor;
        this.threads = threads;
        later = CompletableFuture.delayedExecutor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS, Runnable::run);
    }

    public void add(Runnable continuation) {
        waiting.add(continuation);
        if (working.compareAndSet(0, 1)) {
            start();
        } else {
            watch();
        }
    }

    private void start() {
        try {
            executor.execute(this::work);
        } catch (RejectedExecutionException stopping) {
            work();
        }
    }

    private void work() {
        do {
            Runnable next;
            while ((next = waiting.poll()) != null) {
                run(next);
            }
            working.decrementAndGet();
            // What was added after the last look counted on this thread.
        } while (!waiting.isEmpty() && working.compareAndSet(0, 1));
    }

    private static void run(Runnable continuation) {
        try {
            continuation.run();
        } catch (RuntimeException | Error e) {
            // Those that wait behind it are other changes'.
            LOG.error("A route could not go on", e);
        }
    }

    /** As long as something waits, somebody looks whether the threads that work get on. */
    private void watch() {
        if (!watched.getAndSet(true)) {
            later.execute(this::look);
        }
    }

    private void look() {
        watched.set(false);
        if (waiting.isEmpty()) {
            return;
        }
        int now = working.get();
        if (now < threads && working.compareAndSet(now, now + 1)) {
            start();
        }
        watch();
    }
}
