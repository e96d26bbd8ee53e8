package io.walroute.lanes;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Redactions;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.camel.Endpoint;
import org.apache.camel.spi.Metadata;
import org.apache.camel.support.DefaultComponent;

/**
 * {@code lanes:NAME}, the hand-over of changes from the table's routes to a sink's: ordered per key, bounded, in memory, and
 * part of the acknowledgement. {@code to: lanes:cache} takes a change's hold and returns at once; {@code from: lanes:cache}
 * runs the sink's route and lets go of the hold when the change is delivered or parked.
 */
public class LanesComponent extends DefaultComponent {
    /** How soon a lane notices that a parked change was discarded or is dead. */
    private static final long COMPARE_MARKS_MS = 1000;

    @Metadata(
            description =
                    "Lanes whose sink is switched off, separated by commas: what is sent to them counts as filtered")
    private String disabled = "";

    private final Map<String, Lane> lanes = new ConcurrentHashMap<>();
    private final Map<String, LaneMeters> meters = new ConcurrentHashMap<>();
    private final Set<LanesConsumer> consumers = ConcurrentHashMap.newKeySet();
    private final Set<String> rawNames = ConcurrentHashMap.newKeySet();
    private final Set<String> ownBodyNames = ConcurrentHashMap.newKeySet();
    private Set<String> disabledNames = Set.of();
    private Redactions redactions;
    private boolean redactionsChecked;
    private long maxEventBytes = Long.MAX_VALUE;
    private String refusedUri;
    private ScheduledExecutorService timer;
    private MeterRegistry registry;

    @Override
    protected Endpoint createEndpoint(String uri, String name, Map<String, Object> parameters) throws Exception {
        if (name.isBlank()) {
            throw new IllegalArgumentException("'" + uri + "' names no lane. Write lanes:cache, for example");
        }
        var endpoint = new LanesEndpoint(uri, this, name, Set.copyOf(parameters.keySet()));
        setProperties(endpoint, parameters);
        return endpoint;
    }

    Lane lane(String name) {
        return lanes.computeIfAbsent(name, n -> {
            var lane = new Lane(n, meters(n));
            meters(n).watch(lane);
            return lane;
        });
    }

    LaneMeters meters(String name) {
        return meters.computeIfAbsent(name, n -> new LaneMeters(registry(), n));
    }

    private synchronized MeterRegistry registry() {
        if (registry == null) {
            registry = getCamelContext().getRegistry().findByType(MeterRegistry.class).stream()
                    .findFirst()
                    .orElseGet(SimpleMeterRegistry::new);
        }
        return registry;
    }

    void add(LanesConsumer consumer) {
        LanesEndpoint endpoint = consumer.getEndpoint();
        note(rawNames, endpoint.getName(), endpoint.isRaw());
        note(ownBodyNames, endpoint.getName(), endpoint.isOwnBody());
        consumers.add(consumer);
    }

    private static void note(Set<String> names, String name, boolean is) {
        if (is) {
            names.add(name);
        } else {
            names.remove(name);
        }
    }

    void remove(LanesConsumer consumer) {
        consumers.remove(consumer);
    }

    /** What sinks don't get to see of the changes; null: they see all. */
    public void setRedactions(Redactions redactions) {
        this.redactions = redactions;
    }

    /** Once all routes are known. A rule with a sink's name mistyped would hide nothing there. */
    void checkRedactions() {
        if (redactions == null || redactionsChecked) {
            return;
        }
        Set<String> known = new TreeSet<>(names());
        known.addAll(disabledNames);
        known.add(Redactions.AUDIT);
        known.removeAll(rawNames); // nothing is hidden there: a rule would have no effect
        Set<String> unknown = new TreeSet<>(redactions.sinks());
        unknown.removeAll(known);
        if (!unknown.isEmpty()) {
            throw new UnknownSinkException(unknown, known);
        }
        redactionsChecked = true;
    }

    /** Null for a lane whose route sees all: nothing is hidden at all, or it says that its work stays in the house. */
    Redactions redactions(String name) {
        return redactions == null || isRaw(name) ? null : redactions;
    }

    /** Whether the audit log has less than all of such a change: a column that it drops leaves no trace in what is replayed. */
    boolean isHiddenFromAudit(ChangeEvent event) {
        return redactions != null && redactions.of(Redactions.AUDIT, event.schema(), event.table()) != null;
    }

    boolean isRaw(String name) {
        return rawNames.contains(name);
    }

    /** Whether all may leave that routes make of a change for this lane, hidden columns or not. */
    boolean isOwnBody(String name) {
        return ownBodyNames.contains(name);
    }

    /** Changes whose JSON is longer go to the dead letters, not to a sink. */
    public void setMaxEventBytes(long bytes) {
        maxEventBytes = bytes;
    }

    long maxEventBytes() {
        return maxEventBytes;
    }

    /** Where lanes without {@code parkUri} put changes that must not leave; null: nowhere, they fail. */
    public void setRefusedUri(String uri) {
        refusedUri = uri;
    }

    String refusedUri() {
        return refusedUri;
    }

    /** Lanes that a route reads, whether it runs or not. */
    public Set<String> names() {
        return consumers.stream().map(c -> c.getEndpoint().getName()).collect(Collectors.toCollection(TreeSet::new));
    }

    boolean isDisabled(String name) {
        return disabledNames.contains(name);
    }

    /** Starts no further delivery of this lane until {@link #resume}; survives a stop of its route, not of the service. */
    public void pause(String name) {
        lane(name).pause(true);
    }

    public void resume(String name) {
        lane(name).pause(false);
    }

    public boolean isPaused(String name) {
        return lane(name).isPaused();
    }

    public String getDisabled() {
        return disabled;
    }

    public void setDisabled(String names) {
        disabled = names == null ? "" : names;
        disabledNames = Arrays.stream(disabled.split(","))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .collect(Collectors.toUnmodifiableSet());
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        timer = getCamelContext().getExecutorServiceManager().newSingleThreadScheduledExecutor(this, "lanes-marks");
        timer.scheduleWithFixedDelay(
                () -> consumers.forEach(LanesConsumer::compareMarks),
                COMPARE_MARKS_MS,
                COMPARE_MARKS_MS,
                TimeUnit.MILLISECONDS);
    }

    @Override
    protected void doStop() throws Exception {
        if (timer != null) {
            getCamelContext().getExecutorServiceManager().shutdownNow(timer);
        }
        lanes.values().forEach(Lane::close);
        lanes.clear();
        super.doStop();
    }
}
