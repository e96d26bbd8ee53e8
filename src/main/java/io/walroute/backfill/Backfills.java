package io.walroute.backfill;

import io.walroute.backfill.Backfill.State;
import io.walroute.backfill.BackfillLog.Asked;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.slot.TableName;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads tables' rows and sends them through the cache route beside the stream: one table after another, some rows at a time, each
 * read in a snapshot of its own. After a restart it goes on behind the last rows that were delivered or parked.
 *
 * <p>Rows carry a version that no change still to be streamed can be older than: the slot's {@code restart_lsn} as it was before
 * their snapshot. So whatever is streamed later beats them, however long ago its transaction began; and whatever was acknowledged
 * before, they beat, since the snapshot sees it.
 *
 * <p>One thread does the work; the other methods are for any thread.
 */
public final class Backfills implements AutoCloseable {
    /** How rows are sent. */
    @FunctionalInterface
    public interface Routes {
        /**
         * Returns once every step that waits for no sink is done.
         *
         * @param reached is run if a route leads the row to the cache
         * @param ended gets null once it is delivered or parked, or why it could be neither; on any thread
         */
        void send(ChangeEvent event, Runnable reached, Consumer<Throwable> ended) throws Exception;
    }

    /** The cache as a whole. */
    public interface Cache {
        /** What the cache's marker says now, so that {@link #filled} can tell if the cache was emptied meanwhile. */
        String marker() throws BackfillException;

        /**
         * All its tables were read since the marker said this.
         *
         * @return false if it says something else now
         */
        boolean filled(String marker) throws BackfillException;

        /**
         * Removes the table's entries that are older.
         *
         * @param keyColumns how many columns its key has
         * @return how many there were
         */
        long prune(TableName table, int keyColumns, Version before) throws BackfillException;
    }

    /** Where the stream stands. */
    public interface Stream {
        /** A version that no change still to be streamed can be older than; empty if there is none at present. */
        Optional<Version> oldestToCome() throws SQLException;

        /** The transactions of the changes that were streamed lately. */
        Collection<Long> lastTransactions() throws SQLException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(Backfills.class);
    // Well below what a lane holds: live changes must find room beside these.
    private static final int MOST_ROWS = 500;
    private static final long MOST_BYTES = 4 << 20;
    private static final Duration IDLE = Duration.ofSeconds(2);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final Duration UNSEEN = Duration.ofMillis(20);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
    private static final Duration STOP = Duration.ofSeconds(10);

    private final BackfillLog log;
    private final TableReader reader;
    private final Routes routes;
    private final Cache cache;
    private final Stream stream;
    private final Predicate<TableName> cached;
    private final BooleanSupplier mayRun;
    private final Thread worker = new Thread(this::work, "backfill");
    private final Semaphore awake = new Semaphore(0);
    private final AtomicLong read = new AtomicLong();
    private volatile boolean closed;
    /** What holds up the backfill under way; null if nothing does. */
    private volatile String problem;

    private volatile long cancelled;

    // The worker's own.
    private long underWay;
    private long rowBytes;
    private long nextSend;
    private int failures;

    /**
     * @param database gives values in the stream's forms
     * @param cached which published tables go to the cache
     * @param mayRun whether changes get through at present; rows wait while they don't
     */
    public Backfills(
            Store store,
            DataSource database,
            String publication,
            Routes routes,
            Cache cache,
            Stream stream,
            Predicate<TableName> cached,
            BooleanSupplier mayRun)
            throws SQLException {
        log = new BackfillLog(store);
        reader = new TableReader(database, publication);
        this.routes = routes;
        this.cache = cache;
        this.stream = stream;
        this.cached = cached;
        this.mayRun = mayRun;
        worker.setDaemon(true);
    }

    /** Begins with what an earlier process left unfinished. */
    public void start() {
        worker.start();
    }

    // ---------------------------------------------------------------- what is asked for

    /**
     * Begins a backfill of each table and returns at once.
     *
     * @param by who asks for it
     * @return one for each table, in their order
     * @throws BackfillException if one of them can't be done; none has begun then
     * @throws IllegalArgumentException if there is no such table, or the condition can't be used
     */
    public synchronized List<Backfill> start(BackfillRequest request, String by)
            throws BackfillException, SQLException {
        if (closed) {
            throw new BackfillException("the service is stopping");
        }
        List<Asked> asked = asked(request);
        refuseASecond(asked);
        String marker = cache.marker();
        List<Backfill> added = log.add(asked, request, isWhole(request, asked) ? marker : null, by);
        added.forEach(each -> LOG.info(
                "Backfill {} of {} is asked for by {}: about {} rows",
                each.id(),
                each.table(),
                each.by(),
                each.estimatedRows()));
        awake.release();
        return added;
    }

