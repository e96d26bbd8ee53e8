package io.walroute.deadletter;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Redactions;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.camel.Exchange;
import org.apache.camel.spi.CamelEvent;
import org.apache.camel.spi.CamelEvent.ExchangeRedeliveryEvent;
import org.apache.camel.support.EventNotifierSupport;

/**
 * Notes on each exchange how often its step was tried again, and how each attempt ended: Camel takes its own count off the message before it calls the
 * dead-letter endpoint. Asks for events of redeliveries only, since every other kind would cost all exchanges.
 */
final class AttemptCounter extends EventNotifierSupport {
    private static final String REDELIVERIES = "walrouteRedeliveries";

    private final FailureCounts counts;
    private final Supplier<Redactions> redactions;

    /** @param redactions gives null if nothing is hidden */
    AttemptCounter(FailureCounts counts, Supplier<Redactions> redactions) {
        this.counts = counts;
        this.redactions = redactions;
        setIgnoreCamelContextInitEvents(true);
        setIgnoreCamelContextEvents(true);
        setIgnoreRouteEvents(true);
        setIgnoreServiceEvents(true);
        setIgnoreStepEvents(true);
        setIgnoreExchangeCreatedEvent(true);
        setIgnoreExchangeCompletedEvent(true);
        setIgnoreExchangeSendingEvents(true);
        setIgnoreExchangeSentEvents(true);
        setIgnoreExchangeAsyncProcessingStartedEvents(true);
        setIgnoreExchangeFailedEvents(false); // redeliveries count as these
    }

    static int redeliveries(Exchange exchange) {
        return exchange.getProperty(REDELIVERIES, 0, Integer.class);
    }

    @Override
    public void notify(CamelEvent event) {
        if (event instanceof ExchangeRedeliveryEvent redelivery) {
            Exchange exchange = redelivery.getExchange();
            exchange.setProperty(REDELIVERIES, redelivery.getAttempt());
            Throwable caught = exchange.getProperty(Exchange.EXCEPTION_CAUGHT, Throwable.class);
            if (caught != null) {
                String sink = exchange.getProperty(ChangeProperties.LANE, String.class);
                UnaryOperator<String> hide = hiding(exchange, sink);
                AttemptLog.note(exchange, caught, hide);
                if (sink != null) {
                    counts.redelivered(sink, Failure.kind(exchange), Failure.cause(caught, hide));
                }
            }
        }
    }

    private UnaryOperator<String> hiding(Exchange exchange, String sink) {
        Redactions known = redactions.get();
        if (known == null) {
            return UnaryOperator.identity();
        }
        return sink != null && exchange.getMessage().getBody() instanceof ChangeEvent event
                ? Failure.hiding(exchange, known, sink, event)
                : message -> null;
    }
}
