package io.walroute.deadletter;

import org.apache.camel.Exchange;
import org.apache.camel.spi.CamelEvent;
import org.apache.camel.spi.CamelEvent.ExchangeRedeliveryEvent;
import org.apache.camel.support.EventNotifierSupport;

/**
 * Notes on each exchange how often its step was tried again: Camel takes its own count off the message before it calls the
 * dead-letter endpoint. Asks for events of redeliveries only, since every other kind would cost all exchanges.
 */
final class AttemptCounter extends EventNotifierSupport {
    private static final String REDELIVERIES = "walrouteRedeliveries";

    AttemptCounter() {
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
            redelivery.getExchange().setProperty(REDELIVERIES, redelivery.getAttempt());
        }
    }
}
