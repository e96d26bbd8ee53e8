package io.walroute.replay;

import io.walroute.audit.AuditLog;
import io.walroute.audit.AuditLog.Audited;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.replay.Replay.State;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends past changes of the audit log through the routes again, in commit order, one replay at a time. How far it came is kept
 * in the store, so that a service that starts again goes on with it. Thread-safe.
 *
 * <p>A replayed change is older than what its row says now, and the cache's memory of deletions ends: so a change whose row has
 * a later one in the log skips the cache.
 */
public final class Replays implements AutoCloseable {
    /** How a change is sent through the routes again. */
    @FunctionalInterface
    public interface Routes {
        /**
         * Returns once every step that waits for no sink is done.
         *
         * @param replay which replay it is; 0 for none
         * @param route what {@code --route} named; null for all
         * @param lanes which lanes may take it
         * @param ended gets null once every lane has delivered or parked it, or why one could do neither; on any thread
         */
        void send(ChangeEvent event, long replay, String route, Predicate<String> lanes, Consumer<Throwable> ended)
                throws Exception;
    }

    /** The lanes that there are. */
    public interface Lanes {
        Set<String> names();

        /** The lane and those that lead to it: a change for {@code notify} may come by {@code offer-seller}. */
        Set<String> leadingTo(String lane);
    }

    private static final Logger LOG = LoggerFactory.getLogger(Replays.class);
    private static final String CACHE = "cache";

    private final AuditLog log;
    private final ReplayLog replays;
    private final Routes routes;
    private final Lanes lanes;
    private final BooleanSupplier mayRun;
    private volatile Run running;
    private boolean closed;

    /** @param mayRun whether changes get through at present; a replay waits while they don't */
    public Replays(Store store, AuditLog log, Routes routes, Lanes lanes, BooleanSupplier mayRun) throws SQLException {
        this.log = log;
        this.replays = new ReplayLog(store);
        this.routes = routes;
        this.lanes = lanes;
        this.mayRun = mayRun;
    }

    /** Goes on with what an earlier process left unfinished. */
    public synchronized void resume() throws SQLException {
        Optional<Replay> unfinished = replays.unfinished();
        if (unfinished.isPresent() && running == null && !closed) {
            LOG.info(
                    "Replay {} goes on at seq {}",
                    unfinished.get().id(),
                    unfinished.get().nextSeq());
            run(unfinished.get());
        }
    }

    /**
     * Begins a replay and returns at once.
     *
     * @param by who asks for it
     * @throws ReplayException if it can't be done; nothing has begun then
     * @throws IllegalArgumentException if it names a lane or a table that nobody knows
     */
    public synchronized Replay start(ReplayRequest request, String by) throws ReplayException, SQLException {
        Range range = range(request);
        refuseASecond();
        Replay replay = replays.add(request, range.from, range.to, by);
        LOG.info("Replay {} of {} begins, asked for by {}", replay.id(), request.toJson(), by);
        run(replay);
        return replay;
    }

    private void refuseASecond() throws ReplayException, SQLException {
        if (closed) {
            throw new ReplayException("the service is stopping");
        }
        Optional<Replay> other = replays.unfinished();
        if (other.isPresent()) {
            throw new ReplayException("replay " + other.get().id() + " is under way. Wait for its end, or end it with:"
                    + " walroute replay --cancel " + other.get().id());
        }
    }

    private void run(Replay replay) {
        running = new Run(replay, log, replays, routes, lanes(replay.request()), mayRun, this::ended);
        running.start();
    }

    private synchronized void ended(Run run) {
        if (running == run) {
            running = null;
        }
    }

    /**
     * Counts what a replay would send, without sending it: each change goes through the routes with all lanes closed.
     *
     * @return changes by lane, and all of them under {@code changes}
     * @throws IllegalArgumentException as {@link #start}
     */
    public Map<String, Long> dryRun(ReplayRequest request) throws ReplayException, SQLException {
        Range range = range(request);
        Map<String, Long> counts = new TreeMap<>();
        counts.put("changes", 0L);
        Predicate<String> wanted = lanes(request);
        log.forEach(range.from, filter(request), change -> {
            if (change.seq() > range.to) {
                return false;
            }
            if (wants(request, change.event())) {
                counts.merge("changes", 1L, Long::sum);
                count(request, change, wanted, counts);
            }
            return true;
        });
        return counts;
    }

    private void count(ReplayRequest request, Audited change, Predicate<String> wanted, Map<String, Long> counts)
            throws SQLException {
        Predicate<String> reached = lanesFor(change, wanted);
        try {
            routes.send(
                    change.event().asReplayed(),
                    0,
                    request.route(),
                    lane -> {
                        if (reached.test(lane)) {
                            synchronized (counts) {
                                counts.merge(lane, 1L, Long::sum);
                            }
                        }
                        return false;
                    },
                    failure -> {});
        } catch (Exception e) {
            throw new SQLException("change " + change.event().id() + " can't be routed: " + e.getMessage(), e);
        }
    }

