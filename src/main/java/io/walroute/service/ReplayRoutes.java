package io.walroute.service;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.ChangeProperties;
import io.walroute.change.OwnSettlement;
import io.walroute.change.Settlement;
import io.walroute.replay.Replays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Endpoint;
import org.apache.camel.Exchange;
import org.apache.camel.Message;
import org.apache.camel.model.ModelCamelContext;
import org.apache.camel.model.ProcessorDefinitionHelper;
import org.apache.camel.model.RouteDefinition;
import org.apache.camel.model.ToDefinition;

/** Sends replayed changes where the source sends new ones, behind the audit log; and knows which lane leads to which. */
final class ReplayRoutes implements Replays.Routes, Replays.Lanes {
    private static final String ROUTER = "direct:_router";
    private static final String LANES = "lanes:";
    /** Header for routes that treat replays differently: what {@code --route} named. */
    private static final String REPLAY_ROUTE = "replayRoute";

    private final CamelContext camel;
    private final Endpoint router;
    private final AsyncProducer producer;

    ReplayRoutes(CamelContext camel) throws Exception {
        this.camel = camel;
        router = camel.getEndpoint(ROUTER);
        producer = router.createAsyncProducer();
        camel.addService(producer);
    }

    @Override
    public void send(ChangeEvent event, long replay, String route, Predicate<String> lanes, Consumer<Throwable> ended) {
        var settlement = new OwnSettlement(ended);
        Settlement.Hold own = settlement.hold();
        Exchange exchange = router.createExchange();
        exchange.setProperty(Settlement.PROPERTY, settlement);
        exchange.setProperty(ChangeProperties.LANES, lanes);
        var message = exchange.getIn();
        fill(message, event);
        message.setHeader(ChangeHeaders.REPLAY, replay);
        if (route != null) {
            message.setHeader(REPLAY_ROUTE, route);
        }
        producer.process(exchange, doneSync -> {
            if (exchange.getException() == null) {
                own.release();
            } else {
                own.fail(exchange.getException());
            }
        });
    }

    /** As the source makes its messages. */
    static void fill(Message message, ChangeEvent event) {
        message.setBody(event);
        message.getExchange().setProperty(ChangeProperties.CHANGE, event);
        message.setHeader(ChangeHeaders.TABLE, event.table());
        message.setHeader(ChangeHeaders.SCHEMA, event.schema());
        message.setHeader(ChangeHeaders.OPERATION, event.operation().name());
        message.setHeader(ChangeHeaders.EVENT_ID, event.id());
        message.setHeader(ChangeHeaders.LSN, event.lsnText());
        message.setHeader(ChangeHeaders.XID, event.xid());
    }

    @Override
    public Set<String> names() {
        return leadsTo().keySet();
    }

    @Override
    public Set<String> leadingTo(String lane) {
        Map<String, Set<String>> leadsTo = leadsTo();
        Set<String> found = new HashSet<>(Set.of(lane));
        boolean more = true;
        while (more) {
            more = false;
            for (var other : leadsTo.entrySet()) {
                if (other.getValue().stream().anyMatch(found::contains)) {
                    more |= found.add(other.getKey());
                }
            }
        }
        return found;
    }

    /** Each lane that a route reads, with the lanes that this route sends on to. */
    private Map<String, Set<String>> leadsTo() {
        Map<String, Set<String>> found = new HashMap<>();
        for (RouteDefinition route : ((ModelCamelContext) camel).getRouteDefinitions()) {
            String from = lane(route.getInput().getEndpointUri());
            if (from != null) {
                Collection<ToDefinition> steps =
                        ProcessorDefinitionHelper.filterTypeInOutputs(route.getOutputs(), ToDefinition.class);
                Set<String> to = found.computeIfAbsent(from, name -> new HashSet<>());
                for (ToDefinition step : steps) {
                    String lane = lane(step.getEndpointUri());
                    if (lane != null) {
                        to.add(lane);
                    }
                }
            }
        }
        return found;
    }

    private static String lane(String uri) {
        return uri != null && uri.startsWith(LANES)
                ? uri.substring(LANES.length()).replaceFirst("^//", "").split("\\?", 2)[0]
                : null;
    }
}
