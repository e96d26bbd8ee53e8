package io.walroute.lanes;

import io.walroute.change.ChangeProperties;
import io.walroute.change.ParkedKeys;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Endpoint;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.ShutdownRunningTask;
import org.apache.camel.StartupListener;
import org.apache.camel.spi.ShutdownAware;
import org.apache.camel.support.DefaultConsumer;
import org.apache.camel.support.service.ServiceHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a sink's route for each delivery whose turn has come.
 *
 * <p>The threads only start deliveries. Completion may come on any thread and starts nothing itself, so routes that complete
 * at once don't nest. At stop the route goes on, with Camel's shutdown timeout, until its lane is empty.
 */
class LanesConsumer extends DefaultConsumer implements ShutdownAware, StartupListener {
    private static final Logger LOG = LoggerFactory.getLogger(LanesConsumer.class);

    private final LanesEndpoint endpoint;
    private final LaneSettings settings;
    private Lane lane;
    private AsyncProducer parking;
    /** For what must not leave: {@link #parking}, or the component's. */
    private AsyncProducer refusals;

    private long compareFromNanos = System.nanoTime();
    private ExecutorService threads;

    LanesConsumer(LanesEndpoint endpoint, Processor processor, LaneSettings settings) {
        super(endpoint, processor);
        this.endpoint = endpoint;
        this.settings = settings;
    }

    @Override
    public String toString() {
        return "route " + getRouteId();
    }

    @Override
    public LanesEndpoint getEndpoint() {
        return endpoint;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        lane = endpoint.getComponent().lane(endpoint.getName());
        if (settings.parkUri() != null && parking == null) {
            parking = producer(settings.parkUri());
        }
        String refusedUri = endpoint.getComponent().refusedUri();
        if (refusals == null) {
            refusals = parking != null || refusedUri == null ? parking : producer(refusedUri);
        }
        ServiceHelper.startService(parking, refusals);
        lane.attach(this, settings, parking == null ? null : this::spill, parkedKeys());
        endpoint.getCamelContext().addStartupListener(this);
    }

    private AsyncProducer producer(String uri) throws Exception {
        Endpoint parkEndpoint = endpoint.getCamelContext().getEndpoint(uri);
        return parkEndpoint.createAsyncProducer();
    }

    private Set<ParkedKeys> parkedKeys() {
        return endpoint.getCamelContext().getRegistry().findByType(ParkedKeys.class);
    }

    /** On the component's timer. The more there is to read, the less often. */
    void compareMarks() {
        long begun = System.nanoTime();
        if (lane == null || !isStarted() || begun - compareFromNanos < 0) {
            return;
        }
        try {
            lane.compareMarks(parkedKeys());
        } catch (RuntimeException e) {
            LOG.debug("{}: what is parked can't be read, the marks stay", endpoint, e);
        }
        long end = System.nanoTime();
        compareFromNanos = end + 20 * (end - begun);
    }

    /** Not before: a route that this one calls might not have been started. */
    @Override
    public synchronized void onCamelContextStarted(CamelContext context, boolean alreadyStarted) {
        if (threads != null || !isRunAllowed()) {
            return;
        }
        threads = context.getExecutorServiceManager()
                .newFixedThreadPool(this, "lanes:" + endpoint.getName(), settings.threads());
        for (int i = 0; i < settings.threads(); i++) {
            threads.execute(this::work);
        }
    }

    private void work() {
        Delivery delivery = lane.take(this);
        while (delivery != null) {
            try {
                run(delivery);
            } catch (Exception | LinkageError e) {
                lane.finish(delivery, Lane.Outcome.FAILED, e);
            }
            delivery = lane.take(this);
        }
    }

    private void run(Delivery delivery) {
        String problem;
        if (delivery.doomed) {
            fail(delivery, "an earlier change of the same key has to come again first");
        } else if (delivery.behind) {
            park(
                    delivery,
                    "an earlier change of the same key is parked",
                    (outcome, cause) -> lane.finish(delivery, outcome, cause));
        } else if (delivery.redriveTurn != null && delivery.answer == null) {
            delivery.redriveTurn.ask(answer -> lane.answer(delivery, answer));
        } else if (delivery.answer != null && !delivery.answer.go()) {
            fail(delivery, "it is not the first of its key among the dead letters");
        } else if ((problem = delivery.problem(endpoint.getComponent().maxEventBytes())) != null) {
            refuse(delivery, problem);
        } else {
            Exchange exchange = delivery.into(createExchange(false));
            getAsyncProcessor().process(exchange, doneSync -> routed(delivery, exchange));
        }
    }

