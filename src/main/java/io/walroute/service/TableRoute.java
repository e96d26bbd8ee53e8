package io.walroute.service;

import io.walroute.change.ChangeEvent;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.Route;

/**
 * The bean {@code tableRoute} of routes/router.camel.yaml: puts into the header {@code tableRoute} what the change's own route is
 * called, which is the one that starts at {@code direct:TABLE}; without one the header is missing. So a table is added by adding
 * a file.
 */
public final class TableRoute implements Processor {
    static final String HEADER = "tableRoute";

    private final Map<String, Optional<String>> known = new ConcurrentHashMap<>();

    @Override
    public void process(Exchange exchange) {
        var change = exchange.getMessage().getBody(ChangeEvent.class);
        CamelContext camel = exchange.getContext();
        Optional<String> route = known.computeIfAbsent(
                change.qualifiedTable(), table -> startsAtTable(camel, table) ? Optional.of(table) : Optional.empty());
        if (route.isPresent()) {
            exchange.getMessage().setHeader(HEADER, route.get());
        } else {
            exchange.getMessage().removeHeader(HEADER);
        }
    }

    /** Routes come and go while they are edited in dev mode. */
    void forget() {
        known.clear();
    }

    private static boolean startsAtTable(CamelContext camel, String table) {
        if (table.startsWith("_")) {
            return false; // the routes' own addresses begin so: a table must not be led into one of them
        }
        String uri = "direct://" + table;
        for (Route route : camel.getRoutes()) {
            if (route.getEndpoint().getEndpointUri().equals(uri)) {
                return true;
            }
        }
        return false;
    }
}
