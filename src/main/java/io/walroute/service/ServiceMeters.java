package io.walroute.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.walroute.backfill.Backfills;
import io.walroute.slot.Gap;
import io.walroute.slot.SlotInfo;
import io.walroute.source.SourceFigures;
import io.walroute.source.WalConsumer;
import io.walroute.source.WalStatus;
import io.walroute.store.Store;
import java.lang.management.ManagementFactory;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The meters of the service as a whole: source, slot, store and Debezium. What costs a query is looked at every few seconds by a
 * thread of its own; a scrape reads what was seen last, and never waits for a database.
 */
final class ServiceMeters implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceMeters.class);
    private static final long PERIOD_S = 3;
    private static final long COUNT_AUDIT_EVERY = 20;
    private static final int MOST_BACKFILLS = 500;

    private final MeterRegistry registry;
    private final Store store;
    private final Supplier<Optional<WalConsumer>> source;
    private final Supplier<Optional<Backfills>> backfills;
    private final SlotFigures slot = new SlotFigures();
    private final Rates rates = new Rates();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "metrics");
        thread.setDaemon(true);
        return thread;
    });
    private volatile Map<String, Double> debezium = Map.of();
    private volatile double auditRows = Double.NaN;
    private volatile double backfillRowsLeft;
    private long looks;

    /**
     * @param source the consumer that reads the slot, if a route has one
     * @param backfills empty before the start, and without a cache
     */
    ServiceMeters(
            MeterRegistry registry,
            Store store,
            Supplier<Optional<WalConsumer>> source,
            Supplier<Optional<Backfills>> backfills) {
        this.registry = registry;
        this.store = store;
        this.source = source;
        this.backfills = backfills;
        registerSource();
        registerBackfills();
        registerSlot();
        registerRest();
    }

    void start() {
        timer.scheduleWithFixedDelay(this::look, 0, PERIOD_S, TimeUnit.SECONDS);
    }

    // ---------------------------------------------------------------- meters

    private void registerSource() {
        FunctionCounter.builder("walroute.stream.restarts", this, m -> m.ofStatus(WalStatus::restarts, 0))
                .description("Streams that ended unasked, so that the slot was read again from its confirmed position")
                .register(registry);
        gauge(
                "walroute.streaming",
                "1 while changes come through, as the heartbeat proves",
                m -> m.ofStatus(status -> status.state() == WalStatus.State.STREAMING ? 1 : 0, 0));
        gauge("walroute.in.flight", "Changes received and not settled", m -> m.ofStatus(WalStatus::held, 0));
        gauge("walroute.in.flight.bytes", "About how much memory these take", m -> m.ofStatus(WalStatus::heldBytes, 0));
        gauge(
                "walroute.in.flight.oldest.seconds",
                "Time since the commit of the oldest of them",
                m -> m.oldest().map(ServiceMeters::seconds).orElse(0.0));
        gauge(
                "walroute.heartbeat.round.trip.seconds",
                "From writing a mark into the WAL until it came back",
                m -> seconds(m.figures().flatMap(SourceFigures::heartbeatRoundTrip)));
        gauge(
                "walroute.heartbeat.age.seconds",
                "Time since a mark came back",
                m -> seconds(m.figures().flatMap(SourceFigures::heartbeatAge)));
    }

    private void registerSlot() {
        gauge(
                "walroute.slot.lag.bytes",
                "WAL written since the slot's confirmed position",
                m -> m.ofSlot(SlotInfo::lagBytes));
        gauge("walroute.slot.lag.seconds", "How long ago that position was the newest", m -> seconds(m.lag()));
        gauge(
                "walroute.slot.kept.wal.bytes",
                "WAL that the server keeps for the slot",
                m -> m.ofSlot(SlotInfo::keptBytes));
        gauge(
                "walroute.slot.safe.wal.bytes",
                "WAL that may still be written before the slot is in danger; NaN without a limit",
                m -> m.ofSlot(SlotInfo::safeWalSize));
    }

    private void registerBackfills() {
        FunctionCounter.builder(
                        "walroute.backfill.rows",
                        this,
                        m -> m.backfills.get().map(Backfills::rowsRead).orElse(0L))
                .description("Existing rows that backfills have read")
                .register(registry);
        gauge(
                "walroute.backfill.rows.left",
                "Rows that queued and running backfills have still to read, by PostgreSQL's estimate",
                m -> m.backfillRowsLeft);
    }

    private void registerRest() {
        gauge(
                "walroute.store.pending",
                "Writes that wait for the store or are being committed",
                m -> m.store.pending());
        gauge("walroute.audit.rows", "Rows in the audit log", m -> m.auditRows);
        debezium(
                "MilliSecondsBehindSource",
                "walroute.debezium.behind.source.seconds",
                "Debezium's own view of the lag",
                1e-3);
        debezium("TotalNumberOfEventsSeen", "walroute.debezium.events", "Events that Debezium's stream has seen", 1);
        debezium(
                "NumberOfCommittedTransactions",
                "walroute.debezium.transactions",
                "Transactions that Debezium's stream has seen",
                1);
        debezium("QueueRemainingCapacity", "walroute.debezium.queue.room", "Room in Debezium's queue, in events", 1);
        debezium(
                "CurrentQueueSizeInBytes",
                "walroute.debezium.queue.bytes",
                "Bytes in Debezium's queue, if it is bounded by bytes",
                1);
        for (Gap.Reason reason : Gap.Reason.values()) {
            Counter.builder("walroute.gaps")
                    .description("Places found where the stream doesn't go on where it ended")
                    .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
    }

    private void gauge(String name, String description, ToDoubleFunction<ServiceMeters> value) {
        Gauge.builder(name, this, value).description(description).register(registry);
    }

    private void debezium(String attribute, String name, String description, double factor) {
        gauge(name, description, m -> m.debezium.getOrDefault(attribute, Double.NaN) * factor);
    }

    private double ofStatus(ToDoubleFunction<WalStatus> value, double otherwise) {
        return source.get().map(WalConsumer::status).map(value::applyAsDouble).orElse(otherwise);
    }

    private double ofSlot(Function<SlotInfo, Long> value) {
        return slot.newest()
                .map(look -> value.apply(look.slot()))
                .map(Long::doubleValue)
                .orElse(Double.NaN);
    }

    private static double seconds(Optional<Duration> time) {
        return time.map(ServiceMeters::seconds).orElse(Double.NaN);
    }

    static double seconds(Duration time) {
        return time.toNanos() / 1e9;
    }

    // ---------------------------------------------------------------- what reports need

    Optional<WalStatus> status() {
        return source.get().map(WalConsumer::status);
    }

    Optional<SourceFigures> figures() {
        return source.get().map(WalConsumer::figures);
    }

    Optional<SlotFigures.Look> slot() {
        return slot.newest();
    }

    Rates rates() {
        return rates;
    }

    Optional<Duration> oldest() {
        return figures()
                .flatMap(SourceFigures::oldestCommit)
                .map(commit -> notNegative(Duration.between(commit, Instant.now())));
    }

    /** Behind after an outage, what is in flight tells more than looks since the start do. */
    Optional<Duration> lag() {
        return slot.newest().map(look -> {
            Duration ofOldest = oldest().orElse(Duration.ZERO);
            return ofOldest.compareTo(look.lag()) > 0 ? ofOldest : look.lag();
        });
    }

    private static Duration notNegative(Duration time) {
        return time.isNegative() ? Duration.ZERO : time;
    }

    // ---------------------------------------------------------------- looking

    /** What whoever watches the slot found; null if there is none. While it can't be looked at, what was seen last stays. */
    void slotSeen(Instant at, SlotInfo found) {
        slot.look(at, found);
    }

    private void look() {
        try {
            debezium = debeziumValues();
            rates.look(System.nanoTime(), registry.find("walroute.received").counters());
            backfillRowsLeft = backfillRowsLeft();
            if (looks++ % COUNT_AUDIT_EVERY == 0) {
                auditRows = auditRows();
            }
        } catch (SQLException | JMException | RuntimeException e) {
            LOG.debug("Figures can't be read", e);
        }
    }

    private double backfillRowsLeft() throws SQLException {
        if (backfills.get().isEmpty()) {
            return 0;
        }
        return backfills.get().get().list(MOST_BACKFILLS).stream()
                .filter(backfill -> !backfill.state().isEnd())
                .mapToDouble(backfill -> Math.max(0, backfill.estimatedRows() - backfill.rows()))
                .sum();
    }

    /** By its first and last number, as counting millions of rows takes seconds; pruning begins at the first. */
    private double auditRows() throws SQLException {
        return store.read(connection -> {
            try (var query = connection.createStatement();
                    var rows = query.executeQuery(
                            "SELECT (SELECT min(seq) FROM audit_log), (SELECT max(seq) FROM audit_log)")) {
                rows.next();
                long first = rows.getLong(1);
                return rows.wasNull() ? 0.0 : (double) (rows.getLong(2) - first + 1);
            }
        });
    }

    private Map<String, Double> debeziumValues() throws JMException {
        String engine = figures().map(SourceFigures::engine).orElse(null);
        if (engine == null) {
            return Map.of();
        }
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        var name = new ObjectName(
                "debezium.postgres:type=connector-metrics,context=streaming,server=" + ObjectName.quote(engine));
        if (!server.isRegistered(name)) {
            name = new ObjectName("debezium.postgres:type=connector-metrics,context=streaming,server=" + engine);
        }
        if (!server.isRegistered(name)) {
            return Map.of();
        }
        Map<String, Double> values = new HashMap<>();
        for (String attribute : new String[] {
            "MilliSecondsBehindSource",
            "TotalNumberOfEventsSeen",
            "NumberOfCommittedTransactions",
            "QueueRemainingCapacity",
            "CurrentQueueSizeInBytes"
        }) {
            if (server.getAttribute(name, attribute) instanceof Number number) {
                values.put(attribute, number.doubleValue());
            }
        }
        return values;
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