    /** What {@link #start} would do, without doing it: the tables, each with its estimated number of rows. */
    public Map<TableName, Long> dryRun(BackfillRequest request) throws BackfillException, SQLException {
        Map<TableName, Long> rows = new LinkedHashMap<>();
        for (Asked each : asked(request)) {
            rows.put(each.table(), each.estimatedRows());
        }
        return rows;
    }

    private List<Asked> asked(BackfillRequest request) throws BackfillException, SQLException {
        List<TableName> tables = request.tables().isEmpty() ? cachedTables() : request.tables();
        if (tables.isEmpty()) {
            throw new BackfillException("no published table with a primary key goes to the cache. See: walroute setup");
        }
        List<Asked> asked = new ArrayList<>();
        for (TableName table : tables) {
            asked.add(new Asked(table, reader.estimate(table, request.where())));
            if (!cached.test(table)) {
                throw new BackfillException("Table " + table
                        + " has a route that doesn't lead to the cache, so that there is nothing to fill. Tables that do: "
                        + TableReader.sorted(cachedTables()));
            }
        }
        return asked;
    }

    private List<TableName> cachedTables() throws BackfillException, SQLException {
        List<TableName> tables = new ArrayList<>();
        for (TableName table : reader.published()) {
            if (cached.test(table) && reader.hasKey(table)) {
                tables.add(table);
            }
        }
        return tables;
    }

    private void refuseASecond(List<Asked> asked) throws BackfillException, SQLException {
        for (Backfill other : log.unfinished()) {
            for (Asked each : asked) {
                if (each.table().equals(other.table())) {
                    throw new BackfillException("backfill " + other.id() + " of " + other.table() + " is "
                            + (other.state() == State.QUEUED ? "queued" : "under way")
                            + ". Wait for its end, or end it with: walroute backfill --cancel " + other.id());
                }
            }
        }
    }

    private boolean isWhole(BackfillRequest request, List<Asked> asked) throws BackfillException, SQLException {
        return request.where() == null
                && request.prune()
                && asked.stream().map(Asked::table).toList().containsAll(cachedTables());
    }

    /** Ends a backfill; rows on their way are still delivered. */
    public Backfill cancel(long id) throws BackfillException, SQLException {
        Backfill backfill = find(id);
        if (backfill.state().isEnd()) {
            throw new BackfillException("backfill " + id + " is not under way: it is "
                    + backfill.state().name().toLowerCase(java.util.Locale.ROOT));
        }
        log.end(id, State.CANCELLED, 0, null);
        cancelled = id;
        LOG.info("Backfill {} of {} is cancelled after {} rows", id, backfill.table(), backfill.rows());
        awake.release();
        return find(id);
    }

    /** Ends all that are queued or under way. */
    public List<Backfill> cancelAll() throws BackfillException, SQLException {
        List<Backfill> ended = new ArrayList<>();
        List<Backfill> unfinished = new ArrayList<>(log.unfinished());
        java.util.Collections.reverse(unfinished); // the next one must not begin in between
        for (Backfill each : unfinished) {
            ended.add(0, cancel(each.id()));
        }
        return ended;
    }

    public Backfill find(long id) throws BackfillException, SQLException {
        return log.find(id).orElseThrow(() -> new BackfillException("there is no backfill " + id));
    }

    /** The newest first. */
    public List<Backfill> list(int most) throws SQLException {
        return log.list(most);
    }

    /** Whether none was ever asked for. */
    public boolean isFirst() throws SQLException {
        return log.isEmpty();
    }

    /** The oldest version that rows on their way to the cache may have; empty if there are none. */
    public Optional<Version> floor() throws SQLException {
        return log.floor();
    }

    /** As {@link Backfill#toJson}, with what holds it up. */
    public Map<String, Object> toJson(Backfill backfill) {
        return backfill.toJson(backfill.state() == State.RUNNING ? problem : null);
    }

