package io.walroute.deadletter;

import io.walroute.change.ChangeProperties;
import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** Keep deliveries that failed, durably, and send them again. */
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "dead-letter",
        title = "Dead letters",
        syntax = "dead-letter:sink",
        category = {Category.DATABASE})
public final class DeadLetterEndpoint extends DefaultEndpoint {
    private static final String OF_LANE = "lane";

    @UriPath(
            description =
                    "The sink's name; or 'lane' (producer only) for the name of the lane that delivered the change")
    private final String sink;

    @UriParam(
            label = "consumer",
            defaultValue = Schedule.DEFAULT,
            description = "Waits before each attempt, as 5s,5m,2h; '...' at the end repeats the last one for ever,"
                    + " without it a delivery is dead after the last. none: dead at once, sent again by hand only")
    private String schedule = Schedule.DEFAULT;

    @UriParam(
            label = "consumer",
            defaultValue = "0",
            description = "After so many failed redrives a delivery is dead; 0: as the schedule says")
    private int maxAttempts;

    @UriParam(
            label = "consumer",
            defaultValue = "5000",
            description =
                    "How often to look for due deliveries, in milliseconds; also the pause while the sink takes nothing")
    private long delay = 5000;

    @UriParam(label = "consumer", defaultValue = "64", description = "How many are sent again at a time, at most")
    private int concurrency = 64;

    @UriParam(
            label = "consumer",
            description =
                    "Where a change is sent when it is dead or discarded, before others of its key go on: to a sink"
                            + " that has to know what it never gets, as row-cache:redis?forget=true. Tried until it succeeds")
    private String deadUri;

    @UriParam(
            label = "producer",
            defaultValue = "false",
            description =
                    "Puts down the change as it was handed to the route that failed, whatever a step made of the body:"
                            + " for error handlers. Otherwise the body is put down")
    private boolean original;

    private final DeadLetterComponent component;

    DeadLetterEndpoint(String uri, DeadLetterComponent component, String sink) {
        super(uri, component);
        this.component = component;
        this.sink = sink;
    }

    void check() {
        if (sink.isEmpty()) {
            throw new IllegalArgumentException("dead-letter: needs a sink's name, as dead-letter:cache");
        }
        if (maxAttempts < 0 || delay < 1 || concurrency < 1) {
            throw new IllegalArgumentException("dead-letter:" + sink + " has maxAttempts=" + maxAttempts + ", delay="
                    + delay + ", concurrency=" + concurrency + ": write at least 0, 1 and 1");
        }
        plan();
    }

    @Override
    public Producer createProducer() {
        return new DeadLetterProducer(this, component);
    }

    @Override
    public Consumer createConsumer(Processor processor) throws Exception {
        if (sink.equals(OF_LANE)) {
            throw new IllegalArgumentException(
                    "from: dead-letter:lane is nobody's. Name the sink, as dead-letter:cache");
        }
        var consumer = new DeadLetterConsumer(this, component, processor);
        configureConsumer(consumer);
        return consumer;
    }

    String sinkOf(Exchange exchange) {
        if (!sink.equals(OF_LANE)) {
            return sink;
        }
        String lane = exchange.getProperty(ChangeProperties.LANE, String.class);
        if (lane == null) {
            throw new IllegalStateException("dead-letter:lane got a change that came through no lane. Name the sink, as"
                    + " dead-letter:cache");
        }
        return lane;
    }

    Schedule plan() {
        return Schedule.parse(schedule).withMost(maxAttempts);
    }

    public String getSink() {
        return sink;
    }

    public String getSchedule() {
        return schedule;
    }

    public void setSchedule(String schedule) {
        this.schedule = schedule;
    }

    public int getMaxAttempts() {
        return maxAttempts;
    }

    public void setMaxAttempts(int maxAttempts) {
        this.maxAttempts = maxAttempts;
    }

    public long getDelay() {
        return delay;
    }

    public void setDelay(long delay) {
        this.delay = delay;
    }

    public int getConcurrency() {
        return concurrency;
    }

    public void setConcurrency(int concurrency) {
        this.concurrency = concurrency;
    }

    public String getDeadUri() {
        return deadUri;
    }

    public void setDeadUri(String deadUri) {
        this.deadUri = deadUri;
    }

    public boolean isOriginal() {
        return original;
    }

    public void setOriginal(boolean original) {
        this.original = original;
    }
}
