package io.walroute.service;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.camel.Header;

/** The bean {@code context} of routes/: what frames carry beside the change. */
public final class ContextBean {
    /** @param seller what the query found; null if the listing is gone or has no seller */
    public Map<String, Object> seller(@Header("seller") String seller) {
        Map<String, Object> context = new LinkedHashMap<>();
        context.put("seller_address", seller);
        return context;
    }
}