    /** Rows read since the start of the service. */
    public long rowsRead() {
        return read.get();
    }

    // ---------------------------------------------------------------- the work

    private void work() {
        while (!closed) {
            try {
                Optional<Backfill> next = log.next();
                if (next.isEmpty()) {
                    pause(IDLE);
                } else if (!mayRun.getAsBoolean()) {
                    problem = "waits: changes don't get through at present. See: walroute status";
                    pause(POLL);
                } else {
                    step(next.get());
                }
            } catch (InterruptedException e) {
                return;
            } catch (SQLException | RuntimeException e) {
                failed("the store: " + TableReader.line(e), e);
            }
        }
    }

    private void pause(Duration time) throws InterruptedException {
        if (awake.tryAcquire(time.toMillis(), TimeUnit.MILLISECONDS)) {
            awake.drainPermits();
        }
    }

    private void step(Backfill backfill) throws InterruptedException, SQLException {
        if (underWay != backfill.id()) {
            underWay = backfill.id();
            rowBytes = 0;
            failures = 0;
            LOG.info(
                    "Backfill {} of {} {}",
                    backfill.id(),
                    backfill.table(),
                    backfill.lastKey() == null ? "begins" : "goes on behind " + backfill.rows() + " rows");
        }
        try {
            advance(backfill);
        } catch (BackfillException | IllegalArgumentException e) {
            fail(backfill, e.getMessage());
        } catch (SQLException e) {
            if (mayPass(e)) {
                failed(TableReader.line(e), e);
            } else {
                fail(backfill, TableReader.line(e));
            }
        }
    }

    private void advance(Backfill backfill) throws BackfillException, InterruptedException, SQLException {
        Optional<Version> version = stream.oldestToCome();
        if (version.isEmpty()) {
            problem =
                    "waits until the slot's restart_lsn has passed the last gap or skipped transaction, which takes up to"
                            + " half a minute";
            pause(POLL);
            return;
        }
        log.begin(backfill.id(), version.get());
        Optional<Chunk> found = reader.read(backfill, limit(backfill), rowBytes, stream::lastTransactions);
        if (found.isEmpty()) {
            pause(UNSEEN);
            return;
        }
        Chunk chunk = found.get();
        if (backfill.lastKey() != null && !chunk.table().keyNames().equals(backfill.keyColumns())) {
            LOG.warn(
                    "Backfill {}: the primary key of {} is another one now, it begins anew",
                    backfill.id(),
                    backfill.table());
            log.rewind(backfill.id());
            return;
        }
        Sent sent = send(backfill, chunk, version.get());
        if (sent == null) {
            return;
        }
        read.addAndGet(chunk.rows().size());
        if (!chunk.rows().isEmpty()) {
            rowBytes = Math.max(1, chunk.bytes() / chunk.rows().size());
            log.advance(
                    backfill,
                    chunk.table().keyNames(),
                    chunk.lastKey(),
                    chunk.rows().size(),
                    sent.filtered);
        }
        failures = 0;
        problem = null;
        if (chunk.last()) {
            finish(backfill, chunk.table());
        }
    }

    private int limit(Backfill backfill) {
        // At a low rate no more than for a second: so long a stop or a cancel may take.
        int limit = backfill.rate() == 0 ? MOST_ROWS : Math.min(MOST_ROWS, backfill.rate());
        return rowBytes == 0 ? limit : (int) Math.max(1, Math.min(limit, MOST_BYTES / rowBytes));
    }

    /** @param filtered how many rows no route led to the cache */
    private record Sent(long filtered) {}

    /** Null if not all rows came to their end: the same ones are to be read again. */
    private Sent send(Backfill backfill, Chunk chunk, Version version) throws InterruptedException {
        var ended = new Semaphore(0);
        var failure = new AtomicReference<Throwable>();
        var reached = new AtomicLong();
        int sent = 0;
        for (Map<String, Object> row : chunk.rows()) {
            awaitTurn(backfill.rate());
            if (closed || cancelled == backfill.id() || failure.get() != null) {
                break;
            }
            sent++;
            Consumer<Throwable> end = cause -> {
                if (cause != null) {
                    failure.compareAndSet(null, cause);
                }
                ended.release();
            };
            try {
                routes.send(event(backfill, chunk, row, version), reached::incrementAndGet, end);
            } catch (Exception e) {
                end.accept(e);
            }
        }
        ended.acquire(sent);
        if (failure.get() != null) {
            failed("a row was neither delivered nor parked: " + TableReader.line(asException(failure.get())), null);
        }
        return sent == chunk.rows().size() && failure.get() == null ? new Sent(sent - reached.get()) : null;
    }

