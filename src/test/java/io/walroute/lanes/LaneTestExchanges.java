package io.walroute.lanes;

import io.walroute.change.ChangeProperties;
import java.util.Map;
import org.apache.camel.Exchange;

/** What the dead letters do to exchanges. */
final class LaneTestExchanges {
    private LaneTestExchanges() {}

    static void deadLettered(Exchange exchange) {
        exchange.setProperty(ChangeProperties.PARKED, true);
    }

    static Map<String, Object> redrive(int left) {
        return Map.of(ChangeProperties.REDRIVE, true, ChangeProperties.PARKED_LEFT, left);
    }
}
