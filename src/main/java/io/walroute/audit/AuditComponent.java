package io.walroute.audit;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.walroute.change.LatencyBuckets;
import io.walroute.change.Lsn;
import io.walroute.change.Settlement;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.camel.Endpoint;
import org.apache.camel.support.DefaultComponent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The component {@code audit:}. Owns the audit log in the {@link Store}, which it is given or finds in Camel's registry, and
 * prunes it every hour.
 */
public final class AuditComponent extends DefaultComponent {
    private static final Logger LOG = LoggerFactory.getLogger(AuditComponent.class);

    private AuditSettings settings = AuditSettings.DEFAULT;
    private Supplier<Lsn> unsettledFrom = () -> null;
    private Store store;
    private AuditLog log;
    private Counter delivered;
    private Timer receivedToDelivered;
    private Timer committedToDelivered;
    private ScheduledExecutorService pruning;

    public AuditComponent() {}

    public AuditComponent(AuditSettings settings, Store store) {
        this.settings = settings;
        this.store = store;
    }

    /**
     * Where the changes begin that aren't settled yet; asked before each pruning, which leaves them alone. The supplier gives
     * null if nothing is unsettled.
     */
    public void setUnsettledFrom(Supplier<Lsn> supplier) {
        unsettledFrom = supplier;
    }

    public void setSettings(AuditSettings settings) {
        this.settings = settings;
    }

    public void setStore(Store store) {
        this.store = store;
    }

    @Override
    protected Endpoint createEndpoint(String uri, String remaining, Map<String, Object> parameters) {
        if (!remaining.equals("log")) {
            throw new IllegalArgumentException("audit:" + remaining + " is unknown. Write audit:log");
        }
        return new AuditEndpoint(uri, this);
    }

    @Override
    protected void doInit() throws Exception {
        super.doInit();
        if (store == null) {
            store = getCamelContext().getRegistry().findSingleByType(Store.class);
        }
        if (store == null) {
            throw new IllegalStateException("audit: needs a Store. Bind one into Camel's registry");
        }
        log = new AuditLog(store);
        var meters = getCamelContext().getRegistry().findSingleByType(MeterRegistry.class);
        if (meters != null) {
            delivered = Counter.builder("walroute.delivered")
                    .description("Changes delivered, per sink")
                    .tag("sink", "audit")
                    .register(meters);
            receivedToDelivered = timer(
                    meters, "walroute.received.to.delivered", "From the receipt of a change until the sink took it");
            committedToDelivered =
                    timer(meters, "walroute.commit.to.delivered", "From a change's commit until the sink took it");
        }
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        pruning = getCamelContext().getExecutorServiceManager().newSingleThreadScheduledExecutor(this, "audit-pruning");
        pruning.scheduleWithFixedDelay(this::prune, 1, 60, TimeUnit.MINUTES);
    }

    @Override
    protected void doStop() throws Exception {
        if (pruning != null) {
            getCamelContext().getExecutorServiceManager().shutdownNow(pruning);
        }
        super.doStop();
    }

    private void prune() {
        try {
            long rows = log.prune(Instant.now().minus(settings.keep()), unsettledFrom.get());
            if (rows > 0) {
                LOG.info("Pruned {} changes older than {} from the audit log", rows, settings.keep());
            }
        } catch (SQLException | RuntimeException e) {
            // The next run takes what this one left; a failure must not end the schedule.
            LOG.warn("The audit log was not pruned, the next try is in an hour: {}", e.getMessage());
        }
    }

    Store store() {
        return store;
    }

    /** The log itself, for replay and reports; null before the component is initialised. */
    public AuditLog log() {
        return log;
    }

    void countDelivered(Settlement settlement) {
        if (delivered == null) {
            return;
        }
        delivered.increment();
        if (settlement.receivedNanos() != 0) {
            long now = System.nanoTime();
            receivedToDelivered.record(now - settlement.receivedNanos(), TimeUnit.NANOSECONDS);
            committedToDelivered.record(now - settlement.committedNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private static Timer timer(MeterRegistry meters, String name, String description) {
        return Timer.builder(name)
                .tag("sink", "audit")
                .description(description)
                .serviceLevelObjectives(LatencyBuckets.bounds())
                .register(meters);
    }
}
