package io.walroute.deadletter;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.MultiGauge.Row;
import io.micrometer.core.instrument.Tags;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.camel.Endpoint;
import org.apache.camel.support.DefaultComponent;
import org.apache.camel.support.service.ServiceHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The component {@code dead-letter:}. Owns the {@link DeadLetters} in the {@link Store}, which it is given or finds in
 * Camel's registry, and binds them there for the lanes, which ask them what is parked.
 */
public final class DeadLetterComponent extends DefaultComponent {
    private static final Logger LOG = LoggerFactory.getLogger(DeadLetterComponent.class);
    private static final String NAME_IN_REGISTRY = "walroute-dead-letters";
    private static final int COUNT_SECONDS = 10;

    private final Map<String, Schedule> schedules = new ConcurrentHashMap<>();
    private Store store;
    private DeadLetters letters;
    private BooleanSupplier redriving = () -> true;
    private MultiGauge gauge;
    private ScheduledExecutorService counting;

    public DeadLetterComponent() {}

    public DeadLetterComponent(Store store) {
        this.store = store;
    }

    public void setStore(Store store) {
        this.store = store;
    }

    /**
     * Whether this instance may send dead letters again, asked before each; default: always. Of several instances that share
     * a store only the one that has the slot may: two would overtake each other.
     */
    public void setRedriving(BooleanSupplier supplier) {
        redriving = supplier;
    }

    @Override
    protected Endpoint createEndpoint(String uri, String remaining, Map<String, Object> parameters) throws Exception {
        var endpoint = new DeadLetterEndpoint(uri, this, remaining);
        setProperties(endpoint, parameters);
        endpoint.check();
        return endpoint;
    }

    @Override
    protected void doInit() throws Exception {
        super.doInit();
        var registry = getCamelContext().getRegistry();
        if (store == null) {
            store = registry.findSingleByType(Store.class);
        }
        if (store == null) {
            throw new IllegalStateException("dead-letter: needs a Store. Bind one into Camel's registry");
        }
        letters = registry.findSingleByType(DeadLetters.class);
        if (letters == null) {
            letters = new DeadLetters(store);
            registry.bind(NAME_IN_REGISTRY, letters);
        }
        var attempts = new AttemptCounter();
        ServiceHelper.startService(attempts);
        getCamelContext().getManagementStrategy().addEventNotifier(attempts);
        var meters = registry.findSingleByType(MeterRegistry.class);
        if (meters != null) {
            gauge = MultiGauge.builder("walroute.dead.letters")
                    .description("Deliveries that did not get through, per sink: parked (sent again) or dead")
                    .register(meters);
        }
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        if (gauge != null) {
            counting = getCamelContext()
                    .getExecutorServiceManager()
                    .newSingleThreadScheduledExecutor(this, "dead-letter-count");
            counting.scheduleWithFixedDelay(this::count, 0, COUNT_SECONDS, TimeUnit.SECONDS);
        }
    }

    @Override
    protected void doStop() throws Exception {
        if (counting != null) {
            getCamelContext().getExecutorServiceManager().shutdownNow(counting);
        }
        super.doStop();
    }

    private void count() {
        try {
            List<Row<?>> rows = letters.counts().stream()
                    .<Row<?>>map(count -> Row.of(
                            Tags.of("sink", count.sink(), "state", count.state().text()), count.letters()))
                    .toList();
            gauge.register(rows, true);
        } catch (SQLException | RuntimeException e) {
            LOG.debug("The dead letters could not be counted", e);
        }
    }

    Store store() {
        return store;
    }

    /** The table itself, for commands and reports; null before the component is initialised. */
    public DeadLetters letters() {
        return letters;
    }

    boolean isRedriving() {
        return redriving.getAsBoolean();
    }

    /** Of the sink's consumer; what is parked before there is one waits as long as by default. */
    Schedule schedule(String sink) {
        return schedules.getOrDefault(sink, Schedule.parse(Schedule.DEFAULT));
    }

    void setSchedule(String sink, Schedule schedule) {
        schedules.put(sink, schedule);
    }
}
