package io.walroute.notify;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.store.Store;
import java.io.IOException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.AsyncProducer;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;

/** A Camel context with the component and a route to it, over a store of the test's. */
final class Service implements AutoCloseable {
    private static final Instant TIME = Instant.parse("2026-01-31T12:00:00.123456Z");

    final NotifyComponent component;
    final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final DefaultCamelContext camel = new DefaultCamelContext();
    private final AsyncProducer producer;

    Service(Store store, NotifySettings settings) throws Exception {
        component = new NotifyComponent(settings);
        camel.getRegistry().bind("store", store);
        camel.getRegistry().bind("meters", meters);
        camel.addComponent("notify", component);
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                from("direct:notify").toD("notify:${header.topic}");
            }
        });
        try {
            camel.start();
        } catch (Exception e) {
            camel.close();
            throw e;
        }
        producer = camel.getEndpoint("direct:notify").createAsyncProducer();
        producer.start();
    }

    int port() {
        return component.port();
    }

    double meter(String name) {
        var gauge = meters.find(name).gauge();
        return gauge != null ? gauge.value() : meters.get(name).counter().count();
    }

    /** Ends when the frame is on disk; what one thread sends keeps its order. */
    CompletableFuture<Exchange> send(String topic, ChangeEvent event) {
        return send(topic, event, null);
    }

    CompletableFuture<Exchange> send(String topic, Object body, Object context) {
        var exchange = new DefaultExchange(camel);
        exchange.getMessage().setBody(body);
        exchange.getMessage().setHeader("topic", topic);
        if (context != null) {
            exchange.getMessage().setHeader(NotifyHeaders.CONTEXT, context);
        }
        var done = new CompletableFuture<Exchange>();
        producer.process(exchange, sync -> done.complete(exchange));
        return done;
    }

    static ChangeEvent insert(long id, Object... columns) {
        return change(Operation.INSERT, id).newRow(row(id, columns)).build();
    }

    static ChangeEvent.Builder change(Operation operation, long id) {
        return ChangeEvent.builder(operation, "public", "listings", TIME, new Version(1, new Lsn(1000 + id), 0))
                .xid(7)
                .key("id", id);
    }

    static Map<String, Object> row(long id, Object... columns) {
        var row = new LinkedHashMap<String, Object>();
        row.put("id", id);
        for (int i = 0; i < columns.length; i += 2) {
            row.put((String) columns[i], columns[i + 1]);
        }
        return row;
    }

    @Override
    public void close() throws IOException {
        camel.close();
    }
}
