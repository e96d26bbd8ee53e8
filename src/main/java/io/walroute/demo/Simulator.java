package io.walroute.demo;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/**
 * Makes marketplace traffic in the four tables: listings are made, repriced, sold, cancelled and deleted, offers come and
 * go, names change hands, OpenSea's events arrive; in transactions of one to some twenty changes over several connections,
 * with hot rows, out-of-line jsonb, rolled-back transactions and savepoints; if wanted, now and then one of hundreds of rows.
 *
 * <p>{@link #run} blocks until its limits are reached or {@link #stop()} is called from another thread.
 */
public final class Simulator {
    /**
     * How far the traffic is.
     *
     * @param byKind committed row changes by table and operation, as {@code listings.UPDATE}
     */
    public record Progress(
            long changes, long transactions, long rollbacks, Duration elapsed, Map<String, Long> byKind) {
        /** What came after another look at the same traffic. */
        public Progress since(Progress before) {
            Map<String, Long> kinds = new TreeMap<>();
            byKind.forEach((kind, count) -> {
                long more = count - before.byKind.getOrDefault(kind, 0L);
                if (more > 0) {
                    kinds.put(kind, more);
                }
            });
            return new Progress(
                    changes - before.changes,
                    transactions - before.transactions,
                    rollbacks - before.rollbacks,
                    elapsed.minus(before.elapsed),
                    kinds);
        }
    }

    /** Is told about once a second, by the thread that runs the simulator. */
    @FunctionalInterface
    public interface ProgressListener {
        void progress(Progress progress);
    }

    /**
     * A transaction that is about to be committed.
     *
     * @param xid 32 bits, as the stream has it
     * @param changes how many rows it changes
     * @param inserted the rows that it inserts into tables with generated ids, as {@code listings:42}
     * @param lateNanos how much later it was begun than the rate wanted it
     */
    public record Transaction(long xid, int changes, List<String> inserted, long lateNanos) {}

    /**
     * Follows each transaction, on the thread that makes it. While there is one, stalls are made up for however long they were,
     * so that lateness means something.
     */
    public interface Watcher {
        /** Before the commit: what comes of it may be seen before {@link #committed} is called. */
        void committing(Transaction transaction);

        /** @param nanoTime when the server had confirmed it */
        void committed(Transaction transaction, long nanoTime);

        /** It was rolled back after all. */
        void failed(Transaction transaction);
    }

    private final SimulatorSettings settings;
    private final Watcher watcher;
    private final Map<String, LongAdder> byKind = new ConcurrentHashMap<>();
    private final LongAdder changes = new LongAdder();
    private final LongAdder transactions = new LongAdder();
    private final LongAdder rollbacks = new LongAdder();
    private final List<Long> hotListings = new CopyOnWriteArrayList<>();
    private final AtomicReference<SQLException> failure = new AtomicReference<>();
    private final CountDownLatch stop = new CountDownLatch(1);
    private long begin;

    public Simulator(SimulatorSettings settings) {
        this(settings, null);
    }

    /** @param watcher null for none */
    public Simulator(SimulatorSettings settings, Watcher watcher) {
        this.settings = settings;
        this.watcher = watcher;
    }

    public static Progress run(SimulatorSettings settings, ProgressListener listener)
            throws SQLException, InterruptedException {
        return new Simulator(settings).run(listener);
    }

    /**
     * Commits exactly {@code changes} mixed changes as fast as one connection can, set by set: a backlog for a benchmark.
     *
     * @param connection its autocommit and synchronous_commit are changed
     */
    public static void backlog(Connection connection, long changes, long seed) throws SQLException {
        new Backlog(connection, seed).make(changes);
    }

