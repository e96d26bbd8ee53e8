package io.walroute.service.example;

import io.walroute.change.ChangeEvent;
import java.math.BigDecimal;
import org.apache.camel.builder.RouteBuilder;

/** The README's example of a table route in Java: announces sales of 1,000 and more. */
public class LargeSales extends RouteBuilder {
    @Override
    public void configure() {
        from("direct:sales")
                .routeId("sales")
                .routeDescription("Keeps sales in the cache and announces large ones")
                .routeConfigurationId("router")
                .to("lanes:cache")
                .filter(exchange -> isLarge(exchange.getMessage().getBody(ChangeEvent.class)))
                .setHeader("topic", constant("sales.large"))
                .to("lanes:notify");
    }

    private static boolean isLarge(ChangeEvent sale) {
        return sale.newRow() != null
                && new BigDecimal(String.valueOf(sale.newRow().get("amount"))).compareTo(new BigDecimal(1000)) >= 0;
    }
}
