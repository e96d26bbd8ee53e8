package io.walroute.source;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeContext;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Lsn;
import io.walroute.change.Settlement;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.apache.camel.AsyncProcessor;
import org.apache.camel.AsyncProducer;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.api.management.ManagedAttribute;
import org.apache.camel.api.management.ManagedResource;
import org.apache.camel.support.DefaultConsumer;
import org.apache.camel.support.service.ServiceHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the slot and hands each change to the route, in commit order, without waiting for the one before; confirms to
 * PostgreSQL what is settled, and nothing behind a change that isn't.
 *
 * <p>A thread of its own (the supervisor) asks for the slot, starts a stream, and starts another one, with backoff, when that
 * ends. Routes run on the stream's thread. Any change that fails ends the stream: PostgreSQL then sends it again.
 */
@ManagedResource(description = "WAL source")
public class WalConsumer extends DefaultConsumer {
    private static final Logger LOG = LoggerFactory.getLogger(WalConsumer.class);
    // One prefix per engine in this JVM: Debezium registers its MBeans under it, and two alive with one prefix hang.
    private static final AtomicInteger ENGINES = new AtomicInteger();
    private static final Duration FIRST_BACKOFF = Duration.ofMillis(250);
    // A heartbeat that takes longer makes one ask who sends.
    private static final Duration LATE = Duration.ofSeconds(2);
    // How long a stop waits, behind the drain, for the stream to end. What hangs longer ends with the process.
    private static final Duration CLOSING = Duration.ofSeconds(3);
    // Transactions that are settled but not confirmed, as while the slot can't be looked at: more aren't remembered.
    private static final int MOST_UNCONFIRMED = 20_000;
    // How often it is asked whether an operator passes over a transaction.
    private static final Duration SKIPS_POLL = Duration.ofSeconds(2);
    private static final Duration STANDBY_POLL = Duration.ofSeconds(1);
    // A stream that lives calls every TICK, unless it is in a route.
    private static final Duration SILENCE = Duration.ofSeconds(3);
    /** As many changes under way keep all sinks busy. */
    private static final int FEW = 2_000;
    /** A sink that settles nothing for so long lets more changes gather. */
    private static final Duration SLOW = Duration.ofMillis(20);

    private static final Duration ANNOUNCE_EVERY = Duration.ofMillis(25);

    private static final String STATUS_INTERVAL = "status.update.interval.ms";

    private final WalEndpoint endpoint;
    private final Object wakeUp = new Object();
    private volatile boolean stopping;
    private volatile Life life;
    private volatile WalHeartbeat heartbeat;
    private volatile Supervisor supervisor;
    private volatile String engine;
    private SourceMeters meters;
    /** Null if what is passed over goes nowhere. */
    private AsyncProducer skippedTo;

    private volatile WalStatus.State state = WalStatus.State.STOPPED;
    private volatile String message = "not started";
    private volatile Instant since = Instant.now();
    private volatile long restarts;
    private volatile long received;
    private volatile long passedOver;
    // What streams before settled and PostgreSQL sends again; the supervisor's.
    private List<StopMark> carriedOver = List.of();

    WalConsumer(WalEndpoint endpoint, Processor processor) {
        super(endpoint, processor);
        this.endpoint = endpoint;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        meters = new SourceMeters(meterRegistry());
        setHealthCheck(new WalHealthCheck(this, getRouteId()));
        if (endpoint.getSkippedUri() != null && skippedTo == null) {
            skippedTo = endpoint.getCamelContext()
                    .getEndpoint(endpoint.getSkippedUri())
                    .createAsyncProducer();
        }
        ServiceHelper.startService(skippedTo);
        stopping = false;
        enter(WalStatus.State.STARTING, "asking for the slot");
        var next = new Supervisor(supervisor);
        supervisor = next;
        next.start();
    }

    private MeterRegistry meterRegistry() {
        var found = endpoint.getCamelContext().getRegistry().findSingleByType(MeterRegistry.class);
        return found != null ? found : new SimpleMeterRegistry();
    }

    /** Takes no further changes, waits for those in flight as long as the drain timeout allows, confirms, and ends. */
    @Override
    protected void doStop() throws Exception {
        stopping = true;
        Life current = life;
        if (current != null) {
            current.drain();
        }
        synchronized (wakeUp) {
            wakeUp.notifyAll();
        }
        if (supervisor != null) { // a context that failed to start stops consumers that never ran
            // An engine whose connection swallows everything takes many seconds to close, for nothing.
            boolean dead = current != null && !current.ended() && current.isSilent();
            supervisor.join(dead ? 1_000 : endpoint.getDrainTimeout() + CLOSING.toMillis());
        }
        enter(
                WalStatus.State.STOPPED,
                endpoint.getCamelContext().isStopping()
                        ? "stopped"
                        : "paused by an operator: changes wait in the WAL, which grows. Go on: walroute resume source");
        ServiceHelper.stopService(skippedTo);
        super.doStop();
    }