    /** @throws SQLException if the database refuses something; deadlocks with the service's own writes are no failure */
    public Progress run(ProgressListener listener) throws SQLException, InterruptedException {
        begin = System.nanoTime();
        var root = new SplittableRandom(settings.seed());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < settings.connections(); i++) {
            SplittableRandom random = root.split();
            long share = shareOf(i);
            threads.add(new Thread(() -> trade(random, share), "simulator-" + i));
        }
        try {
            threads.forEach(Thread::start);
            while (threads.stream().anyMatch(Thread::isAlive)) {
                boolean over = settings.duration() != null && elapsed().compareTo(settings.duration()) >= 0;
                if (over || stop.await(waitMillis(), TimeUnit.MILLISECONDS)) {
                    break;
                }
                if (threads.stream().anyMatch(Thread::isAlive)) {
                    listener.progress(progress());
                }
            }
        } finally {
            stop.countDown();
            for (Thread thread : threads) {
                thread.join();
            }
        }
        listener.progress(progress());
        if (failure.get() != null) {
            throw failure.get();
        }
        return progress();
    }

    /** Lets the transactions under way end; returns at once. */
    public void stop() {
        stop.countDown();
    }

    public Progress progress() {
        Map<String, Long> kinds = new TreeMap<>();
        byKind.forEach((kind, count) -> kinds.put(kind, count.sum()));
        return new Progress(changes.sum(), transactions.sum(), rollbacks.sum(), elapsed(), kinds);
    }

    private Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - begin);
    }

    private long waitMillis() {
        if (settings.duration() == null) {
            return 1000;
        }
        long left = settings.duration().minus(elapsed()).toMillis() + 1;
        return Math.max(1, Math.min(1000, left));
    }

    /** Whole changes for each connection, so that what it does doesn't depend on how fast the others are. */
    private long shareOf(int index) {
        if (settings.changes() == 0) {
            return Long.MAX_VALUE;
        }
        long rest = settings.changes() % settings.connections();
        return settings.changes() / settings.connections() + (index < rest ? 1 : 0);
    }

    private void trade(SplittableRandom random, long share) {
        try (Connection connection = DriverManager.getConnection(settings.jdbcUrl());
                var trades = new Trades(connection)) {
            var trader = new Trader(trades, random, hotListings);
            double rate = settings.ratePerSecond() / settings.connections();
            var importer = new Importer(trades, random, rate);
            var pace = watcher == null ? new Pace(rate, System.nanoTime()) : Pace.keeping(rate, System.nanoTime());
            long left = share;
            for (long number = 1; left > 0; number++) {
                boolean large =
                        settings.largeEvery() > 0 && number % settings.largeEvery() == settings.largeEvery() / 2;
                Work work = large ? importer::trade : trader::trade;
                long late = pace.lateNanos(System.nanoTime());
                int committed = tradeOnce(work, trades, random, (int) Math.min(left, 1000), late);
                left -= committed;
                long wait = pace.waitAfter(committed, System.nanoTime());
                if (stop.await(wait, TimeUnit.NANOSECONDS)) {
                    return;
                }
            }
        } catch (SQLException e) {
            failure.compareAndSet(null, e);
            stop.countDown();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The statements of one transaction, without its end. */
    @FunctionalInterface
    private interface Work {
        void trade(int most) throws SQLException;
    }

    private int tradeOnce(Work work, Trades trades, SplittableRandom random, int most, long lateNanos)
            throws SQLException {
        Transaction watched = null;
        try {
            work.trade(most);
            if (random.nextInt(33) == 0) {
                trades.rollback();
                rollbacks.increment();
                return 0;
            }
            if (watcher != null && trades.changes() > 0) {
                watched = trades.describe(lateNanos);
                watcher.committing(watched);
            }
            List<String> committed = trades.commit();
            if (watched != null) {
                watcher.committed(watched, System.nanoTime());
            }
            if (!committed.isEmpty()) {
                transactions.increment();
                changes.add(committed.size());
                committed.forEach(kind ->
                        byKind.computeIfAbsent(kind, k -> new LongAdder()).increment());
            }
            return committed.size();
        } catch (SQLException e) {
            if (watched != null) {
                watcher.failed(watched);
            }
            trades.rollback();
            if (!isSerialisation(e)) {
                throw e;
            }
            rollbacks.increment();
            return 0;
        }
    }

    /** A deadlock or serialization failure: what the service writes back may wait for us while we wait for it. */
    private static boolean isSerialisation(SQLException e) {
        return e.getSQLState() != null && e.getSQLState().startsWith("40");
    }
}
