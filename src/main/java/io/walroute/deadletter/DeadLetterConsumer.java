package io.walroute.deadletter;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.ChangeProperties;
import io.walroute.change.OwnSettlement;
import io.walroute.change.RedriveTurn;
import io.walroute.change.RedriveTurn.Answer;
import io.walroute.change.Settlement;
import io.walroute.deadletter.DeadLetters.Outcome;
import io.walroute.deadletter.DeadLetters.Place;
import io.walroute.deadletter.DeadLetters.Taken;
import io.walroute.deadletter.RedriveQueue.Parked;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.support.DefaultConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends a sink's parked deliveries again, each when it is due and all before it of its key are out of the way.
 *
 * <p>It feels its way: after a failure half as many at a time, after a success twice as many, and a pause when the sink takes
 * nothing at all. So a sink that stays away is tried by one delivery, and one that is back gets all in a rush.
 *
 * <p>What is under way is settled like any other change. Only then is its row deleted, or, if it was parked again, given its
 * next time. All state here belongs to the one thread; exchanges end on any thread and report to it.
 */
final class DeadLetterConsumer extends DefaultConsumer {
    private static final Logger LOG = LoggerFactory.getLogger(DeadLetterConsumer.class);

    /** How often to ask whether a sink is back. */
    private static final long LONGEST_TICK_MS = 250;
    /** How many parts of the dead letters to look through at a time for one that is due. */
    private static final int MOST_REFILLS = 20;

    private final DeadLetterEndpoint endpoint;
    private final DeadLetterComponent component;
    private final String sink;
    private final Schedule schedule;
    private final Duration pause;
    /** Null if the sink needn't know what it never gets. */
    private final Telling telling;

    private final Set<Long> inFlight = ConcurrentHashMap.newKeySet(); // others look, only the thread changes it
    private RedriveQueue queue = new RedriveQueue(Instant.MIN, Set.of());
    /** What the queue was made up to; null if that was the end. */
    private Place queuedUpTo;

    private int allowed = 1;
    private Instant pausedUntil = Instant.MIN;
    private long nextPollNanos = System.nanoTime();
    private boolean wasAway;
    private boolean isTelling;
    private ScheduledExecutorService thread;

    DeadLetterConsumer(DeadLetterEndpoint endpoint, DeadLetterComponent component, Processor processor)
            throws Exception {
        super(endpoint, processor);
        this.endpoint = endpoint;
        this.component = component;
        sink = endpoint.getSink();
        schedule = component.setSchedule(sink, endpoint.plan());
        pause = schedule.pollEvery(Duration.ofMillis(endpoint.getDelay()));
        telling = endpoint.getDeadUri() == null
                ? null
                : new Telling(endpoint.getCamelContext(), component, sink, endpoint.getDeadUri());
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        component.letters().tellOfDead(sink, tells());
        if (telling != null) {
            telling.start();
        }
        thread = endpoint.getCamelContext()
                .getExecutorServiceManager()
                .newSingleThreadScheduledExecutor(this, endpoint.getEndpointUri());
        component.started(sink, this);
        nextPollNanos = System.nanoTime() + pause.toNanos();
        long tick = Math.min(LONGEST_TICK_MS, pause.toMillis());
        thread.scheduleWithFixedDelay(this::tick, tick, tick, TimeUnit.MILLISECONDS);
    }

    @Override
    protected void doStop() throws Exception {
        component.stopped(sink, this);
        if (thread != null) {
            endpoint.getCamelContext().getExecutorServiceManager().shutdownNow(thread);
        }
        if (telling != null) {
            telling.stop();
        }
        super.doStop();
    }

    /** Reports from exchanges and from the store. After the stop there is nobody to hear them: the rows tell it all. */
    private void onThread(Runnable work) {
        try {
            thread.execute(work);
        } catch (RejectedExecutionException stopped) {
            LOG.debug("{}: stopped before a redrive ended", endpoint);
        }
    }

