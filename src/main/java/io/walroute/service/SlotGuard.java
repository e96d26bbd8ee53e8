package io.walroute.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.change.Version;
import io.walroute.service.SlotLog.OpenGap;
import io.walroute.slot.Continuity;
import io.walroute.slot.ContinuityCheck;
import io.walroute.slot.ContinuityCheck.Promoted;
import io.walroute.slot.ContinuityCheck.Verdict;
import io.walroute.slot.Finding;
import io.walroute.slot.Finding.Fault;
import io.walroute.slot.Finding.Kind;
import io.walroute.slot.Gap;
import io.walroute.slot.ReplicationCheck;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotState;
import io.walroute.source.SlotCheck;
import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets nothing be streamed unless it goes on where the audit log ends.
 *
 * <p>The slot moves only to where the store says, on disk, that it may. So a slot that stands further was not moved by this
 * service: whoever made it anew or moved it, the changes in between are a gap. Before each start that is asked, and again every
 * few seconds while a stream runs; and nothing is confirmed on a stream until it was asked once after its start, since the
 * engine may have made a missing slot in silence.
 *
 * <p>{@link #check} comes from the source's supervisor, {@link #beforeConfirm} from the stream's thread, {@link #watch} from
 * this object's own; what they share is guarded by {@link #lock}. A stream's facts count for that stream only: {@link #stream}
 * numbers them.
 */
final class SlotGuard implements SlotCheck, AutoCloseable {
    /** Where audit log and stream ended. */
    @FunctionalInterface
    interface LastAudited {
        Optional<Version> get() throws SQLException;
    }

    private record Waiting(Lsn position, Runnable then) {}

    private static final Logger LOG = LoggerFactory.getLogger(SlotGuard.class);
    private static final Duration LOOK = Duration.ofSeconds(2);
    private static final Duration FIRST_LOOK = Duration.ofMillis(100);
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    /** With these a slot can't be judged, or needs no judgement. What else is wrong is told after what is missing. */
    private static final Set<Fault> FIRST = EnumSet.complementOf(EnumSet.of(
            Fault.SLOT_MISSING,
            Fault.SLOT_INVALIDATED,
            Fault.PUBLICATION_MISSING,
            Fault.NO_FREE_SLOT,
            Fault.NO_FREE_WAL_SENDER));

    private final ReplicationTarget target;
    private final Store store;
    private final SlotLog log;
    private final LastAudited audited;
    private final Consumer<Epochs> useEpochs;
    private final MeterRegistry meters;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "slot-guard");
        thread.setDaemon(true);
        return thread;
    });

    private final Object lock = new Object();
    private long stream;
    private boolean streaming;
    private boolean verified;
    private Continuity known;
    private Waiting waiting;
    private boolean noting;
    private Lsn restartLsn;
    private volatile Obstacle disaster;
    private volatile Lsn confirmed;

    // The watching thread's own.
    private final OwnConnection connection;
    private long lookedAtNanos;

    SlotGuard(
            ReplicationTarget target,
            Store store,
            LastAudited audited,
            Consumer<Epochs> useEpochs,
            MeterRegistry meters)
            throws SQLException {
        this.target = target;
        connection = new OwnConnection(target);
        this.store = store;
        this.audited = audited;
        this.useEpochs = useEpochs;
        this.meters = meters;
        log = new SlotLog(store);
    }

    void start() {
        timer.scheduleWithFixedDelay(this::watch, FIRST_LOOK.toMillis(), FIRST_LOOK.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** In one line; null if none is open. */
    String openGap() throws SQLException {
        return log.open().map(open -> open.gap().line()).orElse(null);
    }

    private void see(SlotState state) {
        confirmed = state.slot() == null ? null : state.slot().confirmedFlushLsn();
    }

    /** Where the slot was when it was looked at last; null if it wasn't or there is none. */
    Lsn confirmed() {
        return confirmed;
    }

    /** Which epoch an LSN of the stream belongs to. */
    Epochs epochs() {
        synchronized (lock) {
            return known == null ? Epochs.all(store.epoch()) : known.epochs();
        }
    }

    // ---------------------------------------------------------------- before a start

    @Override
    public Optional<Obstacle> check() {
        synchronized (lock) {
            stream++;
            streaming = false;
            verified = false;
            waiting = null;
            noting = false;
            restartLsn = null;
            disaster = null;
        }
        try (Connection fresh = target.connect()) {
            return check(fresh);
        } catch (SlotException e) {
            return Optional.of(new Obstacle(false, e.finding().line()));
        } catch (SQLException e) {
            return Optional.of(new Obstacle(
                    false,
                    "whether the slot goes on where the audit log ends can't be asked: " + StartFailure.line(e)));
        }
    }

    private Optional<Obstacle> check(Connection fresh) throws SQLException {
        List<Finding> findings = ReplicationCheck.findings(fresh, target);
        Optional<Obstacle> first = obstacle(
                findings.stream().filter(each -> FIRST.contains(each.fault())).toList());
        if (first.isPresent()) {
            return first;
        }
        int timeline = log.continuity().map(Continuity::timeline).orElse(0);
        SlotState state = SlotState.read(fresh, target, timeline);
        see(state);
        Optional<Continuity> noted = log.continuity();
        if (noted.isEmpty()) {
            Optional<Obstacle> obstacle = obstacle(findings);
            if (obstacle.isEmpty()) {
                go(begin(state));
            }
            return obstacle;
        }
        return goOn(fresh, noted.get(), state, findings);
    }

    private Optional<Obstacle> goOn(Connection fresh, Continuity noted, SlotState state, List<Finding> findings)
            throws SQLException {
        Optional<OpenGap> open = log.open();
        if (open.isPresent() && open.get().gap().reason().isLasting()) {
            return Optional.of(new Obstacle(false, open.get().gap().line()));
        }
        // By another instance that streams, more may have been read since the state was.
        Lsn audited = audited(noted);
        Verdict verdict = ContinuityCheck.judge(noted, audited, state.withServerNow(fresh), target);
        if (verdict instanceof Gap gap) {
            report(gap);
            return Optional.of(new Obstacle(false, gap.line()));
        }
        Optional<Obstacle> obstacle = obstacle(findings);
        if (obstacle.isPresent()) {
            return obstacle;
        }
        if (open.isPresent()) {
            log.resolve(open.get().id());
            LOG.info("The gap is over, nothing is missing: the slot goes on at {}", noted.position());
        }
        go(verdict instanceof Promoted promoted ? promote(noted, promoted, state) : noted);
        return Optional.empty();
    }

    private static Optional<Obstacle> obstacle(List<Finding> findings) {
        // A standby has nothing to mend; but what else is wrong comes first.
        return findings.stream()
                .filter(finding -> finding.kind() != Kind.STANDBY)
                .findFirst()
                .or(() -> findings.stream().findFirst())
                .map(finding -> new Obstacle(finding.kind() == Kind.STANDBY, finding.line()));
    }

    private Continuity begin(SlotState state) throws SQLException {
        var continuity = Continuity.from(state, Epochs.all(store.readEpoch()), SlotLog.nowToTheSecond());
        store.write(log.put(continuity), PATIENCE);
        LOG.info("The audit log begins at {}, where slot {} stands", continuity.position(), target.slot());
        return continuity;
    }

    private Continuity promote(Continuity noted, Promoted promoted, SlotState state) throws SQLException {
        long epoch = noted.epochs().last() + 1;
        Continuity next = noted.promoted(state, noted.epochs().then(epoch, promoted.switchPoint()));
        store.raiseEpoch(epoch, log.put(next));
        LOG.info(
                "PostgreSQL was promoted to timeline {} at {}: nothing is missing, the stream goes on in epoch {}",
                next.timeline(),
                promoted.switchPoint(),
                epoch);
        return next;
    }

    private void go(Continuity from) throws SQLException {
        if (store.readEpoch() < from.epochs().last()) { // the store was moved away under a running service
            store.raiseEpoch(from.epochs().last(), session -> {});
        }
        useEpochs.accept(from.epochs());
        synchronized (lock) {
            known = from;
            streaming = true;
        }
    }

    /** The last audited change, if it belongs to the stream as it is known; else the beginning of time. */
    private Lsn audited(Continuity noted) throws SQLException {
        return audited.get()
                .filter(last -> noted.epochs().at(last.lsn()) == last.epoch())
                .map(Version::lsn)
                .orElse(Lsn.ZERO);
    }

    private void report(Gap gap) throws SQLException {
        if (log.open(gap)) {
            LOG.error("{}", gap.line());
            Counter.builder("walroute.gaps")
                    .description("Places found where the stream doesn't go on where it ended")
                    .tag("reason", gap.reason().name().toLowerCase(java.util.Locale.ROOT))
                    .register(meters)
                    .increment();
        }
    }

    // ---------------------------------------------------------------- while a stream runs

    @Override
    public Optional<Obstacle> whileStreaming() {
        return Optional.ofNullable(disaster);
    }

    @Override
    public void beforeConfirm(Lsn position, Runnable then) {
        synchronized (lock) {
            if (!streaming || disaster != null) {
                return;
            }
            waiting = new Waiting(position, then);
            if (verified && !noting) {
                note();
            }
        }
    }

    /** One note at a time: what settles meanwhile goes with the next. Called with the lock held. */
    private void note() {
        Waiting next = waiting;
        waiting = null;
        if (next.position().compareTo(known.position()) <= 0) {
            next.then().run();
            return;
        }
        known = known.at(next.position(), SlotLog.nowToTheSecond());
        noting = true;
        long ofStream = stream;
        store.submit(log.note(known), () -> noted(ofStream, next));
    }

    private void noted(long ofStream, Waiting done) {
        synchronized (lock) {
            if (ofStream != stream || disaster != null) {
                return;
            }
            done.then().run();
            noting = false;
            if (waiting != null) {
                note();
            }
        }
    }

    private void watch() {
        long ofStream;
        Continuity before;
        synchronized (lock) {
            boolean due = !verified || System.nanoTime() - lookedAtNanos >= LOOK.toNanos();
            if (!streaming || disaster != null || !due) {
                return;
            }
            ofStream = stream;
            before = known;
        }
        try {
            look(ofStream, before);
        } catch (SlotException | SQLException | RuntimeException e) {
            // Whether the server answers, the heartbeat tells; this one only looks at what it finds there.
            LOG.debug("The slot can't be looked at", e);
            connection.drop();
        }
        lookedAtNanos = System.nanoTime();
    }

    private void look(long ofStream, Continuity before) throws SlotException, SQLException {
        Optional<OpenGap> open = log.open();
        if (open.isPresent()) { // a command asks for the slot
            breakOff(ofStream, open.get().gap().line());
            return;
        }
        SlotState state = SlotState.read(connection.get(), target, before.timeline());
        see(state);
        if (state.server().standby()) {
            return;
        }
        Verdict verdict = judgeNow(state, connection.get());
        if (verdict instanceof Gap gap) {
            if (isCurrent(ofStream)) {
                report(gap);
                breakOff(ofStream, gap.line());
            }
        } else if (verdict instanceof Promoted) {
            breakOff(ofStream, "PostgreSQL was promoted; the stream starts again");
        } else {
            goesOn(ofStream, state);
        }
    }

    /** By what is known now, which is never behind a slot that was looked at before; or by what another instance noted. */
    private Verdict judgeNow(SlotState before, Connection connection) throws SQLException {
        Continuity now;
        synchronized (lock) {
            now = known;
        }
        SlotState state = before.withServerNow(connection);
        Verdict verdict = ContinuityCheck.judge(now, Lsn.ZERO, state, target);
        if (verdict instanceof Gap) {
            Optional<Continuity> noted = log.continuity();
            if (noted.isPresent() && noted.get().position().compareTo(now.position()) > 0) {
                return ContinuityCheck.judge(noted.get(), Lsn.ZERO, before.withServerNow(connection), target);
            }
        }
        return verdict;
    }

    private boolean isCurrent(long ofStream) {
        synchronized (lock) {
            return ofStream == stream && streaming;
        }
    }

    private void breakOff(long ofStream, String line) {
        synchronized (lock) {
            if (ofStream == stream && streaming) {
                disaster = new Obstacle(false, line);
            }
        }
    }

    private void goesOn(long ofStream, SlotState state) {
        synchronized (lock) {
            if (ofStream != stream || !state.slot().active()) {
                return;
            }
            // Shown by the server a moment before it is on its disk; the look before this one is.
            if (restartLsn != null) {
                known = known.withRestartLsn(restartLsn);
            }
            restartLsn = state.slot().restartLsn();
            if (!verified) {
                verified = true;
                if (waiting != null && !noting) {
                    note();
                }
            }
        }
    }

    @Override
    public void close() {
        connection.closeAfter(timer);
    }
}
