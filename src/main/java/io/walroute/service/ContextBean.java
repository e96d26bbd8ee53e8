package io.walroute.service;

import io.walroute.change.Redaction;
import io.walroute.change.Redactions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.camel.Header;

/** The bean {@code context} of routes/: what frames carry beside the change. */
public final class ContextBean {
    private final Redaction listings;

    ContextBean(Optional<Redactions> redactions) {
        listings = redactions.map(all -> all.of("notify", "public", "listings")).orElse(null);
    }

    /** @param seller what the query found; null if the listing is gone or has no seller */
    public Map<String, Object> seller(@Header("seller") String seller) {
        Map<String, Object> context = new LinkedHashMap<>();
        context.put("seller_address", listings == null ? seller : listings.value("seller_address", seller));
        return context;
    }
}
