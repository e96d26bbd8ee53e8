package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import io.walroute.audit.AuditComponent;
import io.walroute.audit.AuditSettings;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.deadletter.DeadLetterComponent;
import io.walroute.lanes.LanesComponent;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.camel.BindToRegistry;
import org.apache.camel.CamelConfiguration;
import org.apache.camel.CamelContext;
import org.apache.camel.EndpointInject;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.component.mock.MockEndpoint;
import org.apache.camel.test.main.junit5.CamelMainTest;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Which lane and topic each change goes to, by the files of routes/ alone: what is behind the lanes is not there. */
@DisplayNameGeneration(ReplaceUnderscores.class)
@CamelMainTest(
        configurationClasses = RoutingTest.Parts.class,
        replaceRouteFromWith = "source=direct:changes",
        mockEndpointsAndSkip = "lanes:*",
        properties = {
            "camel.main.routes-include-pattern=file:routes/*.camel.yaml",
            "walroute.cache.enabled=false",
            "walroute.notify.enabled=false",
            "walroute.hook.enabled=false",
            "walroute.invalidation.enabled=false",
            "walroute.invalidation.off=false",
            "walroute.notify.off=false",
            "walroute.pg-notify.enabled=false",
            "walroute.redis-stream.enabled=false",
            "walroute.redis-pubsub.enabled=false",
            "walroute.rabbitmq.enabled=false",
            "walroute.distribute.off=true"
        })
class RoutingTest {
    public static class Parts implements CamelConfiguration {
        @Override
        public void configure(CamelContext camel) {}

        private final Store store = open();

        private static Store open() {
            try {
                Path file = Files.createTempFile("routing", ".db");
                file.toFile().deleteOnExit();
                return Store.open(new Store.Settings("jdbc:sqlite:" + file));
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        @BindToRegistry("audit")
        public AuditComponent audit() {
            return new AuditComponent(AuditSettings.DEFAULT, store);
        }

        @BindToRegistry("dead-letter")
        public DeadLetterComponent deadLetters() {
            return new DeadLetterComponent(store);
        }

        @BindToRegistry("lanes")
        public LanesComponent lanes() {
            var lanes = new LanesComponent();
            lanes.setDisabled("cache,notify,hook,invalidation");
            return lanes;
        }

        @BindToRegistry("tableRoute")
        public TableRoute tableRoute() {
            return new TableRoute();
        }

        @BindToRegistry("context")
        public ContextBean context() {
            return new ContextBean(java.util.Optional.empty());
        }

        /** Never asked: nothing gets behind a lane. */
        @BindToRegistry("walroute")
        public HikariDataSource database() {
            return new HikariDataSource();
        }
    }

    @EndpointInject("direct:changes")
    private ProducerTemplate changes;

    @EndpointInject("mock:lanes:cache")
    private MockEndpoint cache;

    @EndpointInject("mock:lanes:notify")
    private MockEndpoint notices;

    @EndpointInject("mock:lanes:hook")
    private MockEndpoint hook;

    @EndpointInject("mock:lanes:invalidation")
    private MockEndpoint invalidation;

    @EndpointInject("mock:lanes:write-backs")
    private MockEndpoint writeBacks;

    @EndpointInject("mock:lanes:offer-seller")
    private MockEndpoint offerSeller;

    private int lsn;

    private void send(String table, Operation operation, List<String> changedColumns) {
        var version = new Version(1, new Lsn(++lsn), 0);
        Map<String, Object> row = new TreeMap<>(Map.of("id", 1L, "expires_at", "2027-01-01T00:00:00.000000Z"));
        var event = ChangeEvent.builder(operation, "public", table, Instant.EPOCH, version)
                .key("id", 1L)
                .newRow(operation == Operation.DELETE ? null : row)
                .oldRow(operation == Operation.INSERT ? null : row)
                .changedColumns(changedColumns)
                .build();
        changes.sendBodyAndHeaders(
                event, Map.of(ChangeHeaders.TABLE, table, ChangeHeaders.OPERATION, operation.name()));
    }

    private List<Object> topics() {
        return notices.getExchanges().stream()
                .map(e -> e.getMessage().getHeader("topic"))
                .toList();
    }

    private void assertCounts(int cached, int noticed, int hooked, int writtenBack, int looked) {
        assertThat(List.of(
                        cache.getReceivedCounter(),
                        notices.getReceivedCounter(),
                        hook.getReceivedCounter(),
                        writeBacks.getReceivedCounter(),
                        offerSeller.getReceivedCounter()))
                .containsExactly(cached, noticed, hooked, writtenBack, looked);
        assertThat(invalidation.getReceivedCounter()).as("every change").isEqualTo(lsn);
    }

    @Test
    void listings() {
        send("listings", Operation.INSERT, null);
        send("listings", Operation.UPDATE, List.of("price_wei"));
        send("listings", Operation.UPDATE, List.of("status"));
        send("listings", Operation.UPDATE, null); // unknown: nothing is announced
        send("listings", Operation.DELETE, null);
        assertCounts(5, 3, 4, 0, 0);
        assertThat(topics()).containsExactly("listings.created", "listings.price_changed", "listings.removed");
        assertThat(notices.getExchanges()
                        .get(1)
                        .getMessage()
                        .getBody(ChangeEvent.class)
                        .changedColumns())
                .containsExactly("price_wei");
    }

    @Test
    void offers() {
        send("offers", Operation.INSERT, null);
        send("offers", Operation.UPDATE, null);
        send("offers", Operation.DELETE, null);
        assertCounts(3, 0, 0, 0, 1);
        assertThat(cache.getExchanges())
                .extracting(e -> e.getMessage().getHeader("cacheExpiresAt"))
                .containsExactly(null, "2027-01-01T00:00:00.000000Z", null);
    }

    @Test
    void names() {
        send("ens_names", Operation.INSERT, null);
        send("ens_names", Operation.UPDATE, List.of("owner_address"));
        send("ens_names", Operation.UPDATE, List.of("expiry_date"));
        send("ens_names", Operation.DELETE, null);
        assertCounts(4, 1, 0, 1, 0);
        assertThat(topics()).containsExactly("names.transferred");
        assertThat(writeBacks
                        .getExchanges()
                        .get(0)
                        .getMessage()
                        .getBody(ChangeEvent.class)
                        .changedColumns())
                .containsExactly("owner_address");
    }

    @Test
    void opensea_events_and_tables_without_a_route() {
        send("opensea_events", Operation.INSERT, null);
        send("opensea_events", Operation.DELETE, null);
        send("other", Operation.INSERT, null);
        send("_router", Operation.INSERT, null); // a table of that name is no way into a route's inside
        assertCounts(2, 0, 0, 1, 0);
    }

    @Nested
    @CamelMainTest(properties = "walroute.notify.off=true")
    class WithoutWebSocket {
        @EndpointInject("mock:lanes:offer-seller")
        private MockEndpoint lookups;

        @EndpointInject("mock:lanes:cache")
        private MockEndpoint cached;

        /** Each would be a query for nothing. */
        @Test
        void a_new_offers_seller_is_not_looked_up() throws Exception {
            cached.expectedMessageCount(1);
            lookups.expectedMessageCount(0);

            send("offers", Operation.INSERT, null);

            MockEndpoint.assertIsSatisfied(cached, lookups);
        }
    }
}