    private boolean mayWork() {
        return isRunAllowed() && !isSuspendingOrSuspended() && component.isRedriving() && camelIsUp();
    }

    /** Routes that this one calls start after it. */
    private boolean camelIsUp() {
        return endpoint.getCamelContext().getStatus().isStarted();
    }

    private void tick() {
        try {
            if (component.isAway(sink)) {
                wasAway = true;
            } else if (wasAway && mayWork()) {
                wasAway = false;
                sinkIsBack();
            }
        } catch (RuntimeException e) {
            LOG.debug("{}: whether the sink takes anything can't be told", endpoint, e);
        }
        if (System.nanoTime() - nextPollNanos >= 0) {
            poll();
        }
    }

    private void poll() {
        nextPollNanos = System.nanoTime() + pause.toNanos();
        if (mayWork()) {
            tell();
            if (queuedUpTo == null || queue.isExhausted()) {
                refill();
            }
            dispatch();
        }
    }

    boolean tells() {
        return telling != null;
    }

    /** Something may have become dead or been discarded. From any thread. */
    void tellSoon() {
        if (tells()) {
            onThread(this::tell);
        }
    }

    private void tell() {
        if (tells() && !isTelling && mayWork()) {
            isTelling = true;
            telling.tell(round -> onThread(() -> told(round)));
        }
    }

    private void told(Telling.Round round) {
        isTelling = false;
        if (round == Telling.Round.TOLD) {
            tell();
            poll(); // what waited behind them
        }
    }

    /** A schedule with an end is a promise to the receiver, and each attempt uses it up; others needn't be waited for. */
    private void sinkIsBack() {
        if (!schedule.forEver()) {
            return;
        }
        var due = new AtomicInteger();
        component
                .store()
                .submit(
                        session -> due.set(component.letters().allDue(session, sink)),
                        () -> onThread(() -> {
                            if (due.get() > 0) {
                                LOG.info("{} is back: {} parked changes are sent again", sink, due);
                            }
                            allowed = Math.max(allowed, endpoint.getConcurrency() / 4);
                            pollNow();
                        }),
                        reason -> LOG.debug("{}: what is parked keeps its times", endpoint, reason));
    }

    /** Something may have become due before its time. From any thread. */
    void hurry() {
        onThread(this::pollNow);
    }

    private void pollNow() {
        pausedUntil = Instant.MIN;
        poll();
    }

    boolean isInFlight(long id) {
        return inFlight.contains(id);
    }

    private void refill() {
        try {
            var next = new RedriveQueue(Instant.now(), inFlight);
            queuedUpTo =
                    component.letters().forEachParked(sink, queuedUpTo == null ? Place.START : queuedUpTo, next::add);
            queue = next;
        } catch (SQLException | RuntimeException e) {
            LOG.warn(
                    "{}: the parked deliveries can't be read, the next try is in {}: {}",
                    endpoint,
                    pause,
                    e.getMessage());
        }
    }

    private void dispatch() {
        int refilled = 0;
        while (mayWork() && inFlight.size() < allowed && !Instant.now().isBefore(pausedUntil)) {
            Parked next = queue.next();
            if (next != null) {
                take(next);
            } else if (queue.isExhausted() && queuedUpTo != null && refilled++ < MOST_REFILLS) {
                refill();
            } else {
                return;
            }
        }
    }

    private void take(Parked parked) {
        try {
            Taken taken = component.letters().take(parked.id());
            if (taken == null) {
                queue.finish(parked.id(), true); // discarded by hand since the queue was made
            } else {
                inFlight.add(parked.id());
                send(parked, taken);
            }
        } catch (SQLException | RuntimeException e) {
            LOG.warn("{}: dead letter {} can't be read, it stays: {}", endpoint, parked.id(), e.getMessage());
            queue.finish(parked.id(), false);
            pausedUntil = Instant.now().plus(pause);
        }
    }