    private void fail(Delivery delivery, String why) {
        lane.finish(delivery, Lane.Outcome.FAILED, new RejectedExecutionException(why));
    }

    private void routed(Delivery delivery, Exchange exchange) {
        Throwable cause = failure(exchange);
        Lane.Outcome outcome = outcome(exchange, cause);
        releaseExchange(exchange, false);
        lane.finish(delivery, outcome, cause);
    }

    private static Lane.Outcome outcome(Exchange exchange, Throwable cause) {
        if (cause != null) {
            return Lane.Outcome.FAILED;
        } else if (Boolean.TRUE.equals(exchange.getProperty(ChangeProperties.PARKED))) {
            return Lane.Outcome.PARKED;
        }
        return Boolean.TRUE.equals(exchange.getProperty(ChangeProperties.DEAD))
                ? Lane.Outcome.DEAD
                : Lane.Outcome.DELIVERED;
    }

    private static Throwable failure(Exchange exchange) {
        if (exchange.getException() != null) {
            return exchange.getException();
        }
        return exchange.isFailed() || exchange.isRollbackOnly()
                ? new IllegalStateException("the route rolled the change back")
                : null;
    }

    private void spill(Delivery delivery) {
        park(delivery, "the lane was full", (outcome, cause) -> lane.spilled(delivery, outcome, cause));
    }

    /** It never goes out. Nothing waits behind it, unless its sink has to be told of it first. */
    private void refuse(Delivery delivery, String problem) {
        if (refusals == null) {
            // Its turn in the order must not be lost without a trace.
            lane.finish(delivery, Lane.Outcome.FAILED, new IllegalArgumentException(problem));
            return;
        }
        Exchange exchange = delivery.into(endpoint.createExchange());
        exchange.setProperty(ChangeProperties.REFUSED, Boolean.TRUE);
        park(refusals, exchange, problem, (outcome, cause) -> lane.finish(delivery, refused(exchange, cause), cause));
    }

    private static Lane.Outcome refused(Exchange exchange, Throwable cause) {
        Lane.Outcome outcome = outcome(exchange, cause);
        return outcome == Lane.Outcome.DELIVERED ? Lane.Outcome.DEAD : outcome;
    }

    private void park(Delivery delivery, String reason, BiConsumer<Lane.Outcome, Throwable> done) {
        try {
            park(parking, delivery.into(endpoint.createExchange()), reason, done);
        } catch (RuntimeException e) {
            done.accept(Lane.Outcome.FAILED, e);
        }
    }

    private void park(AsyncProducer to, Exchange exchange, String reason, BiConsumer<Lane.Outcome, Throwable> done) {
        try {
            exchange.getExchangeExtension().setFromRouteId(getRouteId());
            exchange.setProperty(ChangeProperties.PARK_REASON, reason);
            to.process(exchange, doneSync -> {
                Throwable cause = failure(exchange);
                done.accept(cause == null ? Lane.Outcome.PARKED : Lane.Outcome.FAILED, cause);
            });
        } catch (RuntimeException e) {
            done.accept(Lane.Outcome.FAILED, e);
        }
    }

    /** The lane is needed until the routes that fill it are done. */
    @Override
    public boolean deferShutdown(ShutdownRunningTask shutdownRunningTask) {
        return true;
    }

    @Override
    public int getPendingExchangesSize() {
        return lane == null ? 0 : lane.pending();
    }

    @Override
    public void prepareShutdown(boolean suspendOnly, boolean forced) {
        if (forced && lane != null && endpoint.getCamelContext().isStopping()) {
            lane.close(); // also wakes senders that wait for room, so that their routes can stop
        }
    }

    @Override
    protected void doStop() throws Exception {
        if (lane != null) {
            lane.detach(this);
        }
        synchronized (this) {
            if (threads != null) {
                // Drained by now, unless the timeout passed; then what is under way fails and comes again.
                endpoint.getCamelContext().getExecutorServiceManager().shutdownNow(threads);
                threads = null;
            }
        }
        ServiceHelper.stopService(refusals, parking);
        super.doStop();
    }

    @Override
    protected void doShutdown() throws Exception {
        endpoint.getComponent().remove(this);
        super.doShutdown();
    }
}
