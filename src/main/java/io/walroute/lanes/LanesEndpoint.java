package io.walroute.lanes;

import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.api.management.ManagedAttribute;
import org.apache.camel.api.management.ManagedResource;
import org.apache.camel.spi.Metadata;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** {@code lanes:NAME}. All options belong to the consumer's URI. */
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "lanes",
        title = "Lanes",
        syntax = "lanes:name",
        category = {Category.CORE})
@ManagedResource(description = "A lane: the changes on their way to one sink")
public class LanesEndpoint extends DefaultEndpoint {
    @UriPath(description = "The lane's name")
    @Metadata(required = true)
    private final String name;

    @UriParam(label = "consumer", defaultValue = "10000", description = "How many changes the lane holds")
    private int size = LaneSettings.DEFAULT.size();

    @UriParam(
            label = "consumer",
            defaultValue = "67108864",
            description = "How many bytes of changes the lane holds, by estimate")
    private long maxBytes = LaneSettings.DEFAULT.maxBytes();

    @UriParam(
            label = "consumer",
            defaultValue = "wait",
            enums = "wait,park",
            description = "What a full lane does: lets senders wait, or parks what they send")
    private String whenFull = "wait";

    @UriParam(label = "consumer", description = "Where changes are parked, as dead-letter:hook")
    private String parkUri;

    @UriParam(
            label = "consumer",
            defaultValue = "1000",
            description = "After how many ms without a completed change a full lane with parkUri parks in any case")
    private long parkAfter = LaneSettings.DEFAULT.parkAfter().toMillis();

    @UriParam(
            label = "consumer",
            description =
                    "Whether later changes of a key with parked ones are parked behind them; default: if there is a parkUri and the lane is ordered")
    private Boolean parkBehind;

    @UriParam(
            label = "consumer",
            defaultValue = "true",
            description =
                    "Whether changes of a key wait for each other; false only for a sink to which their order is nothing")
    private boolean ordered = LaneSettings.DEFAULT.ordered();

    @UriParam(
            label = "consumer",
            defaultValue = "1",
            description = "Threads that run the route; more than one only helps routes that block")
    private int threads = LaneSettings.DEFAULT.threads();

    @UriParam(label = "consumer", defaultValue = "1000", description = "How many changes are under way at once")
    private int maxInFlight = LaneSettings.DEFAULT.maxInFlight();

    @UriParam(
            label = "consumer",
            description =
                    "Whether the route gets changes with the columns that redaction hides from other sinks: for one"
                            + " whose work doesn't leave the house, as a write-back")
    private boolean raw;

    @UriParam(
            label = "consumer",
            description =
                    "Whether bodies that are no change events pass although columns are hidden from this lane: all"
                            + " that routes make of a change for it may leave")
    private boolean ownBody;

    private final Set<String> optionsGiven;

    LanesEndpoint(String uri, LanesComponent component, String name, Set<String> optionsGiven) {
        super(uri, component);
        this.name = name;
        this.optionsGiven = optionsGiven;
    }

    @Override
    public Producer createProducer() {
        if (!optionsGiven.isEmpty() && !optionsGiven.equals(Set.of("lazyStartProducer"))) {
            throw new IllegalArgumentException("to: lanes:" + name + " has options (" + String.join(", ", optionsGiven)
                    + ") that belong to the route that reads the lane. Write them there: from: lanes:" + name + "?…");
        }
        return new LanesProducer(this);
    }

    @Override
    public Consumer createConsumer(Processor processor) throws Exception {
        var consumer = new LanesConsumer(this, processor, settings());
        configureConsumer(consumer);
        getComponent().lane(name).configure(settings());
        getComponent().add(consumer);
        return consumer;
    }

    private LaneSettings settings() {
        try {
            return new LaneSettings(
                    size,
                    maxBytes,
                    WhenFull.valueOf(whenFull.toUpperCase(Locale.ROOT)),
                    parkUri,
                    Duration.ofMillis(parkAfter),
                    parkBehind == null ? parkUri != null && ordered : parkBehind,
                    ordered,
                    threads,
                    maxInFlight);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("from: lanes:" + name + ": " + e.getMessage(), e);
        }
    }

    @Override
    public LanesComponent getComponent() {
        return (LanesComponent) super.getComponent();
    }

    @ManagedAttribute(description = "The lane's name")
    public String getName() {
        return name;
    }

    @ManagedAttribute(description = "Changes held, those under way included")
    public int getHeld() {
        return getComponent().lane(name).held();
    }

    @ManagedAttribute(description = "Estimated bytes of the changes held")
    public long getHeldBytes() {
        return getComponent().lane(name).heldBytes();
    }

    @ManagedAttribute(description = "Changes under way")
    public int getInFlight() {
        return getComponent().lane(name).inFlight();
    }

    @ManagedAttribute(description = "Age of the oldest change held, in ms")
    public long getOldestHeldMs() {
        return getComponent().lane(name).oldestHeldMs();
    }

    @ManagedAttribute(description = "Keys whose changes are parked behind earlier ones")
    public int getParkedKeys() {
        return getComponent().lane(name).parkedKeys();
    }

    public boolean isRaw() {
        return raw;
    }

    public void setRaw(boolean raw) {
        this.raw = raw;
    }

    public boolean isOwnBody() {
        return ownBody;
    }

    public void setOwnBody(boolean ownBody) {
        this.ownBody = ownBody;
    }

    public int getSize() {
        return size;
    }

    public void setSize(int size) {
        this.size = size;
    }

    public long getMaxBytes() {
        return maxBytes;
    }

    public void setMaxBytes(long maxBytes) {
        this.maxBytes = maxBytes;
    }

    public String getWhenFull() {
        return whenFull;
    }

    public void setWhenFull(String whenFull) {
        if (!whenFull.equals("wait") && !whenFull.equals("park")) {
            throw new IllegalArgumentException("whenFull=" + whenFull + " is unknown. Write wait or park");
        }
        this.whenFull = whenFull;
    }

    public String getParkUri() {
        return parkUri;
    }

    public void setParkUri(String parkUri) {
        this.parkUri = parkUri;
    }

    public long getParkAfter() {
        return parkAfter;
    }

    public void setParkAfter(long parkAfter) {
        this.parkAfter = parkAfter;
    }

    public Boolean getParkBehind() {
        return parkBehind;
    }

    public void setParkBehind(Boolean parkBehind) {
        this.parkBehind = parkBehind;
    }

    public boolean isOrdered() {
        return ordered;
    }

    public void setOrdered(boolean ordered) {
        this.ordered = ordered;
    }

    public int getThreads() {
        return threads;
    }

    public void setThreads(int threads) {
        this.threads = threads;
    }

    public int getMaxInFlight() {
        return maxInFlight;
    }

    public void setMaxInFlight(int maxInFlight) {
        this.maxInFlight = maxInFlight;
    }
}
