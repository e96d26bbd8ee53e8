package io.walroute.notify;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Redactions;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultAsyncProducer;

/** Logs the change as a frame of its topic; the exchange goes on when that is on disk. */
class NotifyProducer extends DefaultAsyncProducer {
    private final NotifyComponent component;
    private final String topic;
    private Redactions redactions;

    NotifyProducer(NotifyEndpoint endpoint) {
        super(endpoint);
        component = endpoint.getComponent();
        topic = endpoint.getTopic();
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        redactions = getEndpoint().getCamelContext().getRegistry().findSingleByType(Redactions.class);
    }

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        try {
            ChangeEvent event = event(exchange.getMessage().getBody());
            if (redactions != null && exchange.getProperty(ChangeProperties.REDACTED) == null) {
                event = redactions.redact("notify", event).copy(); // a route that leads here without a lane
            }
            String json = new String(event.toJson(), StandardCharsets.UTF_8);
            Map<?, ?> context = context(exchange);
            component.learn(topic, event, context);
            String frame = ServerMessage.event(topic, json, context);
            component.announce(topic, frameOf(event, exchange), frame, () -> callback.done(false), refused -> {
                exchange.setException(refused);
                callback.done(false);
            });
            return false;
        } catch (RuntimeException e) {
            exchange.setException(e);
            callback.done(true);
            return true;
        }
    }

    /** A change is announced once in a topic, and once more by each replay. */
    private static String frameOf(ChangeEvent event, Exchange exchange) {
        return event.replayed()
                ? event.id() + "/" + exchange.getMessage().getHeader(ChangeHeaders.REPLAY, "replay", String.class)
                : event.id();
    }

    /** A route may have made text of the change; whatever it is, it must be a change event. */
    private static ChangeEvent event(Object body) {
        if (body instanceof ChangeEvent event) {
            return event;
        }
        if (body instanceof byte[] json) {
            return ChangeEvent.fromJson(json);
        }
        if (body instanceof String json) {
            return ChangeEvent.fromJson(json.getBytes(StandardCharsets.UTF_8));
        }
        throw new IllegalArgumentException("notify: takes a change event, found a body of "
                + (body == null ? "null" : body.getClass().getName()));
    }

    private static Map<?, ?> context(Exchange exchange) {
        Object context = exchange.getMessage().getHeader(NotifyHeaders.CONTEXT);
        if (context == null || context instanceof Map) {
            return (Map<?, ?>) context;
        }
        throw new IllegalArgumentException(
                "The header " + NotifyHeaders.CONTEXT + " must be a map, as seller_address to" + " its value, found "
                        + context.getClass().getName());
    }
}