    /** Ends a replay; what is in flight is still delivered. */
    public Replay cancel(long id) throws ReplayException, SQLException {
        Run current = running;
        Replay replay = find(id);
        if (replay.state() != State.RUNNING) {
            throw new ReplayException("replay " + id + " is not under way: it is "
                    + replay.state().name().toLowerCase(java.util.Locale.ROOT));
        }
        if (current != null && current.id() == id) {
            current.end(State.CANCELLED);
        } else {
            replays.update(id, State.CANCELLED, replay.nextSeq(), replay.sent(), null);
        }
        return find(id);
    }

    public Replay find(long id) throws ReplayException, SQLException {
        return replays.find(id).orElseThrow(() -> new ReplayException("there is no replay " + id));
    }

    /** The newest first. */
    public List<Replay> list(int most) throws SQLException {
        return replays.list(most);
    }

    // ---------------------------------------------------------------- what a request means

    private record Range(long from, long to) {}

    private Range range(ReplayRequest request) throws ReplayException, SQLException {
        Audited first = log.first().orElseThrow(() -> new ReplayException("the audit log is empty"));
        Audited last = log.last().orElseThrow(() -> new ReplayException("the audit log is empty"));
        if (request.route() != null && !lanes.names().contains(request.route())) {
            throw new IllegalArgumentException("there is no lane " + request.route() + ". Lanes: "
                    + String.join(", ", new java.util.TreeSet<>(lanes.names())));
        }
        if (request.table() != null && !log.knows(request.schema(), request.tableName())) {
            throw new IllegalArgumentException("the audit log holds no change of table " + request.table()
                    + ". It holds those of: " + String.join(", ", log.tables()));
        }
        long from = first.seq();
        if (request.lsn() != null) {
            from = Math.max(from, fromLsn(request.lsn(), first.event(), last.event()));
        }
        if (request.since() != null) {
            from = Math.max(from, since(request, first.event()));
        }
        long to = last.seq();
        if (request.toLsn() != null) {
            to = Math.min(to, log.lastSeqUpTo(request.toLsn()).orElse(from - 1));
        }
        if (to < from) {
            throw new ReplayException("there is nothing to replay: no change lies between these positions");
        }
        return new Range(from, to);
    }

    private long fromLsn(Lsn lsn, ChangeEvent first, ChangeEvent last) throws ReplayException, SQLException {
        if (lsn.compareTo(first.lsn()) < 0) {
            throw new ReplayException("the audit log doesn't reach back to " + lsn + ": it begins at " + first.lsn()
                    + " (" + first.timestamp() + "). Replay from there");
        }
        OptionalLong seq = log.firstSeqFrom(lsn);
        if (seq.isEmpty()) {
            throw new ReplayException("--lsn " + lsn + " lies past the last audited change, which is at " + last.lsn());
        }
        return seq.getAsLong();
    }

    private long since(ReplayRequest request, ChangeEvent first) throws ReplayException, SQLException {
        if (request.lsn() == null && request.since().isBefore(first.timestamp())) {
            throw new ReplayException("the audit log doesn't reach back to " + request.since() + ": it begins at "
                    + first.lsn() + " (" + first.timestamp() + "). Replay from there");
        }
        return log.firstSeqSince(request.since())
                .orElseThrow(() -> new ReplayException("no change was committed since " + request.since()));
    }

    private Predicate<String> lanes(ReplayRequest request) {
        return request.route() == null ? lane -> true : Set.copyOf(lanes.leadingTo(request.route()))::contains;
    }

    private Predicate<String> lanesFor(Audited change, Predicate<String> wanted) throws SQLException {
        return lanesFor(log, change, wanted);
    }

    static Predicate<String> lanesFor(AuditLog log, Audited change, Predicate<String> wanted) throws SQLException {
        return wanted.test(CACHE) && log.hasLater(change.event(), change.seq())
                ? lane -> !lane.equals(CACHE) && wanted.test(lane)
                : wanted;
    }

    static AuditLog.Filter filter(ReplayRequest request) {
        return new AuditLog.Filter(request.schema(), request.tableName(), request.key(), request.since());
    }

    static boolean wants(ReplayRequest request, ChangeEvent event) {
        return request.until() == null || !event.timestamp().isAfter(request.until());
    }

    /** Ends sending, waits a moment for what is in flight, and keeps how far it came. */
    @Override
    public void close() {
        Run current;
        synchronized (this) {
            closed = true;
            current = running;
        }
        if (current != null) {
            current.end(State.RUNNING);
        }
    }
}