    // ---------------------------------------------------------------- supervisor

    /** Keeps a stream running, from a start to the next stop. */
    private final class Supervisor extends Thread {
        private final Supervisor former;

        /** @param former who must have ended before another stream may begin; null at the first start */
        Supervisor(Supervisor former) {
            super("wal-supervisor-" + getRouteId());
            setDaemon(true);
            this.former = former;
        }

        @Override
        public void run() {
            awaitFormer(former);
            supervise();
        }
    }

    /** A stop that wasn't waited for, a start behind it: then there are two supervisors, and the older has no say any more. */
    private boolean hasEnded() {
        return stopping || Thread.currentThread() != supervisor;
    }

    private void awaitFormer(Supervisor former) {
        try {
            while (former != null && former.isAlive() && !hasEnded()) {
                enter(WalStatus.State.STARTING, "the stream that was stopped hasn't ended yet");
                former.join(200);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            stopping = true;
        }
    }

    private void supervise() {
        carriedOver = keptMark();
        Duration backoff = FIRST_BACKOFF;
        while (!hasEnded()) {
            try {
                Optional<SlotCheck.Obstacle> obstacle = check();
                if (obstacle.isPresent()) {
                    boolean standby = obstacle.get().standby();
                    enter(
                            standby ? WalStatus.State.STANDBY : WalStatus.State.DOWN,
                            obstacle.get().message());
                    pause(standby ? STANDBY_POLL : backoff);
                    backoff = next(backoff);
                    continue;
                }
                Life ended = live();
                if (hasEnded()) {
                    return;
                }
                if (ended.brokenOff != null) {
                    continue; // the check says the rest
                }
                if (ended.skipsChanged) {
                    backoff = FIRST_BACKOFF;
                    continue; // from the slot on, with the rules as they are now
                }
                restarts++;
                if (ended.madeProgress) {
                    backoff = FIRST_BACKOFF;
                }
                String cause = ended.causeLine();
                enter(WalStatus.State.DOWN, "the stream ended: " + cause);
                LOG.warn(
                        "The stream from slot {} ended: {}. Starting again in {} ms",
                        slot(),
                        cause,
                        backoff.toMillis());
                LOG.debug("The stream ended", ended.cause);
            } catch (RuntimeException e) {
                enter(WalStatus.State.DOWN, "the stream can't be started: " + line(e));
                LOG.warn("The stream from slot {} can't be started: {}", slot(), line(e));
                LOG.debug("The stream can't be started", e);
            }
            pause(backoff);
            backoff = next(backoff);
        }
    }

    private List<StopMark> keptMark() {
        StopMark.Keeper keeper = endpoint.getComponent().getStopMarks();
        try {
            StopMark mark = keeper == null ? null : keeper.last();
            return mark == null ? List.of() : List.of(mark);
        } catch (Exception e) {
            LOG.warn("How far the last stop came can't be read, so what it settled may be sent again: {}", line(e));
            return List.of();
        }
    }

    private Duration next(Duration backoff) {
        Duration doubled = backoff.multipliedBy(2);
        Duration longest = Duration.ofMillis(endpoint.getMaxBackoff());
        return doubled.compareTo(longest) > 0 ? longest : doubled;
    }

    private void pause(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        synchronized (wakeUp) {
            long left;
            while (!hasEnded() && (left = end - System.nanoTime()) > 0) {
                try {
                    TimeUnit.NANOSECONDS.timedWait(wakeUp, left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    stopping = true;
                }
            }
        }
    }

    /** Runs one stream until it has ended, and sends heartbeats meanwhile. */
    private Life live() {
        enter(WalStatus.State.STARTING, "starting the stream");
        try (var catalog = new TableCatalog(this::connect);
                var beat = new WalHeartbeat(this::connect)) {
            heartbeat = beat;
            List<SkipRule> skips = skips();
            var reader = new DebeziumReader(endpoint.getComponent().getEpochs(), catalog, excluded(), skips);
            var stream = new DebeziumStream(engineSettings(), reader);
            var begun = new Life(stream, carriedOver);
            stream.start(begun);
            life = begun; // not before: a stop would wait for the end of a stream that never began
            long askedNanos = System.nanoTime();
            while (!begun.ended() && !hasEnded()) {
                Optional<SlotCheck.Obstacle> obstacle = obstacleMeanwhile();
                if (obstacle.isPresent()) {
                    begun.breakOff(obstacle.get());
                    break;
                }
                if (System.nanoTime() - askedNanos >= SKIPS_POLL.toNanos()) {
                    askedNanos = System.nanoTime();
                    if (haveChanged(skips)) {
                        begun.startAgain();
                        break;
                    }
                }
                beat(beat, begun);
                if (begun.isHeldUp() && beat.isServerShuttingDown()) {
                    begun.letGo();
                    break;
                }
                begun.awaitEnd(beat.hasReturned() ? Math.min(endpoint.getWalHeartbeat(), 1_000) : 100);
            }
            if (hasEnded()) {
                begun.drain();
                stream.close();
            }
            begun.awaitEnd(Long.MAX_VALUE);
            if (!hasEnded()) {
                carriedOver = begun.settledButUnconfirmed();
            }
            return begun;
        }
    }

    /** A rule that is on record must hold: what it passes over must not slip through because it couldn't be read. */
    private List<SkipRule> skips() {
        Skips skips = endpoint.getComponent().getSkips();
        try {
            return skips == null ? List.of() : List.copyOf(skips.rules());
        } catch (Exception e) {
            throw new IllegalStateException("which transactions are passed over can't be read: " + line(e), e);
        }
    }

    private boolean haveChanged(List<SkipRule> known) {
        try {
            return !skips().equals(known);
        } catch (IllegalStateException e) {
            LOG.debug("Whether a transaction is to be passed over can't be asked", e);
            return false;
        }
    }

    private void beat(WalHeartbeat beat, Life life) {
        long interval = TimeUnit.MILLISECONDS.toNanos(endpoint.getWalHeartbeat());
        try {
            // The first one is sent at once: readiness waits for it.
            if (beat.nanosSinceSend() >= interval || (!beat.isUnderway() && !beat.hasReturned())) {
                beat.send();
            }
        } catch (SQLException e) {
            LOG.debug("The heartbeat can't be written", e);
            enter(WalStatus.State.DOWN, "the WAL heartbeat can't be written: " + line(e));
            pause(Duration.ofMillis(500));
            return;
        }
        if (beat.isUnderway() && beat.nanosSinceSend() > LATE.toNanos()) {
            giveUpIfTheServerDid(life);
        }
        if (!beat.hasReturned()) {
            return;
        }
        // In time: one interval of grace for the next to be sent, another (10 s at least) for it to come back.
        long grace = interval + Math.max(interval, TimeUnit.SECONDS.toNanos(10));
        if (beat.nanosSinceReturn() > grace) {
            enter(
                    WalStatus.State.DOWN,
                    "no WAL heartbeat came back for " + TimeUnit.NANOSECONDS.toSeconds(beat.nanosSinceReturn()) + " s: "
                            + life.whatIsHeld());
        } else {
            if (life.walSender == 0) {
                life.walSender = walSender();
            }
            enter(WalStatus.State.STREAMING, "streaming from slot " + slot());
        }
    }

    /**
     * The driver takes the end of a stream for "no message yet" and may never notice it, and a host that vanishes says nothing at
     * all. Time alone proves nothing: behind a large transaction a heartbeat is late, too. So ask who reads the slot.
     */
    private void giveUpIfTheServerDid(Life life) {
        int now = walSender();
        if (life.walSender == 0) {
            life.walSender = now; // a stream may end before its first heartbeat has come back, too
        } else if (now != life.walSender && !life.ended()) {
            life.giveUp(new IOException("the heartbeat does not come back, and the server has ended the connection"));
        }
    }

    /** The process that reads the slot on the server; 0 if there is none, the last one known if that can't be asked. */
    private int walSender() {
        try (Connection connection = connect();
                var query = connection.prepareStatement(
                        "SELECT active_pid FROM pg_replication_slots WHERE slot_name = ?")) {
            query.setString(1, slot());
            var rows = query.executeQuery();
            return rows.next() ? rows.getInt(1) : 0;
        } catch (SQLException e) {
            LOG.debug("Who reads the slot can't be asked", e);
            Life current = life;
            return current == null ? 0 : current.walSender;
        }
    }

    private Set<String> excluded() {
        return Arrays.stream(endpoint.getExcludeTables().split(","))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .collect(Collectors.toSet());
    }

    private Properties engineSettings() {
        Properties settings =
                endpoint.getConfiguration().createDebeziumConfiguration().asProperties();
        String unique = settings.getProperty("topic.prefix") + ENGINES.incrementAndGet();
        settings.setProperty("topic.prefix", unique);
        settings.setProperty("name", unique);
        settings.putIfAbsent("driver.socketFactory", PatientSockets.class.getName());
        settings.setProperty(STATUS_INTERVAL, Long.toString(statusInterval(settings.getProperty(STATUS_INTERVAL))));
        engine = unique;
        String options = settings.getProperty("driver.options", "");
        settings.setProperty(
                "driver.options", (options + " -c wal_sender_timeout=" + endpoint.getWalSenderTimeout()).strip());
        return settings;
    }

    /** Several in each wal_sender_timeout: a held-back stream shows by nothing else that it lives. */
    private long statusInterval(String asked) {
        long interval = Long.parseLong(asked);
        long timeout = endpoint.getWalSenderTimeout();
        return timeout <= 0 ? interval : Math.max(1, Math.min(interval, timeout / 4)); // 0 is no timeout
    }

    private Optional<SlotCheck.Obstacle> check() {
        SlotCheck check = endpoint.getComponent().getSlotCheck();
        return check != null ? check.check() : checkThatTheSlotExists();
    }

    private Optional<SlotCheck.Obstacle> obstacleMeanwhile() {
        SlotCheck check = endpoint.getComponent().getSlotCheck();
        return check == null ? Optional.empty() : check.whileStreaming();
    }

    private void announce(Lsn position, Runnable then) {
        SlotCheck check = endpoint.getComponent().getSlotCheck();
        if (check == null || position == null) {
            then.run();
        } else {
            check.beforeConfirm(position, then);
        }
    }

    private Optional<SlotCheck.Obstacle> checkThatTheSlotExists() {
        try (Connection connection = connect();
                var query = connection.prepareStatement(
                        "SELECT active, active_pid FROM pg_replication_slots WHERE slot_name = ?")) {
            query.setString(1, slot());
            var rows = query.executeQuery();
            if (!rows.next()) {
                return Optional.of(new SlotCheck.Obstacle(
                        false, "slot " + slot() + " doesn't exist: changes are not being kept. Run: walroute setup"));
            }
            return rows.getBoolean(1)
                    ? Optional.of(new SlotCheck.Obstacle(
                            true,
                            "slot " + slot() + " is in use by process " + rows.getInt(2) + "; waiting to take over"))
                    : Optional.empty();
        } catch (SQLException e) {
            return Optional.of(new SlotCheck.Obstacle(false, "the database can't be asked for its slot: " + line(e)));
        }
    }

    private Connection connect() throws SQLException {
        var c = endpoint.getConfiguration();
        var properties = new Properties();
        properties.setProperty("user", String.valueOf(c.getDatabaseUser()));
        if (c.getDatabasePassword() != null) {
            properties.setProperty("password", c.getDatabasePassword());
        }
        set(properties, "sslmode", c.getDatabaseSslmode());
        set(properties, "sslrootcert", c.getDatabaseSslrootcert());
        set(properties, "sslcert", c.getDatabaseSslcert());
        set(properties, "sslkey", c.getDatabaseSslkey());
        set(properties, "sslpassword", c.getDatabaseSslpassword());
        c.getAdditionalProperties().forEach((name, value) -> {
            if (name.startsWith("driver.")) {
                properties.setProperty(name.substring("driver.".length()), String.valueOf(value));
            }
        });
        properties.putIfAbsent("ApplicationName", "walroute");
        properties.putIfAbsent("connectTimeout", "10");
        properties.setProperty("socketTimeout", "10");
        String host = c.getDatabaseHostname();
        if (host.indexOf(':') >= 0 && !host.startsWith("[")) {
            host = "[" + host + "]";
        }
        return DriverManager.getConnection(
                "jdbc:postgresql://" + host + ":" + c.getDatabasePort() + "/"
                        + java.net.URLEncoder.encode(c.getDatabaseDbname(), java.nio.charset.StandardCharsets.UTF_8),
                properties);
    }

    private static void set(Properties properties, String name, String value) {
        if (value != null && !value.isBlank()) {
            properties.setProperty(name, value);
        }
    }

    // ---------------------------------------------------------------- status

    private void enter(WalStatus.State next, String why) {
        if (Thread.currentThread() instanceof Supervisor former && former != supervisor) {
            return;
        }
        boolean changed = next != state;
        if (changed || !why.equals(message)) {
            since = changed ? Instant.now() : since;
            message = why;
            state = next;
        }
        if (!changed) {
            return;
        }
        switch (next) {
            case STREAMING -> LOG.info("Streaming from slot {} of {}", slot(), database());
            case STANDBY -> LOG.info("Standing by: {}", why);
            case DOWN -> LOG.warn("Not streaming: {}", why);
            default -> LOG.debug("{}: {}", next, why);
        }
    }

    /** A snapshot; may be called from any thread. */
    public WalStatus status() {
        Life current = life;
        int held = current == null ? 0 : current.ledger.held();
        long bytes = current == null ? 0 : current.ledger.heldBytes();
        return new WalStatus(state, message, since, restarts, held, bytes, received);
    }

    /** A snapshot; may be called from any thread. */
    public SourceFigures figures() {
        Life current = life;
        WalHeartbeat beat = heartbeat;
        if (current == null || beat == null || current.ended()) {
            return SourceFigures.NONE;
        }
        boolean returned = beat.hasReturned();
        return new SourceFigures(
                returned ? Optional.of(Duration.ofNanos(beat.roundTripNanos())) : Optional.empty(),
                returned ? Optional.of(Duration.ofNanos(beat.nanosSinceReturn())) : Optional.empty(),
                Optional.ofNullable(current.ledger.oldestCommit()),
                engine);
    }

    @ManagedAttribute(description = "STARTING, STREAMING, STANDBY, DOWN or STOPPED")
    public String getState() {
        return state.name();
    }

    @ManagedAttribute(description = "What explains the state")
    public String getStateMessage() {
        return message;
    }

    @ManagedAttribute(description = "Changes that PostgreSQL sent again and that were settled before")
    public long getPassedOver() {
        return passedOver;
    }

    @ManagedAttribute(description = "Changes that routes are working on")
    public int getHeldChanges() {
        return status().held();
    }

    @ManagedAttribute(description = "Streams that ended unasked")
    public long getRestarts() {
        return restarts;
    }

    @ManagedAttribute(description = "Changes received, repeats included")
    public long getReceivedChanges() {
        return received;
    }

    private String slot() {
        return endpoint.getConfiguration().getSlotName();
    }

    private String database() {
        var c = endpoint.getConfiguration();
        return c.getDatabaseHostname() + ":" + c.getDatabasePort() + "/" + c.getDatabaseDbname();
    }

    /** The root cause in one line. */
    private static String line(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String text = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
        return text.strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    // ---------------------------------------------------------------- one stream's life

    /** A transaction that was handed over whole. */
    private record Taken(Item end, StopMark mark) {}

    /** Feeds one stream's changes to the route and confirms what is settled. */
    private final class Life implements ChangeStream.Handler {
        private final ChangeStream stream;
        private final Ledger ledger;
        private final int few;

        private boolean sinkIsSlow;
        private final CountDownLatch ended = new CountDownLatch(1);
        private final CountDownLatch drained = new CountDownLatch(1);
        private volatile Thread owner;
        private volatile boolean waiting;
        private volatile long drainSinceNanos;
        private volatile boolean draining;
        // Whether a transaction's END is still to come: only then is everything before it confirmable.
        private boolean inTransaction;
        private volatile boolean madeProgress;
        private volatile Throwable cause;
        private volatile Exception gaveUp;
        // The server's process at the other end, once it is known; 0 before.
        private volatile int walSender;
        private volatile SlotCheck.Obstacle brokenOff;
        // What is announced may be confirmed once that is noted down; the first two belong to the stream's thread.
        private Item announced;
        private Item toAnnounce;
        private long announcedNanos = System.nanoTime() - ANNOUNCE_EVERY.toNanos();
        // Since what was announced last, something came that is worth moving the slot for. A transaction without
        // changes
        // for us isn't: it may be the very note of where the slot may move, and would bring forth the next.
        private boolean worthConfirming;
        private Item confirmed;
        private volatile Item confirmable;
        private volatile boolean lettingGo;
        private volatile boolean skipsChanged;
        // The transaction under way, if it is passed over; the stream thread's.
        private SkipRule skipping;
        private long skipped;
        private long unread;
        // After this nothing is handed over nor confirmed: something in between was left out.
        private boolean finished;
        // Whether the stream's thread is in handle(), and when it came in or went out.
        private volatile boolean handling;
        private volatile long turnedNanos = System.nanoTime();
        // When something came, be it only the engine's sign of life.
        private volatile long heardNanos = System.nanoTime();

        // Transactions whose end was taken but isn't confirmed yet, in their order; and the one under way. The stream
        // thread's.
        private final Deque<Taken> unconfirmed = new ArrayDeque<>();
        private StopMark underway;
        private boolean tooMany;
        // What an earlier stream settled, by transaction.
        private final Map<Long, StopMark> settledBefore;

        /** @param settledBefore what is passed over: it was settled, though not confirmed */
        Life(ChangeStream stream, List<StopMark> settledBefore) {
            this.stream = stream;
            this.settledBefore = new HashMap<>();
            settledBefore.forEach(mark -> this.settledBefore.merge(mark.xid(), mark, StopMark::further));
            ledger = new Ledger(endpoint.getMaxInFlight(), endpoint.getMaxInFlightBytes(), this::wake);
            few = Math.min(endpoint.getMaxInFlight(), Math.max(FEW, endpoint.getMaxInFlight() / 5));
        }

        private void wake() {
            if (waiting) {
                LockSupport.unpark(owner);
            }
        }

        @Override
        public void handle(List<Item> items, ChangeStream.Confirmer confirmer) throws InterruptedException {
            owner = Thread.currentThread();
            long begun = System.nanoTime();
            turn(true);
            try {
                handleInTurn(items, confirmer);
            } finally {
                // Nothing could be heard meanwhile.
                if (!items.isEmpty() || System.nanoTime() - begun > WalConfiguration.TICK.toNanos()) {
                    heardNanos = System.nanoTime();
                }
                turn(false);
            }
        }

        private void turn(boolean in) {
            turnedNanos = System.nanoTime();
            handling = in;
        }

        /** Whether a route or a full pipeline has kept the stream from reading on for a while. */
        boolean isHeldUp() {
            return handling && System.nanoTime() - turnedNanos > TimeUnit.SECONDS.toNanos(1);
        }

        /** Whether nothing comes from the stream any more, not even its signs of life. */
        boolean isSilent() {
            return !handling && System.nanoTime() - heardNanos > SILENCE.toNanos();
        }

        /**
         * Ends the stream because its server is being stopped. That waits until the walsender has sent everything, which it
         * can't while nobody reads on.
         */
        void letGo() {
            lettingGo = true;
            stream.close();
        }

        private void handleInTurn(List<Item> items, ChangeStream.Confirmer confirmer) throws InterruptedException {
            if (finished) {
                // The engine sends a confirmation to PostgreSQL when it polls again, which it has done now; closed
                // sooner, it
                // might break that off, and all of the last transaction would be repeated.
                drained.countDown();
                return;
            }
            for (Item item : items) {
                if (mayStopHere()) {
                    break;
                }
                awaitRoom(confirmer);
                take(item);
                inTransaction = item.kind() == Item.Kind.BEGIN || inTransaction && item.kind() != Item.Kind.END;
            }
            confirm(confirmer);
            if (mayStopHere()) {
                finishDraining(confirmer);
            }
        }

        /**
         * In the middle of a transaction, too, if how far it came can be kept. Otherwise a stop goes on to the transaction's end, if
         * half of the drain timeout suffices for that: one that is broken off comes again from its first row.
         */
        private boolean mayStopHere() {
            return draining
                    && (!inTransaction || keeper() != null || System.nanoTime() - drainSinceNanos >= drainNanos() / 2);
        }

        private long drainNanos() {
            return TimeUnit.MILLISECONDS.toNanos(endpoint.getDrainTimeout());
        }

        private void take(Item item) {
            worthConfirming |= item.change() != null || item.skipped() != null || item.heartbeat() != null;
            if (item.skipped() != null) {
                skip(item);
                return;
            }
            if (item.change() != null) {
                received++; // one stream at a time, hence one writer
                StopMark before = settledBefore.get(item.change().xid());
                if (before != null && before.covers(item.change())) {
                    passedOver++;
                    ledger.submitSettled(item);
                } else {
                    dispatch(item);
                }
                underway = StopMark.after(underway, item.change());
                return;
            }
            if (item.kind() == Item.Kind.END && skipping != null) {
                endSkipped();
            }
            if (item.kind() == Item.Kind.END && underway != null) {
                // The newest are left out, not the oldest: what is passed over must be a beginning.
                tooMany |= unconfirmed.size() >= MOST_UNCONFIRMED;
                if (!tooMany) {
                    unconfirmed.addLast(new Taken(item, underway));
                }
                underway = null;
            }
            if (item.heartbeat() != null) {
                heartbeat.returned(item.heartbeat());
            }
            ledger.submitSettled(item);
        }

        private void skip(Item item) {
            if (!item.skipped().rule().equals(skipping)) {
                skipping = item.skipped().rule();
                skipped = 0;
                unread = 0;
            }
            skipped++;
            meters.skipped(item.skipped().table(), item.skipped().operation());
            if (skippedTo == null || item.skipped().change() == null) {
                unread += item.skipped().change() == null ? 1 : 0;
                ledger.submitSettled(item);
                return;
            }
            Ledger.Entry entry = ledger.submit(item.withoutExchange());
            process(skippedTo, item, item.skipped().change(), entry);
        }

        private void endSkipped() {
            LOG.warn(
                    "Transaction {} at {} was passed over, as an operator ordered: {} changes{} (walroute skip --list)",
                    skipping.xid(),
                    skipping.commit(),
                    skipped,
                    unread == 0 ? "" : ", " + unread + " of which can't be read");
            settledBefore.remove(skipping.xid());
            endpoint.getComponent().getSkips().passed(skipping, skipped);
            skipping = null;
        }

        /**
         * What PostgreSQL will send again although it is settled: transactions that aren't confirmed yet, as far as they came.
         * For the supervisor, once the stream has ended.
         *
         * @return only what earlier streams settled, if something isn't settled within the drain timeout
         */
        List<StopMark> settledButUnconfirmed() {
            long end = System.nanoTime() + drainNanos();
            while (!ledger.isSettled()) {
                if (ledger.failure() != null || hasEnded() || System.nanoTime() - end > 0) {
                    return new ArrayList<>(settledBefore.values()); // what was settled once stays so
                }
                pause(Duration.ofMillis(20));
            }
            Map<Long, StopMark> marks = new LinkedHashMap<>(settledBefore);
            unconfirmed.forEach(taken -> marks.merge(taken.mark.xid(), taken.mark, StopMark::further));
            if (underway != null && !tooMany) {
                marks.merge(underway.xid(), underway, StopMark::further);
            }
            return new ArrayList<>(marks.values());
        }

        private void dispatch(Item item) {
            Ledger.Entry entry = ledger.submit(item.withoutExchange());
            meters.received(item.change(), entry.receivedNanos() - entry.committedNanos());
            process(getAsyncProcessor(), item, item.change(), entry);
        }

        private void process(AsyncProcessor to, Item item, ChangeEvent change, Ledger.Entry entry) {
            Exchange exchange = item.exchange().apply(endpoint);
            exchange.setProperty(Settlement.PROPERTY, entry);
            exchange.setProperty(ChangeProperties.CHANGE, change);
            to.process(exchange, sync -> routed(exchange, change, entry.routeHold()));
        }

        private void routed(Exchange exchange, ChangeEvent change, Settlement.Hold hold) {
            // Rolled back counts as failed, too: a route that says so hasn't done with the change.
            if (exchange.isFailed() || exchange.isRollbackOnly()) {
                Throwable failure = exchange.getException() != null
                        ? exchange.getException()
                        : new IllegalStateException("the route rolled the change back");
                logFailure(exchange, change, failure);
                hold.fail(failure);
            } else {
                hold.release();
            }
        }

        private void logFailure(Exchange exchange, ChangeEvent change, Throwable failure) {
            try (var context = ChangeContext.of(change, exchange.getFromRouteId())) {
                LOG.warn(
                        "{} of {} at {} in transaction {} failed and isn't acknowledged: {}",
                        change.operation(),
                        change.qualifiedTable(),
                        change.lsn(),
                        change.xid(),
                        line(failure));
            }
        }

        private void awaitRoom(ChangeStream.Confirmer confirmer) throws InterruptedException {
            while (ledger.isFull() && !mayStopHere()) {
                confirm(confirmer);
                if (ledger.isFull()) {
                    restWhileFull();
                }
            }
            throwFailure();
            easeOff(confirmer);
        }

        /**
         * Keeps few changes under way as long as all sinks get on: each collection of the young generation copies them. Behind a sink that
         * doesn't, as many as allowed are let in, so that the others go on.
         */
        private void easeOff(ChangeStream.Confirmer confirmer) throws InterruptedException {
            if (ledger.held() < few) {
                sinkIsSlow = false;
            }
            long since = 0;
            while (ledger.held() >= few && !sinkIsSlow && !mayStopHere()) {
                long now = System.nanoTime();
                since = since == 0 ? now : since;
                sinkIsSlow = now - since > SLOW.toNanos();
                restWhileFull();
                confirm(confirmer);
            }
        }

        /** Not woken by what settles: that would be a thread switch for each change, while thousands are still under way. */
        private void restWhileFull() throws InterruptedException {
            LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(1));
            if (Thread.interrupted()) {
                throw new InterruptedException("the stream is being closed");
            }
        }

        /** Until something settles, at most 100 ms: a missed wake-up costs that much, not the stream. */
        private void park() throws InterruptedException {
            waiting = true;
            LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(100));
            waiting = false;
            if (Thread.interrupted()) {
                throw new InterruptedException("the stream is being closed");
            }
        }

        private void confirm(ChangeStream.Confirmer confirmer) throws InterruptedException {
            Item newest = ledger.settledUpTo();
            toAnnounce = newest != null ? newest : toAnnounce;
            if (!worthConfirming) {
                toAnnounce = null; // or the next change worth it would announce this first
            }
            if (toAnnounce != null && worthConfirming && brokenOff == null && mayAnnounce()) {
                Item settled = toAnnounce;
                toAnnounce = null;
                worthConfirming = inTransaction || !ledger.isEmpty();
                announced = settled;
                announce(settled.position(), () -> {
                    confirmable = settled;
                    wake();
                });
            }
            Item next = confirmable;
            if (next != null && next != confirmed && brokenOff == null) {
                confirmer.confirm(next);
                confirmed = next;
                while (!unconfirmed.isEmpty() && isPast(next, unconfirmed.peekFirst().end)) {
                    settledBefore.remove(unconfirmed.removeFirst().mark.xid());
                }
                madeProgress = true;
            }
            throwFailure();
        }

        /** Each announcement is a write to the store and a message to the server; a few dozen in a second move the slot as well. */
        private boolean mayAnnounce() {
            long now = System.nanoTime();
            if (now - announcedNanos < ANNOUNCE_EVERY.toNanos() && !draining) {
                return false;
            }
            announcedNanos = now;
            return true;
        }

        private static boolean isPast(Item confirmed, Item end) {
            return confirmed == end
                    || confirmed.position() != null
                            && end.position() != null
                            && confirmed.position().compareTo(end.position()) >= 0;
        }

        private void throwFailure() {
            Throwable failure = ledger.failure();
            if (failure != null) {
                // Never the failure itself: were it a RetriableException, the engine would go on without the change.
                throw new IllegalStateException("a change failed: " + line(failure), failure);
            }
        }

        private void finishDraining(ChangeStream.Confirmer confirmer) throws InterruptedException {
            confirm(confirmer);
            while ((!ledger.isEmpty() || confirmed != announced)
                    && System.nanoTime() - drainSinceNanos < drainNanos()) {
                park();
                confirm(confirmer);
            }
            finished = true;
            if (!ledger.isEmpty()) {
                LOG.warn("Stopping with {}; PostgreSQL sends them again at the next start", whatIsHeld());
            } else if (confirmed != announced) {
                LOG.warn(
                        "Stopping before the slot could be moved; PostgreSQL sends the transaction again at the next start");
            } else if (inTransaction) {
                keepMark();
            }
        }

        private void keepMark() {
            try {
                if (keeper() != null && underway != null) {
                    keeper().keep(StopMark.further(settledBefore.get(underway.xid()), underway));
                    LOG.info(
                            "Stopping in the middle of transaction {}, which the next start goes on with",
                            underway.xid());
                    return;
                }
            } catch (Exception e) {
                LOG.debug("How far the transaction came can't be kept", e);
            }
            LOG.warn("Stopping in the middle of a transaction; PostgreSQL sends it again at the next start");
        }

        private StopMark.Keeper keeper() {
            return endpoint.getComponent().getStopMarks();
        }

        /** Ends the stream at once, so that another one begins. */
        void giveUp(Exception why) {
            gaveUp = why;
            stream.close();
        }

        /** Ends the stream at once, because other transactions are passed over than when it began. */
        void startAgain() {
            skipsChanged = true;
            LOG.info("Starting again from slot {}: an operator passes over a transaction", slot());
            stream.close();
        }

        /** Ends the stream at once; nothing is confirmed any more. */
        void breakOff(SlotCheck.Obstacle obstacle) {
            brokenOff = obstacle;
            enter(obstacle.standby() ? WalStatus.State.STANDBY : WalStatus.State.DOWN, obstacle.message());
            stream.close();
        }

        /** Blocks until what is in flight is settled and confirmed, the drain timeout is over, or the stream has ended. */
        void drain() {
            if (!draining) {
                drainSinceNanos = System.nanoTime();
                draining = true;
            }
            wake();
            long end = drainSinceNanos
                    + drainNanos()
                    + WalConfiguration.TICK.multipliedBy(4).toNanos();
            try {
                while (!ended()
                        && !isSilent()
                        && System.nanoTime() < end
                        && !drained.await(20, TimeUnit.MILLISECONDS)) {
                    wake();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void ended(Optional<Throwable> why) {
            cause = ledger.failure() != null ? ledger.failure() : why.orElse(gaveUp);
            ended.countDown();
        }

        boolean ended() {
            return ended.getCount() == 0;
        }

        void awaitEnd(long millis) {
            try {
                if (!ended.await(millis, TimeUnit.MILLISECONDS)) {
                    return;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        String causeLine() {
            if (lettingGo) {
                return "the server is being stopped";
            }
            return cause == null ? "without a cause" : line(cause);
        }

        String whatIsHeld() {
            return String.format(
                    Locale.ROOT,
                    "%,d changes held (limit %,d), %,d bytes (limit %,d)",
                    ledger.held(),
                    endpoint.getMaxInFlight(),
                    ledger.heldBytes(),
                    endpoint.getMaxInFlightBytes());
        }
    }
}
