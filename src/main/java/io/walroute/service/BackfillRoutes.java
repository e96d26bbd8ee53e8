package io.walroute.service;

import io.walroute.backfill.Backfills;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.OwnSettlement;
import io.walroute.change.Settlement;
import io.walroute.slot.TableName;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Endpoint;
import org.apache.camel.Exchange;
import org.apache.camel.model.ModelCamelContext;
import org.apache.camel.model.ProcessorDefinitionHelper;
import org.apache.camel.model.RouteDefinition;
import org.apache.camel.model.ToDefinition;
import org.apache.camel.model.ToDynamicDefinition;

/**
 * Sends rows that a backfill read where the source sends changes, behind the audit log, with every lane closed but those that
 * lead to the cache: so a table's own route decides what is cached, and how long.
 */
final class BackfillRoutes implements Backfills.Routes {
    private static final String ROUTER = "direct:_router";
    private static final String ANY_TABLE = "direct:_any-table";
    private static final String DIRECT = "direct:";
    private static final String LANES = "lanes:";
    private static final String ROW_CACHE = "row-cache:";

    /** Routes come and go in dev mode; for each row to go through them all would cost as much as reading it. */
    private static final Duration KNOWN_FOR = Duration.ofSeconds(1);

    private record Known(Set<String> lanes, long atNanos) {}

    private final ModelCamelContext camel;
    private final Set<String> ownTables;
    private final Endpoint router;
    private final AsyncProducer producer;
    private volatile Known known;

    /** @param ownTables with schema, separated by commas: never followed, so never cached */
    BackfillRoutes(CamelContext camel, String ownTables) throws Exception {
        this.camel = (ModelCamelContext) camel;
        this.ownTables = Set.copyOf(Arrays.asList(ownTables.split(",")));
        router = camel.getEndpoint(ROUTER);
        producer = router.createAsyncProducer();
        camel.addService(producer);
    }

    @Override
    public void send(ChangeEvent event, Runnable reached, Consumer<Throwable> ended) {
        var settlement = new OwnSettlement(ended);
        Settlement.Hold own = settlement.hold();
        Set<String> lanes = cacheLanes();
        var first = new AtomicBoolean(true);
        Predicate<String> onlyCache = lane -> {
            boolean cache = lanes.contains(lane);
            if (cache && first.getAndSet(false)) {
                reached.run();
            }
            return cache;
        };
        Exchange exchange = router.createExchange();
        exchange.setProperty(Settlement.PROPERTY, settlement);
        exchange.setProperty(ChangeProperties.LANES, onlyCache);
        ReplayRoutes.fill(exchange.getIn(), event);
        producer.process(exchange, doneSync -> {
            if (exchange.getException() == null) {
                own.release();
            } else {
                own.fail(exchange.getException());
            }
        });
    }

    /** Whether the route that the router would choose for the table leads to the cache. */
    boolean leadToCache(TableName table) {
        if (ownTables.contains(table.schema() + "." + table.table())) {
            return false;
        }
        String own = DIRECT + table;
        boolean hasOwn = !table.toString().startsWith("_")
                && camel.getRouteDefinitions().stream().anyMatch(route -> startsAt(route, own));
        return leadsToCache(hasOwn ? own : ANY_TABLE, cacheLanes(), new HashSet<>());
    }

    private boolean leadsToCache(String from, Set<String> cacheLanes, Set<String> seen) {
        if (!seen.add(from)) {
            return false;
        }
        for (RouteDefinition route : camel.getRouteDefinitions()) {
            if (!startsAt(route, from)) {
                continue;
            }
            for (ToDefinition step : steps(route)) {
                String uri = plain(step.getEndpointUri());
                if (uri.startsWith(LANES) && cacheLanes.contains(uri.substring(LANES.length()))
                        || uri.startsWith(DIRECT) && leadsToCache(uri, cacheLanes, seen)) {
                    return true;
                }
            }
            // Where a computed address leads isn't known: rows that it keeps from the cache are counted as filtered.
            if (!ProcessorDefinitionHelper.filterTypeInOutputs(route.getOutputs(), ToDynamicDefinition.class)
                    .isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /** Lanes whose route writes into Redis. */
    private Set<String> cacheLanes() {
        Known now = known;
        if (now == null || System.nanoTime() - now.atNanos() > KNOWN_FOR.toNanos()) {
            now = new Known(findCacheLanes(), System.nanoTime());
            known = now;
        }
        return now.lanes();
    }

    private Set<String> findCacheLanes() {
        Set<String> lanes = new HashSet<>();
        for (RouteDefinition route : camel.getRouteDefinitions()) {
            String from = plain(route.getInput().getEndpointUri());
            if (from.startsWith(LANES)
                    && steps(route).stream()
                            .anyMatch(step -> plain(step.getEndpointUri()).startsWith(ROW_CACHE))) {
                lanes.add(from.substring(LANES.length()));
            }
        }
        return lanes;
    }

    private static List<ToDefinition> steps(RouteDefinition route) {
        return List.copyOf(ProcessorDefinitionHelper.filterTypeInOutputs(route.getOutputs(), ToDefinition.class));
    }

    private static boolean startsAt(RouteDefinition route, String uri) {
        return plain(route.getInput().getEndpointUri()).equals(uri);
    }

    private static String plain(String uri) {
        return uri == null ? "" : uri.replaceFirst("://", ":").split("\\?", 2)[0];
    }
}
