package io.walroute.deadletter;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.UnaryOperator;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultAsyncProducer;

/** Parks the exchange's change; the exchange goes on when that is on disk, and fails if it never will be. */
final class DeadLetterProducer extends DefaultAsyncProducer {
    /** Parked without an attempt it is due at once: if the sink takes nothing, its consumer pauses as a whole. */
    private static final Duration UNTRIED = Duration.ZERO;

    private final DeadLetterEndpoint endpoint;
    private final DeadLetterComponent component;

    DeadLetterProducer(DeadLetterEndpoint endpoint, DeadLetterComponent component) {
        super(endpoint);
        this.endpoint = endpoint;
        this.component = component;
    }

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        try {
            park(exchange, callback);
            return false;
        } catch (RuntimeException e) {
            exchange.setException(e);
            callback.done(true);
            return true;
        }
    }

    private void park(Exchange exchange, AsyncCallback callback) {
        ChangeEvent event = event(exchange);
        String sink = endpoint.sinkOf(exchange);
        Failure failure = Failure.of(exchange, hiding(exchange, sink, event));
        boolean refused = Boolean.TRUE.equals(exchange.getProperty(ChangeProperties.REFUSED));
        String kind = Failure.kind(exchange);
        // A redriven change of another sink may fail in a route to this one: here it is new.
        boolean redrive = Boolean.TRUE.equals(exchange.getProperty(ChangeProperties.REDRIVE))
                && sink.equals(exchange.getProperty(ChangeProperties.LANE));
        Optional<Duration> wait = failure.attempts() == 0
                ? Optional.of(UNTRIED)
                : component.schedule(sink).after(0, ThreadLocalRandom.current());
        // One that is sent again keeps its state here: whether it was the last time, the redrive says.
        boolean dead = refused || wait.isEmpty() && !redrive;
        String headers = KeptHeaders.toJson(exchange.getMessage().getHeaders());
        var write = refused
                ? component.letters().refusal(sink, event, headers, failure, redrive)
                : component
                        .letters()
                        .parking(
                                sink,
                                event,
                                headers,
                                failure,
                                dead ? null : Instant.now().plus(wait.orElse(UNTRIED)),
                                redrive);
        component
                .store()
                .submit(
                        write,
                        () -> {
                            if (dead) {
                                exchange.setProperty(
                                        component.isTold(sink) ? ChangeProperties.PARKED : ChangeProperties.DEAD,
                                        Boolean.TRUE);
                                if (!redrive) { // else its redrive says so when it ends
                                    component.buried(sink, event, failure.route());
                                }
                            } else {
                                exchange.setProperty(ChangeProperties.PARKED, Boolean.TRUE);
                                component.parked(sink, event, failure, isOfLane(exchange, sink));
                            }
                            component
                                    .failureCounts()
                                    .parked(sink, kind, failure, event.id(), redrive, dead && !redrive);
                            callback.done(false);
                        },
                        reason -> {
                            exchange.setException(new IllegalStateException(
                                    "change " + event.id() + " could not be parked for " + sink + ": "
                                            + reason.getMessage(),
                                    reason));
                            callback.done(false);
                        });
    }

    /** Messages of databases and receivers may repeat values that this sink, or the reader of its dead letters, must not see. */
    private UnaryOperator<String> hiding(Exchange exchange, String sink, ChangeEvent event) {
        return Failure.hiding(exchange, component.redactions(), sink, event);
    }

    /** The lane counts what it hands over to be parked. */
    private static boolean isOfLane(Exchange exchange, String sink) {
        return sink.equals(exchange.getProperty(ChangeProperties.LANE));
    }

    private ChangeEvent event(Exchange exchange) {
        if (endpoint.isOriginal() && exchange.getProperty(ChangeProperties.CHANGE) instanceof ChangeEvent handed) {
            return handed;
        }
        Object body = exchange.getMessage().getBody();
        if (body instanceof ChangeEvent event) {
            return event;
        }
        throw new IllegalArgumentException(endpoint.getEndpointUri() + " takes a change event, the body is "
                + (body == null ? "empty" : "a " + body.getClass().getName())
                + ". A step that changes the body belongs into a route of its own, called by enrich");
    }
}
