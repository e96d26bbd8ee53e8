package io.walroute.service;

import io.walroute.change.ChangeEvent;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.Route;

/**
 * The bean {@code tableRoutes} of routes/router.camel.yaml: tells whether a table has a route of its own, which is one that
 * starts at {@code direct:TABLE}. So a table is added by adding a file.
 */
public final class TableRoutes {
    private final Map<String, Boolean> known = new ConcurrentHashMap<>();

    public boolean has(Exchange exchange) {
        var change = exchange.getMessage().getBody(ChangeEvent.class);
        CamelContext camel = exchange.getContext();
        return known.computeIfAbsent(change.qualifiedTable(), table -> startsAtTable(camel, table));
    }

    /** Routes come and go while they are edited in dev mode. */
    public void forget() {
        known.clear();
    }

    private static boolean startsAtTable(CamelContext camel, String table) {
        String uri = "direct://" + table;
        for (Route route : camel.getRoutes()) {
            if (route.getEndpoint().getEndpointUri().equals(uri)) {
                return true;
            }
        }
        return false;
    }
}
