package io.walroute.hook;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Redactions;
import java.nio.charset.StandardCharsets;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultAsyncProducer;

/** Hands the change to the receiver's client; the exchange goes on when the attempt has its outcome. */
class HookProducer extends DefaultAsyncProducer {
    private final HookEndpoint endpoint;
    private final HookComponent component;
    private final Selection selection;
    private final Shape shape;
    private HookClient client;
    private Redactions redactions;

    HookProducer(HookEndpoint endpoint) {
        super(endpoint);
        this.endpoint = endpoint;
        component = endpoint.getComponent();
        selection = endpoint.selection();
        shape = endpoint.shape();
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        client = endpoint.client();
        redactions = endpoint.getCamelContext().getRegistry().findSingleByType(Redactions.class);
    }

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        try {
            ChangeEvent event = copy(exchange);
            if (!selection.wants(event)) {
                callback.done(true);
                return true;
            }
            send(exchange, event, callback);
            return false;
        } catch (RuntimeException e) {
            exchange.setException(e);
            callback.done(true);
            return true;
        }
    }

    private void send(Exchange exchange, ChangeEvent event, AsyncCallback callback) {
        // Batched again, one change that the receiver can't take would take its neighbours down at every attempt.
        boolean alone = Boolean.TRUE.equals(exchange.getMessage().getHeader(Exchange.REDELIVERED, Boolean.class));
        client.send(selection.cut(event), shape, alone).onComplete(sent -> {
            if (sent.failed()) {
                exchange.setException(sent.cause());
            }
            component.continuations().add(() -> callback.done(false));
        });
    }

    private ChangeEvent copy(Exchange exchange) {
        ChangeEvent event = event(exchange);
        return redactions == null || exchange.getProperty(ChangeProperties.REDACTED) != null
                ? event
                : redactions.redact("hook", event).copy(); // a route that leads here without a lane
    }

    /** A route may have made text of the change; whatever it is, it must be a change event. */
    private static ChangeEvent event(Exchange exchange) {
        Object body = exchange.getMessage().getBody();
        if (body instanceof ChangeEvent event) {
            return event;
        }
        if (body instanceof byte[] json) {
            return ChangeEvent.fromJson(json);
        }
        if (body instanceof String json) {
            return ChangeEvent.fromJson(json.getBytes(StandardCharsets.UTF_8));
        }
        throw new IllegalArgumentException("hook: takes a change event, found a body of "
                + (body == null ? "null" : body.getClass().getName()));
    }
}