    private void send(Parked parked, Taken taken) {
        var stayed = new AtomicBoolean();
        var settlement = new OwnSettlement(failure -> {
            if (stayed.get()) {
                onThread(() -> stayed(parked));
            } else {
                ended(parked, taken, failure);
            }
        });
        Settlement.Hold own = settlement.hold();
        Exchange exchange = exchange(taken, settlement);
        exchange.setProperty(ChangeProperties.REDRIVE_TURN, (RedriveTurn) asker -> askTurn(parked, stayed, asker));
        getAsyncProcessor().process(exchange, doneSync -> {
            Exception failure = exchange.getException();
            releaseExchange(exchange, false);
            if (failure == null) {
                own.release();
            } else {
                own.fail(failure);
            }
        });
    }

    /** On any thread: its turn has come in its lane. */
    private void askTurn(Parked parked, AtomicBoolean stayed, Consumer<Answer> asker) {
        var answer = new AtomicReference<>(Answer.STAY);
        component
                .store()
                .submit(
                        session -> answer.set(component.letters().turn(session, parked.id())),
                        () -> tell(asker, component.isRedriving() ? answer.get() : Answer.STAY, stayed),
                        reason -> tell(asker, Answer.STAY, stayed));
    }

    private static void tell(Consumer<Answer> asker, Answer answer, AtomicBoolean stayed) {
        stayed.set(!answer.go());
        asker.accept(answer);
    }

    /** Discarded meanwhile, or an earlier one of its key was parked since the queue was made: that one goes first. */
    private void stayed(Parked parked) {
        inFlight.remove(parked.id());
        queue.finish(parked.id(), false);
        dispatch();
    }

    private Exchange exchange(Taken taken, Settlement settlement) {
        ChangeEvent event = taken.event();
        Exchange exchange = createExchange(false);
        exchange.setProperty(ChangeProperties.LANE, sink);
        exchange.setProperty(ChangeProperties.REDRIVE, Boolean.TRUE);
        exchange.setProperty(Settlement.PROPERTY, settlement);
        exchange.setProperty(ChangeProperties.CHANGE, event);
        var message = exchange.getIn();
        message.setBody(event);
        message.setHeader(ChangeHeaders.TABLE, event.table());
        message.setHeader(ChangeHeaders.SCHEMA, event.schema());
        message.setHeader(ChangeHeaders.OPERATION, event.operation().name());
        message.setHeader(ChangeHeaders.EVENT_ID, event.id());
        message.setHeader(ChangeHeaders.LSN, event.lsnText());
        message.setHeader(ChangeHeaders.XID, event.xid());
        KeptHeaders.fromJson(taken.headers()).forEach(message::setHeader);
        return exchange;
    }

    /** On any thread: every hand-over of the redriven change has ended. */
    private void ended(Parked parked, Taken taken, Throwable failure) {
        if (failure != null) {
            LOG.debug("{}: dead letter {} was neither delivered nor parked again", endpoint, parked.id(), failure);
        }
        var outcome = new AtomicReference<>(Outcome.NOT_TRIED);
        component
                .store()
                .submit(
                        session -> outcome.set(component
                                .letters()
                                .finish(session, parked.id(), taken, failure == null, schedule, pause)),
                        () -> onThread(() -> finished(parked, taken, outcome.get())),
                        reason -> onThread(() -> finished(parked, taken, Outcome.NOT_TRIED)));
    }

    private void finished(Parked parked, Taken taken, Outcome outcome) {
        inFlight.remove(parked.id());
        queue.finish(parked.id(), outcome == Outcome.DELIVERED || outcome == Outcome.DEAD);
        component.redriven(sink, outcome, taken.event(), getRouteId());
        if (outcome == Outcome.DEAD) {
            tell();
        }
        switch (outcome) {
            case DELIVERED -> allowed = Math.min(endpoint.getConcurrency(), allowed * 2);
            case FAILED, DEAD -> allowed = Math.max(1, allowed / 2);
            case NOT_TRIED -> {
                allowed = 1;
                pausedUntil = Instant.now().plus(pause);
            }
        }
        dispatch();
    }
}
