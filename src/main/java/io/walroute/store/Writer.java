package io.walroute.store;

import io.walroute.store.Store.Write;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store's only writer: takes what is queued, up to {@value #MOST_WRITES} writes to a transaction, commits as soon as
 * nothing more is queued, and reports each write on the callback thread, in order.
 *
 * <p>While one transaction is being committed the next writes gather: a slow disk makes transactions larger, not the queue
 * longer. A write leaves {@code current} only when it is on disk, refused, or the store is closed.
 */
final class Writer {
    /** As many as keep a transaction of audit rows at some 60 ms on this project's bench. */
    private static final int MOST_WRITES = 4000;

    private static final Duration FIRST_BACKOFF = Duration.ofMillis(100);
    private static final Duration LONGEST_BACKOFF = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(Store.class);

    /** @param insists whether the write must get onto disk, however long it takes; else any failure of its own ends it */
    record Entry(Write write, Runnable onDisk, Consumer<Exception> onRefused, boolean insists) {}

    private final Database database;
    private final LinkedBlockingQueue<Entry> queue = new LinkedBlockingQueue<>();
    private final AtomicInteger pending = new AtomicInteger();
    private final ExecutorService callbacks;
    private final Thread thread;

    /** Guards the step from open to closed: no entry may slip into the queue after the writer looked for the last time. */
    private final Object closing = new Object();

    private final CountDownLatch closeAsked = new CountDownLatch(1);
    private boolean closed;
    private volatile boolean givenUp;
    private final Turns turns = new Turns(System.nanoTime()); // the writer's own
    private volatile String problem;
    private long problemSinceNanos;

    private Transaction transaction;

    Writer(Database database) {
        this.database = database;
        callbacks = Executors.newSingleThreadExecutor(work -> thread(work, "store-callbacks"));
        thread = thread(this::run, "store-writer");
        thread.start();
    }

    private static Thread thread(Runnable work, String name) {
        var thread = new Thread(work, name);
        thread.setDaemon(true);
        return thread;
    }

    void submit(Entry entry) {
        synchronized (closing) {
            if (!closed) {
                pending.incrementAndGet();
                queue.add(entry);
                return;
            }
        }
        entry.onRefused.accept(storeClosed());
    }

    Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    int pending() {
        return pending.get();
    }

    static void warnOfRefusal(Exception reason) {
        LOG.warn("A write was refused and left out: {}", reason.getMessage());
    }

    private void run() {
        var current = new ArrayList<Entry>(MOST_WRITES);
        try {
            while (take(current)) {
                long from = System.nanoTime();
                writeUntilDone(current);
                current.clear();
                letOthersIn(from);
            }
        } finally {
            refuseAll(current);
            disconnect();
        }
    }

    private void letOthersIn(long heldSinceNanos) {
        if (database.isSqlite() && closeAsked.getCount() > 0) {
            long rest = turns.restAfter(heldSinceNanos, System.nanoTime(), queue.size());
            awaitClose(rest);
        }
    }

    private void awaitClose(long nanos) {
        try {
            if (nanos > 0) {
                closeAsked.await(nanos, TimeUnit.NANOSECONDS);
            }
        } catch (InterruptedException notByUs) {
            LOG.debug("The store's writer was interrupted and goes on");
        }
    }

    /** Waits for writes; false once the store is closed and none is left. */
    private boolean take(List<Entry> current) {
        while (!givenUp && !(closeAsked.getCount() == 0 && queue.isEmpty())) {
            try {
                current.add(queue.take());
                queue.drainTo(current, MOST_WRITES - 1);
                return true;
            } catch (InterruptedException notByUs) {
                LOG.debug("The store's writer was interrupted and goes on");
            }
        }
        return false;
    }

    private void writeUntilDone(List<Entry> current) {
        Duration backoff = FIRST_BACKOFF;
        while (!givenUp) {
            try {
                Map<Entry, Exception> refused = commit(current);
                problemIsOver(current.size());
                report(current, refused);
                return;
            } catch (SQLException | RuntimeException | Error e) {
                // Errors too (no memory, most likely): a dead writer would never write again.
                problemIs(e);
                disconnect();
                pause(backoff);
                backoff = backoff.multipliedBy(2).compareTo(LONGEST_BACKOFF) < 0
                        ? backoff.multipliedBy(2)
                        : LONGEST_BACKOFF;
            }
        }
    }