    private static Exception asException(Throwable cause) {
        return cause instanceof Exception e ? e : new IllegalStateException(cause);
    }

    private void awaitTurn(int rate) throws InterruptedException {
        if (rate == 0) {
            return;
        }
        long now = System.nanoTime();
        while (!closed && nextSend - now > 0) {
            TimeUnit.NANOSECONDS.sleep(nextSend - now);
            now = System.nanoTime();
        }
        // A pause isn't made up for by a burst, but the time between two reads is.
        nextSend = Math.max(nextSend, now - TimeUnit.MILLISECONDS.toNanos(200)) + TimeUnit.SECONDS.toNanos(1) / rate;
    }

    private static ChangeEvent event(Backfill backfill, Chunk chunk, Map<String, Object> row, Version version) {
        Map<String, Object> key = new LinkedHashMap<>();
        chunk.table().keyNames().forEach(column -> key.put(column, row.get(column)));
        TableName table = backfill.table();
        return ChangeEvent.builder(Operation.READ, table.schema(), table.table(), chunk.readAt(), version)
                .key(key)
                .newRow(row)
                .snapshot(true)
                .backfill(backfill.name())
                .build();
    }

    /**
     * Whatever exists was sent with at least the version of the first rows, or changed since: the entries that are older belong to
     * rows that are gone. Unless a route keeps some rows from the cache: then it isn't known what it would have done.
     */
    private void finish(Backfill before, Table table) throws BackfillException, SQLException {
        Backfill backfill = find(before.id());
        if (backfill.state().isEnd()) {
            return;
        }
        long pruned = 0;
        if (backfill.prune() && backfill.filtered() == 0) {
            try {
                pruned = cache.prune(backfill.table(), table.key().size(), backfill.start());
            } catch (BackfillException e) {
                failed(e.getMessage(), e);
                return;
            }
        }
        try {
            mark(backfill);
        } catch (BackfillException e) {
            failed(e.getMessage(), e);
            return;
        }
        log.end(backfill.id(), State.DONE, pruned, null);
        LOG.info(
                "Backfill {} of {} is done: {} rows, {} of them kept from the cache by routes, {} entries of gone rows removed",
                backfill.id(),
                backfill.table(),
                backfill.rows(),
                backfill.filtered(),
                pruned);
    }

    /** Before the end is kept: a kill in between must not leave the marker behind. */
    private void mark(Backfill last) throws BackfillException, SQLException {
        if (last.marker() == null) {
            return;
        }
        for (Backfill other : log.batch(last.batch())) {
            if (other.id() != last.id() && other.state() != State.DONE) {
                return;
            }
        }
        if (cache.filled(last.marker())) {
            LOG.info("All tables that go to the cache were read: it is whole");
        } else {
            LOG.warn("The cache was emptied or went stale while it was being filled. Run again: walroute backfill");
        }
    }

    // ---------------------------------------------------------------- what goes wrong

    private void fail(Backfill backfill, String why) throws SQLException {
        LOG.warn("Backfill {} of {} failed after {} rows: {}", backfill.id(), backfill.table(), backfill.rows(), why);
        log.end(backfill.id(), State.FAILED, 0, why);
    }

    /** To be tried again after a pause that grows. */
    private void failed(String why, Exception cause) {
        if (!why.equals(problem)) {
            LOG.warn("Backfill {} is tried again: {}", underWay, why);
        }
        LOG.debug("Backfill is held up", cause);
        problem = why;
        failures = Math.min(failures + 1, 10);
        try {
            pause(Duration.ofMillis(Math.min(LONGEST_PAUSE.toMillis(), 100L << failures)));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What has to do with the connection, the server's state or a lock; a query that is wrong stays so. */
    private static boolean mayPass(SQLException e) {
        String state = e.getSQLState();
        return state == null
                || state.length() < 2
                || Set.of("08", "40", "53", "55", "57", "58", "XX").contains(state.substring(0, 2));
    }

    /** Rows on their way are read again at the next start. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        awake.release();
        worker.interrupt();
        try {
            worker.join(STOP.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
