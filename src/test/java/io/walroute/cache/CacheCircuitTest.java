package io.walroute.cache;

import static io.walroute.cache.Change.insert;
import static io.walroute.cache.Change.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.Map;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class CacheCircuitTest {
    private static final String LOADING = "-LOADING Redis is loading the dataset in memory\r\n";
    private static final String WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    private final FakeRedis redis = new FakeRedis();
    private final CamelContext context = new DefaultCamelContext();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private RowCacheComponent component;
    private AsyncProducer producer;
    private long lsn = 1;

    @BeforeEach
    void start() throws Exception {
        var settings = new CacheSettings(redis.url(), "", Map.of(), Duration.ofSeconds(1), 256);
        component = new RowCacheComponent(settings);
        context.getRegistry().bind("meters", meters);
        context.addComponent("row-cache", component);
        context.start();
        producer = context.getEndpoint("row-cache:redis").createAsyncProducer();
        producer.start();
        assertThat(send()).isNull();
    }

    @AfterEach
    void stop() throws Exception {
        context.close();
        redis.close();
    }

    private Exception send() {
        return send(1);
    }

    private Exception send(long id) {
        Exchange exchange = producer.getEndpoint().createExchange();
        exchange.getMessage().setBody(update(++lsn, id, "a"));
        return producer.processAsync(exchange)
                .orTimeout(20, java.util.concurrent.TimeUnit.SECONDS)
                .join()
                .getException();
    }

    private double meter(String name) {
        var found = meters.get("walroute.circuit." + name).tag("endpoint", "row-cache");
        return name.equals("open") ? found.gauge().value() : found.counter().count();
    }

    private void open() {
        redis.toScript = call -> LOADING;
        while (!(send() instanceof RowCacheUnavailableException)) {
            assertThat(redis.scripts()).isLessThan(30);
        }
    }

    @Test
    void opens_when_the_server_refuses_and_makes_no_attempt_while_open() {
        open();
        int attempts = redis.scripts();

        assertThat(send())
                .isInstanceOf(RowCacheUnavailableException.class)
                .hasMessage("not tried, the circuit is open. Last failure: Redis"
                        + " at 127.0.0.1:" + redis.port()
                        + " refused the change: LOADING Redis is loading the dataset in"
                        + " memory");

        assertThat(redis.scripts()).isEqualTo(attempts);
        assertThat(meter("open")).isEqualTo(1);
        assertThat(meter("opened")).isEqualTo(1);
        assertThat(meter("refused")).isGreaterThanOrEqualTo(2);
        assertThat(component.problem()).get().asString().contains("LOADING");
    }

    @Test
    void tries_redis_out_by_itself_after_a_while_and_stays_open_as_long_as_it_refuses() {
        open();
        int attempts = redis.scripts();
        await().until(() -> redis.trials() >= 3);
        assertThat(send()).isInstanceOf(RowCacheUnavailableException.class);
        await().until(() -> redis.trials() >= 6);
        assertThat(redis.scripts()).as("no change of a row was risked").isEqualTo(attempts);
        assertThat(meter("open")).isEqualTo(1);
    }

    @Test
    void is_closed_without_any_change_once_the_server_takes_them_again() {
        open();
        int attempts = redis.scripts();
        redis.toScript = FakeRedis::written;
        await().until(() -> meter("open") == 0);
        assertThat(redis.scripts()).isEqualTo(attempts);
        assertThat(component.problem()).isEmpty();
    }

    @Test
    void closes_when_the_server_takes_changes_again() {
        open();
        redis.toScript = FakeRedis::written;
        await().pollInterval(Duration.ofMillis(20)).until(() -> send() == null && send() == null && send() == null);
        assertThat(meter("open")).isZero();
        assertThat(component.problem()).isEmpty();
        for (int i = 0; i < 50; i++) {
            assertThat(send()).isNull();
        }
        assertThat(meter("opened")).isEqualTo(1);
    }

    @Test
    void keys_of_another_type_never_open_it() {
        redis.toScript = call -> call.contains("items:2") ? FakeRedis.written(call) : WRONG_TYPE;
        for (int i = 0; i < 50; i++) {
            assertThat(send())
                    .isNotInstanceOf(RowCacheUnavailableException.class)
                    .hasMessageContaining("WRONGTYPE");
        }
        assertThat(send(2)).isNull();
        assertThat(meter("open")).isZero();
        assertThat(component.problem()).isEmpty();
    }

    @Test
    void an_unreachable_server_opens_it() {
        redis.close();
        await().until(() -> send() instanceof RowCacheUnavailableException);
        assertThat(component.problem()).get().asString().contains("can't be reached");
    }

    @Test
    void a_change_that_can_not_be_sent_says_nothing_of_the_server() {
        for (int i = 0; i < 30; i++) {
            Exchange exchange = producer.getEndpoint().createExchange();
            exchange.getMessage().setBody(insert(++lsn, 1, "a"));
            exchange.getMessage().setHeader(RowCacheHeaders.EXPIRES_AT, "tomorrow");
            assertThat(producer.processAsync(exchange).join().getException()).hasMessageContaining("not a time");
        }
        assertThat(send()).isNull();
    }
}