    /** One transaction of all; if one of them is to blame for a failure, of all but that. */
    private Map<Entry, Exception> commit(List<Entry> current) throws SQLException {
        connect();
        transaction.begin();
        try {
            for (Entry entry : current) {
                entry.write.apply(transaction);
            }
            transaction.commit();
            return Map.of();
        } catch (SQLException | RuntimeException e) {
            if (current.stream().noneMatch(entry -> isEnd(entry, e))) {
                throw e;
            }
            transaction.rollback();
            transaction.begin();
            return commitAllButRefused(current);
        }
    }

    private Map<Entry, Exception> commitAllButRefused(List<Entry> current) throws SQLException {
        Map<Entry, Exception> refused = new IdentityHashMap<>();
        for (Entry entry : current) {
            Exception reason = transaction.applyOrUndo(entry.write, e -> isEnd(entry, e));
            if (reason != null) {
                refused.put(entry, reason);
            }
        }
        transaction.commit();
        return refused;
    }

    private static boolean isEnd(Entry entry, Exception e) {
        return Database.isRefusal(e) || !entry.insists;
    }

    private void connect() throws SQLException {
        if (transaction != null && database.wasReplaced()) {
            disconnect();
        }
        if (transaction == null) {
            database.defineAgainIfNew();
            transaction = new Transaction(database);
        }
    }

    private void disconnect() {
        if (transaction != null) {
            transaction.close();
            transaction = null;
        }
    }

    private void report(List<Entry> current, Map<Entry, Exception> refused) {
        // A copy: the writer fills its list again while these run.
        var written = List.copyOf(current);
        callbacks.execute(() -> {
            for (Entry entry : written) {
                pending.decrementAndGet();
                Exception reason = refused.get(entry);
                call(reason == null ? entry.onDisk : () -> entry.onRefused.accept(reason));
            }
        });
    }

    private static void call(Runnable callback) {
        try {
            callback.run();
        } catch (RuntimeException e) {
            // The write is on disk whatever its submitter makes of that; the other callbacks must still run.
            LOG.warn("A callback of the store failed: {}", e.toString(), e);
        }
    }

    private void problemIs(Throwable e) {
        String line = database.explain(e);
        if (problem == null) {
            problemSinceNanos = System.nanoTime();
            LOG.warn("{}; {} writes wait, nothing is settled meanwhile", line, pending.get());
        }
        problem = line;
    }

    private void problemIsOver(int writes) {
        if (problem != null) {
            problem = null;
            long seconds =
                    Duration.ofNanos(System.nanoTime() - problemSinceNanos).toSeconds();
            LOG.info(
                    "The store {} can be written again after {} s: {} writes are on disk, {} wait",
                    database,
                    seconds,
                    writes,
                    pending.get() - writes);
        }
    }

    private void pause(Duration backoff) {
        try {
            if (closeAsked.await(backoff.toMillis(), TimeUnit.MILLISECONDS)) {
                // Closing: the last tries follow each other quickly.
                Thread.sleep(FIRST_BACKOFF.toMillis());
            }
        } catch (InterruptedException notByUs) {
            LOG.debug("The store's writer was interrupted and goes on");
        }
    }

    private void refuseAll(List<Entry> current) {
        queue.drainTo(current);
        if (!current.isEmpty()) {
            LOG.warn("The store {} was closed before {} writes were on disk", database, current.size());
            Map<Entry, Exception> refused = new IdentityHashMap<>();
            current.forEach(entry -> refused.put(entry, storeClosed()));
            report(current, refused);
            current.clear();
        }
    }

    private IllegalStateException storeClosed() {
        return new IllegalStateException("the store " + database + " is closed");
    }

    void close(Duration drain) {
        synchronized (closing) {
            closed = true;
            closeAsked.countDown();
            // The last entry does nothing: it wakes the writer, which must find the close asked for when it has done
            // it.
            pending.incrementAndGet();
            queue.add(new Entry(session -> {}, () -> {}, reason -> {}, false));
        }
        join(drain);
        givenUp = true;
        join(Duration.ofSeconds(2));
        callbacks.shutdown();
        try {
            callbacks.awaitTermination(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void join(Duration atMost) {
        try {
            thread.join(atMost.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
