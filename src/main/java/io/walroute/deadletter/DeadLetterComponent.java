package io.walroute.deadletter;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Redactions;
import io.walroute.deadletter.DeadLetter.State;
import io.walroute.store.Store;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Collectors;
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
    private final Map<String, DeadLetterConsumer> consumers = new ConcurrentHashMap<>();
    private final FailureLog failures = new FailureLog(LOG);
    private Store store;
    private DeadLetters letters;
    private BooleanSupplier redriving = () -> true;
    private Function<String, Optional<String>> sinkProblem = sink -> Optional.empty();
    private Map<String, String> scheduleOverrides = Map.of();
    private Redactions redactions;
    private DeadLetterMeters meters;
    private FailureCounts failureCounts;
    private ScheduledExecutorService timer;
    private volatile List<DeadLetters.Count> standing = List.of();
    private volatile Duration parkedForLong = Duration.ofMinutes(1);
    /** Since when a sink has had parked changes without a break, in nano time. */
    private final Map<String, Long> parkedSince = new ConcurrentHashMap<>();

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

    /**
     * Why a sink takes nothing at present, asked several times a second; empty if as far as known it does, or for a sink that
     * nobody knows. Once it is empty again, what is parked for that sink is due at once, unless its schedule has an end.
     */
    public void setSinkProblem(Function<String, Optional<String>> problemOfSink) {
        sinkProblem = problemOfSink;
    }

    /** What must not stand in the messages of dead letters; null: nothing. */
    public void setRedactions(Redactions redactions) {
        this.redactions = redactions;
    }

    Redactions redactions() {
        return redactions;
    }

    /** For how long a sink may have parked changes without a break before that is a {@link #problem}; default: a minute. */
    public void setParkedForLong(Duration time) {
        parkedForLong = time;
    }

    /** By sink, in place of the schedule that its route gives. */
    public void setSchedules(Map<String, String> bySink) {
        bySink.values().forEach(Schedule::parse);
        scheduleOverrides = Map.copyOf(bySink);
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
        var found = registry.findSingleByType(MeterRegistry.class);
        MeterRegistry meterRegistry = found != null ? found : new SimpleMeterRegistry();
        meters = new DeadLetterMeters(meterRegistry);
        failureCounts = new FailureCounts(meterRegistry);
        var attempts = new AttemptCounter(failureCounts, () -> redactions);
        ServiceHelper.startService(attempts);
        getCamelContext().getManagementStrategy().addEventNotifier(attempts);
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        timer = getCamelContext()
                .getExecutorServiceManager()
                .newSingleThreadScheduledExecutor(this, "dead-letter-count");
        timer.scheduleWithFixedDelay(this::count, 0, COUNT_SECONDS, TimeUnit.SECONDS);
        timer.scheduleWithFixedDelay(failures::sumUp, 1, 1, TimeUnit.SECONDS);
    }

    @Override
    protected void doStop() throws Exception {
        if (timer != null) {
            getCamelContext().getExecutorServiceManager().shutdownNow(timer);
        }
        failures.close();
        super.doStop();
    }

    private void count() {
        try {
            standing = letters.counts();
            noteParked(standing);
            meters.standing(standing);
        } catch (SQLException | RuntimeException e) {
            LOG.debug("The dead letters could not be counted", e);
        }
    }

    /** After something that people watch the counts for. */
    private void countSoon() {
        ScheduledExecutorService running = timer;
        if (running != null && isRunAllowed()) {
            running.execute(this::count);
        }
    }

    Store store() {
        return store;
    }

    /** The table itself, for commands and reports; null before the component is initialised. */
    public DeadLetters letters() {
        return letters;
    }

    /** How many changes had their last attempt, and what to do, in one line; empty if there are none. As counted last. */
    public Optional<String> problem() {
        List<DeadLetters.Count> dead =
                standing.stream().filter(count -> count.state() == State.DEAD).toList();
        if (dead.isEmpty()) {
            return parkedForLong();
        }
        long all = dead.stream().mapToLong(DeadLetters.Count::letters).sum();
        return Optional.of(
                (all == 1 ? "1 change is" : all + " changes are") + " dead ("
                        + dead.stream()
                                .map(count -> count.sink() + " " + count.letters())
                                .collect(Collectors.joining(", "))
                        + "): no further attempt is made. See: walroute dead-letters list --state dead, then redrive or discard");
    }

    private void noteParked(List<DeadLetters.Count> counts) {
        Set<String> parked = counts.stream()
                .filter(count -> count.state() == State.PARKED && count.letters() > 0)
                .map(DeadLetters.Count::sink)
                .collect(Collectors.toSet());
        parkedSince.keySet().retainAll(parked);
        parked.forEach(sink -> parkedSince.putIfAbsent(sink, System.nanoTime()));
    }

    /** Of whatever sink: not each has a circuit, or somebody who asks it how it is. */
    private Optional<String> parkedForLong() {
        long now = System.nanoTime();
        String sinks = standing.stream()
                .filter(count -> count.state() == State.PARKED)
                .filter(count -> now - parkedSince.getOrDefault(count.sink(), now) > parkedForLong.toNanos())
                .map(count -> count.sink() + " " + count.letters())
                .collect(Collectors.joining(", "));
        return sinks.isEmpty()
                ? Optional.empty()
                : Optional.of("changes have been parked for more than " + parkedForLong.toSeconds() + " s (" + sinks
                        + "). See: walroute dead-letters list");
    }

    /** How many there are of each sink in each state, as counted last. */
    public List<DeadLetters.Count> standing() {
        return standing;
    }

    /**
     * Lets these be sent again at once, dead ones too, in order per key. Blocks.
     *
     * @return those that there are
     */
    public Set<Long> redrive(List<Long> ids) throws SQLException {
        Set<Long> due = letters.redrive(ids);
        consumers.values().forEach(DeadLetterConsumer::hurry);
        countSoon();
        return due;
    }

    /**
     * Deletes these for good, but not those that are being sent at this moment. Blocks.
     *
     * @return the sinks of those that were deleted, by id
     */
    public Map<Long, String> discard(List<Long> ids) throws SQLException {
        Map<Long, String> gone = letters.discard(ids, this::isInFlight);
        gone.values().forEach(meters::discarded);
        consumers.values().forEach(DeadLetterConsumer::tellSoon);
        countSoon();
        return gone;
    }

    public boolean isInFlight(long id) {
        return consumers.values().stream().anyMatch(consumer -> consumer.isInFlight(id));
    }

    FailureCounts failureCounts() {
        return failureCounts;
    }

    /** What went wrong on the way to sinks since the start. */
    public List<FailureReport> failures() {
        return failureCounts == null ? List.of() : failureCounts.report();
    }

    boolean isRedriving() {
        return redriving.getAsBoolean();
    }

    boolean isAway(String sink) {
        return sinkProblem.apply(sink).isPresent();
    }

    /** Whether it is told of dead changes, so that their followers wait until it was. */
    boolean isTold(String sink) {
        DeadLetterConsumer consumer = consumers.get(sink);
        return consumer != null && consumer.tells();
    }

    void started(String sink, DeadLetterConsumer consumer) {
        meters.expect(sink);
        failureCounts.expect(sink);
        consumers.put(sink, consumer);
    }

    void stopped(String sink, DeadLetterConsumer consumer) {
        consumers.remove(sink, consumer);
    }

    void parked(String sink, ChangeEvent event, Failure failure, boolean countedByLane) {
        if (!countedByLane) {
            meters.parked(sink);
        }
        failures.parked(sink, event, failure);
    }

    /** Without any attempt to come: its schedule has none. */
    void buried(String sink, ChangeEvent event, String route) {
        meters.redriven(sink, DeadLetters.Outcome.DEAD);
        failures.dead(sink, event, route);
        DeadLetterConsumer consumer = consumers.get(sink);
        if (consumer != null) {
            consumer.tellSoon();
        }
        countSoon();
    }

    void redriven(String sink, DeadLetters.Outcome outcome, ChangeEvent event, String route) {
        meters.redriven(sink, outcome);
        failureCounts.redriven(sink, event.id(), outcome == DeadLetters.Outcome.DEAD);
        if (outcome == DeadLetters.Outcome.DEAD) {
            failures.dead(sink, event, route);
            countSoon();
        }
    }

    /** Of the sink's consumer; what is parked before there is one waits as long as by default. */
    Schedule schedule(String sink) {
        return schedules.getOrDefault(sink, Schedule.parse(scheduleOverrides.getOrDefault(sink, Schedule.DEFAULT)));
    }

    Schedule setSchedule(String sink, Schedule ofRoute) {
        String override = scheduleOverrides.get(sink);
        Schedule schedule = override == null ? ofRoute : Schedule.parse(override);
        schedules.put(sink, schedule);
        return schedule;
    }
}
