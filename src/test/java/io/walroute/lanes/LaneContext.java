package io.walroute.lanes;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** A CamelContext of its own with lanes, and changes to send. A change's label is its {@code label} column, or TRUNCATE. */
final class LaneContext implements AutoCloseable {
    /** Lets Java code declare routes in a lambda. */
    interface Routes {
        void define(RouteBuilder routes) throws Exception;
    }

    final CamelContext camel = new DefaultCamelContext();
    final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    final LanesComponent lanes = new LanesComponent();
    private ProducerTemplate template;
    private long lsn;

    LaneContext() {
        camel.getRegistry().bind("meters", meters);
        camel.getRegistry().bind("lanes", lanes);
        camel.getShutdownStrategy().setTimeout(10);
    }

    LaneContext start(Routes routes) throws Exception {
        add(routes);
        camel.start();
        template = camel.createProducerTemplate();
        return this;
    }

    void add(Routes routes) throws Exception {
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() throws Exception {
                routes.define(this);
            }
        });
    }

    Lane lane(String name) {
        return lanes.lane(name);
    }

    /** Sends as a table's route would, and returns the exchange that came back. */
    Exchange send(String lane, ChangeEvent event, Settlement settlement) {
        return send(lane, event, Map.of(Settlement.PROPERTY, settlement));
    }

    Exchange send(String lane, ChangeEvent event, Map<String, Object> properties) {
        return template.send("lanes:" + lane, exchange -> {
            exchange.getMessage().setBody(event);
            exchange.getMessage().setHeader("table", event.table());
            properties.forEach(exchange::setProperty);
        });
    }

    Exchange send(String lane, ChangeEvent event) {
        return send(lane, event, Map.of());
    }

    double count(String meter, String lane) {
        return meters.get(meter).tag("sink", lane).counter().count();
    }

    ChangeEvent change(String key, String label) {
        return change("listings", key, label);
    }

    ChangeEvent change(String table, String key, String label) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", key);
        row.put("label", label);
        var builder = ChangeEvent.builder(Operation.INSERT, "public", table, Instant.EPOCH, nextVersion())
                .newRow(row);
        return (key == null ? builder : builder.key("id", key)).build();
    }

    ChangeEvent keyChange(String from, String to, String label) {
        Map<String, Object> old = new LinkedHashMap<>();
        old.put("id", from);
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", to);
        row.put("label", label);
        return ChangeEvent.builder(Operation.UPDATE, "public", "listings", Instant.EPOCH, nextVersion())
                .key("id", to)
                .oldRow(old)
                .newRow(row)
                .build();
    }

    ChangeEvent truncate() {
        return ChangeEvent.builder(Operation.TRUNCATE, "public", "listings", Instant.EPOCH, nextVersion())
                .build();
    }

    private Version nextVersion() {
        return new Version(1, new Lsn(++lsn), 0);
    }

    static String label(Exchange exchange) {
        ChangeEvent event = exchange.getMessage().getBody(ChangeEvent.class);
        return event.newRow() == null ? "TRUNCATE" : (String) event.newRow().get("label");
    }

    static ConditionFactory await() {
        return Awaitility.await().atMost(10, TimeUnit.SECONDS).pollInterval(2, TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() {
        camel.stop();
    }
}
