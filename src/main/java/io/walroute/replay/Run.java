package io.walroute.replay;

import io.walroute.audit.AuditLog;
import io.walroute.audit.AuditLog.Audited;
import io.walroute.replay.Replay.State;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One replay under way, on a thread of its own. */
final class Run {
    private static final Logger LOG = LoggerFactory.getLogger(Run.class);
    // Well below what a lane holds: a replay must not push live changes into the dead letters.
    private static final int MOST_IN_FLIGHT = 500;
    private static final Duration KEEP_EVERY = Duration.ofSeconds(1);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final Duration DRAIN = Duration.ofSeconds(5);

    private final Replay replay;
    private final AuditLog log;
    private final ReplayLog replays;
    private final Replays.Routes routes;
    private final Predicate<String> lanes;
    private final BooleanSupplier mayRun;
    private final Consumer<Run> onEnd;
    private final Thread thread;

    private final Semaphore room = new Semaphore(MOST_IN_FLIGHT);
    private final ConcurrentSkipListSet<Long> inFlight = new ConcurrentSkipListSet<>();
    private final AtomicReference<String> failure = new AtomicReference<>();
    private final AtomicReference<Long> failedAt = new AtomicReference<>();
    private volatile State end;
    private long passed;
    private long sent;
    private long nextSend = System.nanoTime();
    private long kept = System.nanoTime();

    Run(
            Replay replay,
            AuditLog log,
            ReplayLog replays,
            Replays.Routes routes,
            Predicate<String> lanes,
            BooleanSupplier mayRun,
            Consumer<Run> onEnd) {
        this.replay = replay;
        this.log = log;
        this.replays = replays;
        this.routes = routes;
        this.lanes = lanes;
        this.mayRun = mayRun;
        this.onEnd = onEnd;
        passed = replay.nextSeq();
        sent = replay.sent();
        thread = new Thread(this::run, "replay-" + replay.id());
        thread.setDaemon(true);
    }

    long id() {
        return replay.id();
    }

    void start() {
        thread.start();
    }

    /** Returns once the thread has ended. @param as what the store says of the replay then; RUNNING to go on later */
    void end(State as) {
        end = as;
        LockSupport.unpark(thread);
        try {
            thread.join(DRAIN.multipliedBy(3).toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            log.forEach(replay.nextSeq(), Replays.filter(replay.request()), this::visit);
            awaitDeliveries();
            conclude(endState(), failure.get());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (SQLException | RuntimeException e) {
            LOG.warn("Replay {} stopped at seq {}: {}", replay.id(), passed, e.getMessage());
            LOG.debug("Replay stopped", e);
            conclude(State.FAILED, e.getMessage());
        } finally {
            onEnd.accept(this);
        }
    }

    private State endState() {
        if (failure.get() != null) {
            return State.FAILED;
        }
        return end != null ? end : State.DONE;
    }

    private void conclude(State state, String error) {
        try {
            long next = state == State.DONE ? replay.toSeq() + 1 : settledUpTo();
            replays.update(replay.id(), state, next, sent, error);
            LOG.info("Replay {}: {}, {} changes sent, next seq {}", replay.id(), state, sent, next);
        } catch (SQLException e) {
            LOG.warn(
                    "Replay {}: its end can't be kept, a restart repeats a part of it: {}",
                    replay.id(),
                    e.getMessage());
        }
    }

    /** The first place that isn't settled; what failed is not. */
    private long settledUpTo() {
        long next = passed;
        Long first = inFlight.isEmpty() ? null : inFlight.first();
        next = first == null ? next : Math.min(next, first);
        Long failed = failedAt.get();
        return failed == null ? next : Math.min(next, failed);
    }

    private boolean visit(Audited change) throws SQLException {
        if (change.seq() > replay.toSeq()) {
            return false;
        }
        if (Replays.wants(replay.request(), change.event())) {
            awaitTurn();
            if (end != null || failure.get() != null) {
                return false;
            }
            send(change);
        }
        passed = change.seq() + 1;
        keepNowAndThen();
        return true;
    }

    private void awaitTurn() {
        while (end == null && failure.get() == null && !mayRun.getAsBoolean()) {
            LockSupport.parkNanos(POLL.toNanos());
        }
        int rate = replay.request().rate();
        if (rate > 0) {
            long now = System.nanoTime();
            while (end == null && nextSend - now > 0) {
                LockSupport.parkNanos(nextSend - now);
                now = System.nanoTime();
            }
            // A pause isn't made up for by a burst.
            nextSend =
                    Math.max(nextSend, now - TimeUnit.MILLISECONDS.toNanos(100)) + TimeUnit.SECONDS.toNanos(1) / rate;
        }
        while (end == null && failure.get() == null) {
            try {
                if (room.tryAcquire(POLL.toMillis(), TimeUnit.MILLISECONDS)) {
                    return;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                end = State.RUNNING;
            }
        }
    }

    private void send(Audited change) throws SQLException {
        inFlight.add(change.seq());
        sent++;
        Predicate<String> allowed = Replays.lanesFor(log, change, lanes);
        try {
            routes.send(
                    change.event().asReplayed(),
                    replay.id(),
                    replay.request().route(),
                    allowed,
                    cause -> ended(change, cause));
        } catch (Exception e) {
            ended(change, e);
        }
    }

    /** On any thread. */
    private void ended(Audited change, Throwable cause) {
        if (cause != null) {
            failedAt.accumulateAndGet(change.seq(), (a, b) -> a == null ? b : Long.valueOf(Math.min(a, b)));
            failure.compareAndSet(
                    null,
                    "change " + change.event().id() + " could be neither delivered nor parked: " + cause.getMessage());
        }
        inFlight.remove(change.seq());
        room.release();
    }

    private void keepNowAndThen() throws SQLException {
        if (System.nanoTime() - kept > KEEP_EVERY.toNanos()) {
            replays.update(replay.id(), State.RUNNING, settledUpTo(), sent, null);
            kept = System.nanoTime();
        }
    }

    private void awaitDeliveries() throws InterruptedException, SQLException {
        long giveUp = System.nanoTime() + DRAIN.toNanos();
        while (!room.tryAcquire(MOST_IN_FLIGHT, POLL.toMillis(), TimeUnit.MILLISECONDS)) {
            if (end != null && System.nanoTime() - giveUp > 0) {
                return; // settledUpTo tells what is missing
            }
            keepNowAndThen();
        }
    }
}
