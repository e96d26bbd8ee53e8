package io.walroute.lanes;

import io.walroute.change.ParkedKeys;
import io.walroute.change.RedriveTurn;
import io.walroute.change.Settlement;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The deliveries on their way to one sink: waiting for their turn, ready, or under way.
 *
 * <p>Invariant: every delivery that {@link #accept} took keeps its hold until {@link #finish} or {@link #spilled} was called
 * for it; it is released only if the delivery got through or is parked, and failed otherwise, {@link #close} included. So the
 * slot never passes what this lane holds.
 *
 * <p>All methods may be called from any thread. Holds and the parking are called without the lock. The lane outlives its
 * consumer: while the sink's route is stopped, deliveries stay here until there is no more room, and then senders wait.
 */
final class Lane {
    private static final Logger LOG = LoggerFactory.getLogger(Lane.class);
    private static final long LOG_STALL_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long LOG_STALL_EVERY_NANOS = TimeUnit.SECONDS.toNanos(60);

    enum Outcome {
        DELIVERED,
        PARKED,
        /** It stands in the dead letters, but nothing has to wait behind it. */
        DEAD,
        FAILED
    }

    /** Writes a delivery into the dead letters and then calls {@link #spilled}. */
    interface Spill {
        void park(Delivery delivery);
    }

    private final String name;
    private final LaneMeters meters;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition room = lock.newCondition();
    private final Condition work = lock.newCondition();

    private final KeyedOrder<Delivery> order = new KeyedOrder<>();
    private final ParkedMarks marks;
    private final ArrayDeque<Delivery> ready = new ArrayDeque<>();
    /** Redriven ones that have been told whether they may be tried. */
    private final ArrayDeque<Delivery> answered = new ArrayDeque<>();

    private final Arrivals held = new Arrivals();
    /** Those that {@link Spill} has and hasn't ended. */
    private final Set<Delivery> spilling = new LinkedHashSet<>();
    /** Redriven ones that are under way. */
    private final Set<Delivery> redriving = new LinkedHashSet<>();

    private volatile LaneSettings settings = LaneSettings.DEFAULT; // written under the lock
    private Object consumer;
    private Spill spill;
    private boolean closed;
    /**
     * A change failed and will come again. Until the stream starts anew, a parked one of the same key is not to be redriven:
     * it may come after the one that failed.
     */
    private boolean awaitsNewStream;
    /** Of the last change that came by a stream; of the newest stream, therefore. */
    private Settlement newest = Settlement.NONE;

    private boolean paused;

    private long turns;
    private long heldBytes;
    /** What of the held is redriven. It has room of its own: in a lane that a backlog keeps full it would never get in. */
    private int heldRedriven;

    private long heldRedrivenBytes;
    private int inFlight;
    private int sendersWaiting;
    private long progressNanos;
    /** Since when senders have been turned away without one getting in; 0 while they get in. */
    private long fullSinceNanos;

    private long spilledSinceFull;
    private long stallLoggedNanos;

    Lane(String name, LaneMeters meters) {
        this(name, meters, ParkedMarks.MOST);
    }

    Lane(String name, LaneMeters meters, int mostParkedKeys) {
        this.name = name;
        this.meters = meters;
        marks = new ParkedMarks(mostParkedKeys);
    }

    /** Whether a key's deliveries are to wait for each other. */
    boolean isOrdered() {
        return settings.ordered();
    }

    /** Settings of a consumer that exists but doesn't run yet. */
    void configure(LaneSettings newSettings) {
        lock.lock();
        try {
            settings = newSettings;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Begins to serve a consumer.
     *
     * @param parking null if the lane never spills
     * @param parkedKeys asked now for the keys with parked deliveries, and again by {@link #compareMarks}
     * @throws IllegalStateException if there is another consumer
     */
    void attach(Object newConsumer, LaneSettings newSettings, Spill parking, Collection<ParkedKeys> parkedKeys) {
        lock.lock();
        try {
            if (consumer != null) {
                throw new IllegalStateException(newConsumer + " reads lanes:" + name + ", which " + consumer
                        + " reads already. A lane feeds one route: use multicast in it, or another lane");
            }
            consumer = newConsumer;
            settings = newSettings;
        } finally {
            lock.unlock();
        }
        try {
            if (newSettings.parkBehind()) {
                readMarks(parkedKeys, true);
            }
        } catch (RuntimeException e) {
            detach(newConsumer);
            throw e;
        }
        lock.lock();
        try {
            spill = parking;
            // They came before anything was known of parked ones.
            held.forEach(delivery -> delivery.mayBeBehind = true);
            room.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes the marks agree with the dead letters: of some keys nothing may be parked any more, since deliveries were
     * discarded or are dead. Blocks; does nothing if no key is marked.
     */
    void compareMarks(Collection<ParkedKeys> parkedKeys) {
        lock.lock();
        try {
            if (marks.isEmpty()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        readMarks(parkedKeys, false);
    }

    private void readMarks(Collection<ParkedKeys> parkedKeys, boolean first) {
        ParkedMarks.Reading reading;
        boolean before;
        lock.lock();
        try {
            before = marks.isEverything();
            // What is parked by way of the sink's route is marked when that is done: it need not be known here.
            reading = marks.beginReading(
                    spilling.stream().map(delivery -> delivery.claim).toList());
        } finally {
            lock.unlock();
        }
        boolean complete = true;
        for (ParkedKeys source : parkedKeys) {
            complete &= reading.take(source, name);
        }
        lock.lock();
        try {
            if (first) {
                marks.endFirstReading(reading, complete);
            } else {
                marks.endReading(reading, complete);
            }
            logManyMarks(before);
        } finally {
            lock.unlock();
        }
    }

    private void mark(Delivery delivery) {
        if (!settings.parkBehind()) {
            return;
        }
        boolean before = marks.isEverything();
        marks.parked(delivery.claim);
        logManyMarks(before);
    }

    private void logManyMarks(boolean before) {
        if (!before && marks.isEverything()) {
            LOG.warn(
                    "lanes:{}: more than {} keys have parked changes: all changes are parked until there are fewer",
                    name,
                    marks.most());
        } else if (before && !marks.isEverything()) {
            LOG.info("lanes:{}: {} keys have parked changes, all others go on", name, marks.size());
        }
    }

    /** Ends {@link #take} for this consumer; what isn't under way stays here. */
    void detach(Object oldConsumer) {
        lock.lock();
        try {
            if (consumer == oldConsumer) {
                consumer = null;
                spill = null;
                work.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a delivery, in the order of the calls. Blocks while the lane is full, unless the settings say to park.
     *
     * @return false if the change's stream has failed: the lane didn't take it, it comes again
     * @throws InterruptedException if interrupted meanwhile; the lane didn't take it, nor in the other cases
     * @throws RejectedExecutionException if the lane is closed, or has no room for a redriven delivery in time
     */
    boolean accept(Delivery delivery) throws InterruptedException {
        Spill parking = null;
        lock.lockInterruptibly();
        try {
            boolean hasRoom = awaitRoom(delivery);
            // Here, not before: whoever fails says so before it leaves the order, which takes this lock.
            if (delivery.settlement.isFailed()) {
                return false;
            }
            if (delivery.settlement.comesAgain()) {
                newest = delivery.settlement;
                awaitsNewStream = false;
            }
            if (hasRoom) {
                enter(delivery);
            } else {
                parking = spill;
                enterSpilled(delivery);
            }
        } finally {
            lock.unlock();
        }
        if (parking != null) {
            parking.park(delivery);
        }
        return true;
    }

    private void enter(Delivery delivery) {
        fullSinceNanos = 0;
        // Not at the first free place: a lane at its limit would say so hundreds of times a second.
        if (spilledSinceFull > 0 && (held.size() - heldRedriven) * 2 <= settings.size()) {
            roomAgain();
        }
        delivery.turn = ++turns;
        delivery.heldSinceNanos = System.nanoTime();
        delivery.mayBeBehind = !marks.isEmpty() && marks.isParked(delivery.claim);
        hold(delivery);
        delivery.place = order.add(delivery, delivery.claim);
        if (delivery.place.mayRun()) {
            isReady(delivery);
            work.signal();
        }
    }

    /** Redriven ones are few and have waited longest; and each may hold up new changes of its key. */
    private void isReady(Delivery delivery) {
        if (delivery.redrive) {
            ready.addFirst(delivery);
        } else {
            ready.add(delivery);
        }
    }

    private void hold(Delivery delivery) {
        held.add(delivery);
        heldBytes += delivery.bytes;
        if (delivery.redrive) {
            heldRedriven++;
            heldRedrivenBytes += delivery.bytes;
        }
    }

    /** Returns false if it isn't held. */
    private boolean letGo(Delivery delivery) {
        if (!held.remove(delivery)) {
            return false;
        }
        heldBytes -= delivery.bytes;
        if (delivery.redrive) {
            heldRedriven--;
            heldRedrivenBytes -= delivery.bytes;
        }
        return true;
    }

    private void enterSpilled(Delivery delivery) {
        delivery.turn = ++turns;
        spilling.add(delivery);
        mark(delivery);
        for (Delivery redriven : redriving) {
            redriven.keyParkedSince |= redriven.claim.conflictsWith(delivery.claim);
        }
        if (spilledSinceFull++ == 0) {
            warnOfOldest("parks changes");
        }
    }

    private void roomAgain() {
        LOG.info("lanes:{} has room again; {} changes were parked", name, spilledSinceFull);
        spilledSinceFull = 0;
    }

    /** Whether there is room; false to park. */
    private boolean awaitRoom(Delivery delivery) throws InterruptedException {
        throwIfClosed();
        if (hasRoom(delivery)) {
            return true;
        }
        long since = System.nanoTime();
        if (fullSinceNanos == 0) {
            fullSinceNanos = since;
        }
        sendersWaiting++;
        try {
            while (!hasRoom(delivery)) {
                long now = System.nanoTime();
                long waitNanos = delivery.redrive ? redriveWaitsNanos(since, now) : spillsInNanos(now);
                if (waitNanos <= 0 && spilling.size() < settings.size()) {
                    return false;
                }
                logStall(now);
                room.awaitNanos(waitNanos <= 0 ? LOG_STALL_AFTER_NANOS : Math.min(waitNanos, LOG_STALL_AFTER_NANOS));
                throwIfClosed();
            }
            return true;
        } finally {
            sendersWaiting--;
        }
    }

    private boolean hasRoom(Delivery delivery) {
        return delivery.redrive
                ? hasRoom(delivery, heldRedriven, heldRedrivenBytes, settings.maxBytes() / 4)
                : hasRoom(delivery, held.size() - heldRedriven, heldBytes - heldRedrivenBytes, settings.maxBytes());
    }

    private boolean hasRoom(Delivery delivery, int count, long bytes, long maxBytes) {
        return count == 0 || (count < settings.size() && bytes + delivery.bytes <= maxBytes);
    }

    /** A redriven one is safe where it came from: its sender tries again later rather than wait here for long. */
    private long redriveWaitsNanos(long since, long now) {
        long left = since + settings.parkAfter().toNanos() - now;
        if (left <= 0) {
            throw new RejectedExecutionException("lanes:" + name + " has no room for a redriven change: " + fullness());
        }
        return left;
    }

    private long spillsInNanos(long now) {
        if (spill == null) {
            return Long.MAX_VALUE;
        }
        if (settings.whenFull() == WhenFull.PARK) {
            return 0;
        }
        return Math.max(progressNanos, fullSinceNanos) + settings.parkAfter().toNanos() - now;
    }

    private void logStall(long now) {
        if (now - fullSinceNanos > LOG_STALL_AFTER_NANOS
                && (stallLoggedNanos == 0 || now - stallLoggedNanos > LOG_STALL_EVERY_NANOS)) {
            stallLoggedNanos = now;
            warnOfOldest("lets its senders wait");
        }
    }

    private void warnOfOldest(String what) {
        Delivery oldest = held.oldest();
        if (oldest == null) {
            LOG.warn("lanes:{} {}: {}", name, what, fullness());
            return;
        }
        try (var context = oldest.context(name)) {
            LOG.warn("lanes:{} {}: {}", name, what, fullness());
        }
    }

    private String fullness() {
        Delivery oldest = held.oldest();
        return String.format(
                "%,d changes held (limit %,d), %,d of %,d kB, %,d under way%s",
                held.size(),
                settings.size(),
                heldBytes >> 10,
                settings.maxBytes() >> 10,
                inFlight,
                oldest == null ? "" : ", oldest " + ageMs(System.nanoTime()) / 1000 + " s: " + oldest);
    }

    private void throwIfClosed() {
        if (closed) {
            throw new RejectedExecutionException("lanes:" + name + " is stopped");
        }
    }

    /** The next delivery that may run now; blocks until there is one. Null once the consumer is detached. */
    Delivery take(Object forConsumer) {
        lock.lock();
        try {
            Delivery next = null;
            while (consumer == forConsumer && (next = poll()) == null) {
                awaitWork();
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    /** As {@link #take}, but null if there is none at present. */
    Delivery poll() {
        lock.lock();
        try {
            if (!answered.isEmpty()) {
                return answered.poll();
            }
            return paused || ready.isEmpty() || inFlight >= settings.maxInFlight() ? null : start(ready.poll());
        } finally {
            lock.unlock();
        }
    }

    /** An interrupt that a route left behind on this thread must not end it; only {@link #detach} does. */
    private void awaitWork() {
        try {
            work.await();
        } catch (InterruptedException left) {
            LOG.trace("lanes:{}: interrupted while idle", name);
        }
    }

    private Delivery start(Delivery delivery) {
        inFlight++;
        delivery.started = true;
        delivery.startedNanos = System.nanoTime();
        if (delivery.redrive) {
            redriving.add(delivery);
            delivery.doomed |= awaitsNewStream;
            delivery.keyParkedSince = spilling.stream().anyMatch(other -> other.claim.conflictsWith(delivery.claim));
        } else {
            delivery.behind = settings.parkBehind() && delivery.mayBeBehind && marks.isParked(delivery.claim);
        }
        if (!ready.isEmpty()) {
            work.signal();
        }
        return delivery;
    }

    /** A redriven delivery that {@link #take} gave was told whether it may be tried; it is taken once more. */
    void answer(Delivery delivery, RedriveTurn.Answer answer) {
        lock.lock();
        try {
            delivery.answer = answer;
            answered.add(delivery);
            work.signal();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends a delivery that {@link #take} gave; its followers may run. Repeated calls do nothing.
     *
     * @param cause of FAILED; else null
     */
    void finish(Delivery delivery, Outcome outcome, Throwable cause) {
        int behind = 0;
        if (outcome == Outcome.FAILED) {
            failHold(delivery, cause);
        }
        lock.lock();
        try {
            if (!letGo(delivery)) {
                return;
            }
            inFlight--;
            redriving.remove(delivery);
            progressNanos = System.nanoTime();
            behind = note(delivery, outcome);
            order.forEachFollower(
                    delivery.place,
                    follower -> follower.mayBeBehind |= delivery.mayBeBehind || outcome == Outcome.PARKED);
            order.complete(delivery.place, this::isReady);
            if (!ready.isEmpty()) {
                work.signal();
            }
            if (sendersWaiting > 0 && hasPlentyOfRoom()) {
                room.signalAll();
            }
        } finally {
            lock.unlock();
        }
        settle(delivery, outcome, cause, behind);
    }

    /**
     * Before it leaves the order: from then on, what comes by the same stream is refused, and what came before it is found
     * behind it.
     */
    private static void failHold(Delivery delivery, Throwable cause) {
        delivery.hold.fail(cause);
    }

    private int note(Delivery delivery, Outcome outcome) {
        switch (outcome) {
            case PARKED -> mark(delivery);
            case DELIVERED, DEAD -> {
                if (delivery.redrive && delivery.answer != null && !delivery.keyParkedSince) {
                    clearMarks(delivery);
                }
            }
            case FAILED -> {
                if (delivery.settlement.isFailed() && !delivery.doomed) {
                    awaitsNewStream |= newest.isFailed();
                    return doom(order.behind(delivery.place));
                }
            }
        }
        return 0;
    }

    private void clearMarks(Delivery delivery) {
        if (!delivery.answer.keyLeft()) {
            marks.keyIsClear(delivery.claim);
        }
        if (!delivery.answer.oldKeyLeft()) {
            marks.oldKeyIsClear(delivery.claim);
        }
    }

    /**
     * A failed delivery comes again from the slot, and with it everything after it. What is already here behind it must not
     * run before, so it fails too: those that come again, and redriven ones, which stay in the dead letters. Nobody would
     * bring back others (replayed ones).
     */
    private static int doom(Collection<Delivery> followers) {
        int doomed = 0;
        for (Delivery follower : followers) {
            if (follower.settlement.isFailed() || follower.redrive) {
                follower.doomed = true;
                doomed++;
            }
        }
        return doomed;
    }

    /** Waking senders for each free place would cost a thread switch per delivery. */
    private boolean hasPlentyOfRoom() {
        return held.size() - heldRedriven <= settings.size() - settings.size() / 8
                && heldBytes - heldRedrivenBytes <= settings.maxBytes() - settings.maxBytes() / 8;
    }

    private void settle(Delivery delivery, Outcome outcome, Throwable cause, int behind) {
        switch (outcome) {
            case DELIVERED -> {
                meters.delivered(delivery);
                delivery.hold.release();
            }
            case PARKED, DEAD -> {
                meters.parked.increment();
                delivery.hold.release();
            }
            case FAILED -> {
                if (!delivery.doomed && !delivery.redrive) {
                    try (var context = delivery.context(name)) {
                        LOG.warn(
                                "lanes:{}: {} was neither delivered nor parked ({} behind it fail too): {}",
                                name,
                                delivery,
                                behind,
                                String.valueOf(cause));
                    }
                }
            }
        }
    }

    /**
     * Ends a delivery that was given to {@link Spill}. Repeated calls do nothing.
     *
     * @param cause why it isn't parked; null if it is
     */
    void spilled(Delivery delivery, Outcome outcome, Throwable cause) {
        int behind = 0;
        if (outcome == Outcome.FAILED) {
            failHold(delivery, cause);
        }
        lock.lock();
        try {
            if (delivery.spillEnded) {
                return;
            }
            delivery.spillEnded = true;
            spilling.remove(delivery);
            if (outcome == Outcome.FAILED && delivery.settlement.isFailed()) {
                awaitsNewStream |= newest.isFailed();
                behind = doom(behindSpilled(delivery));
            }
            if (sendersWaiting > 0) {
                room.signalAll();
            }
        } finally {
            lock.unlock();
        }
        settle(delivery, outcome, cause, behind);
    }

    /** A spilled delivery has no place in the order; rare enough to look at all. */
    private List<Delivery> behindSpilled(Delivery spilled) {
        return held.stream()
                .filter(delivery -> delivery.turn > spilled.turn && (!delivery.started || delivery.redrive))
                .filter(delivery -> delivery.claim.conflictsWith(spilled.claim))
                .toList();
    }

    /** Fails what isn't under way, and every sender that waits. What is under way may still finish. */
    void close() {
        List<Delivery> rest;
        int underWay;
        lock.lock();
        try {
            closed = true;
            consumer = null;
            underWay = inFlight;
            rest = held.stream().filter(delivery -> !delivery.started).toList();
            rest.forEach(this::letGo);
            ready.clear();
            answered.clear();
            room.signalAll();
            work.signalAll();
        } finally {
            lock.unlock();
        }
        if (underWay > 0 || !rest.isEmpty()) {
            LOG.warn(
                    "lanes:{} stopped with {} changes not begun and {} under way: not acknowledged, PostgreSQL sends them again",
                    name,
                    rest.size(),
                    underWay);
        }
        var stopped = new RejectedExecutionException("lanes:" + name + " stopped before the change's turn came");
        rest.forEach(delivery -> delivery.hold.fail(stopped));
    }

    /** While it is paused nothing is started; what is under way ends, and what comes waits here, then is parked. */
    void pause(boolean pause) {
        lock.lock();
        try {
            paused = pause;
            work.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean isPaused() {
        lock.lock();
        try {
            return paused;
        } finally {
            lock.unlock();
        }
    }

    /** Deliveries for which something is still to be done. */
    int pending() {
        lock.lock();
        try {
            return held.size() + spilling.size();
        } finally {
            lock.unlock();
        }
    }

    int held() {
        lock.lock();
        try {
            return held.size();
        } finally {
            lock.unlock();
        }
    }

    long heldBytes() {
        lock.lock();
        try {
            return heldBytes;
        } finally {
            lock.unlock();
        }
    }

    int inFlight() {
        lock.lock();
        try {
            return inFlight;
        } finally {
            lock.unlock();
        }
    }

    /** Keys behind whose parked changes others are parked; if there are too many to know them, that limit. */
    int parkedKeys() {
        lock.lock();
        try {
            return marks.isEverything() ? marks.most() : marks.size();
        } finally {
            lock.unlock();
        }
    }

    /** 0 if nothing is held. */
    long oldestHeldMs() {
        lock.lock();
        try {
            return ageMs(System.nanoTime());
        } finally {
            lock.unlock();
        }
    }

    private long ageMs(long now) {
        return held.isEmpty() ? 0 : TimeUnit.NANOSECONDS.toMillis(now - held.oldest().heldSinceNanos);
    }

    /** Whether nothing of what was held has left a trace. */
    boolean isIdle() {
        lock.lock();
        try {
            return held.isEmpty()
                    && heldBytes == 0
                    && inFlight == 0
                    && spilling.isEmpty()
                    && redriving.isEmpty()
                    && order.isEmpty();
        } finally {
            lock.unlock();
        }
    }
}
