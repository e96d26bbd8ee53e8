package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Redactions;
import io.walroute.change.Settlement;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultAsyncProducer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands a change to its lane and is done: what becomes of it is the hold's business. */
class LanesProducer extends DefaultAsyncProducer {
    private static final Logger LOG = LoggerFactory.getLogger(LanesProducer.class);

    @SuppressWarnings("unchecked")
    private static final Class<Predicate<String>> LANES = (Class<Predicate<String>>) (Class<?>) Predicate.class;

    private final LanesEndpoint endpoint;
    private Lane lane;

    LanesProducer(LanesEndpoint endpoint) {
        super(endpoint);
        this.endpoint = endpoint;
    }

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        try {
            if (!isWanted(exchange)) {
                LOG.trace("{} is left out for {}", endpoint, exchange);
            } else if (endpoint.getComponent().isDisabled(endpoint.getName())) {
                endpoint.getComponent().meters(endpoint.getName()).filtered.increment();
            } else if (!willComeAgain(exchange)) {
                send(exchange);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            exchange.setException(e);
        } catch (Exception e) {
            exchange.setException(e);
        }
        callback.done(true);
        return true;
    }

    private boolean isWanted(Exchange exchange) {
        Predicate<String> lanes = exchange.getProperty(ChangeProperties.LANES, LANES);
        return lanes == null || lanes.test(endpoint.getName());
    }

    /**
     * A change failed: until the source starts again, nothing may overtake it. What is left out here must not look settled
     * either, as it may come before the one that failed.
     */
    private static boolean willComeAgain(Exchange exchange) {
        Settlement settlement = exchange.getProperty(Settlement.PROPERTY, Settlement.class);
        if (settlement == null || !settlement.isFailed()) {
            return false;
        }
        settlement.hold().fail(comesAgain());
        return true;
    }

    private static RejectedExecutionException comesAgain() {
        return new RejectedExecutionException("another change failed, the stream starts again");
    }

    private void send(Exchange exchange) throws Exception {
        LanesComponent component = endpoint.getComponent();
        if (component.isRaw(endpoint.getName()) && isCopy(exchange)) {
            component.meters(endpoint.getName()).filtered.increment();
            LOG.warn(
                    "{} is left out for {}: it comes from the audit log with hidden columns, and that lane needs all of them",
                    exchange.getMessage().getHeader(ChangeHeaders.EVENT_ID),
                    endpoint);
            return;
        }
        Redactions redactions = component.redactions(endpoint.getName());
        boolean ownBody = redactions != null && component.isOwnBody(endpoint.getName());
        send(new Delivery(exchange, endpoint.getName(), lane.isOrdered(), redactions, ownBody));
    }

    /** What was hidden of a row must not be taken for its values: a write-back would write them into the database. */
    private boolean isCopy(Exchange exchange) {
        return exchange.getMessage().getBody() instanceof ChangeEvent event
                && (!event.redactedColumns().isEmpty()
                        || event.replayed() && endpoint.getComponent().isHiddenFromAudit(event));
    }

    private void send(Delivery delivery) throws InterruptedException {
        try {
            if (!lane.accept(delivery)) {
                delivery.hold.fail(comesAgain());
            }
        } catch (InterruptedException | RuntimeException e) {
            delivery.hold.fail(e);
            throw e;
        }
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        LanesComponent component = endpoint.getComponent();
        String name = endpoint.getName();
        if (!component.isDisabled(name) && !component.names().contains(name)) {
            throw new IllegalArgumentException("No route reads lanes:" + name + ", which another route sends to. "
                    + (component.names().isEmpty()
                            ? "No lane is read at all"
                            : "Lanes that are read: " + String.join(", ", component.names()))
                    + ". Correct the name, or add a route from: lanes:" + name);
        }
        component.checkRedactions();
        lane = component.lane(name);
    }
}
