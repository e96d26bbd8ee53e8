package io.walroute.cache;

import static io.walroute.cache.Change.columns;
import static io.walroute.cache.Change.delete;
import static io.walroute.cache.Change.half;
import static io.walroute.cache.Change.insert;
import static io.walroute.cache.Change.update;
import static io.walroute.cache.Change.version;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.cache.CacheSettings.TableSettings;
import io.walroute.change.ChangeEvent;
import io.walroute.testing.Redis;
import java.net.ServerSocket;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.InvalidPayloadException;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class RowCacheComponentTest {
    private final CamelContext context = new DefaultCamelContext();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final AtomicReference<String> threadAfterwards = new AtomicReference<>();
    private Redis server = Redis.shared();
    private RedisClient client;
    private RedisCommands<String, String> redis;
    private RowCacheComponent component;
    private ProducerTemplate producer;

    @BeforeEach
    void emptyRedis() {
        client = RedisClient.create(server.url());
        redis = client.connect().sync();
        redis.flushall();
    }

    @AfterEach
    void stop() throws Exception {
        context.close();
        client.shutdown();
        if (server != Redis.shared()) {
            server.close();
        }
    }

    private void start(CacheSettings settings, String... endpoints) throws Exception {
        component = new RowCacheComponent(settings);
        component.setIdentity("7123/grails_wal_slot");
        context.addComponent("row-cache", component);
        context.getRegistry().bind("meters", meters);
        context.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                for (String endpoint : endpoints) {
                    from("direct:" + endpoint.replaceAll("[^a-z].*", ""))
                            .to("row-cache:" + endpoint)
                            .process(exchange ->
                                    threadAfterwards.set(Thread.currentThread().getName()));
                }
            }
        });
        context.start();
        producer = context.createProducerTemplate();
    }

    private void start() throws Exception {
        start(CacheSettings.of(server.url()), "redis");
    }

    private Exchange send(ChangeEvent event) {
        return send("redis", event, null);
    }

    private Exchange send(String endpoint, Object body, Object expiresAt) {
        return producer.send("direct:" + endpoint, exchange -> {
            exchange.getMessage().setBody(body);
            exchange.getMessage().setHeader(RowCacheHeaders.EXPIRES_AT, expiresAt);
        });
    }

    private double changes(String result) {
        return meters.get("walroute.cache.changes")
                .tag("result", result)
                .counter()
                .count();
    }

    @Test
    void changes_go_into_the_cache_and_are_counted() throws Exception {
        start();
        for (var event : new ChangeEvent[] {insert(1, 1, "a"), update(2, 1, "b"), insert(1, 1, "a"), delete(3, 1)}) {
            assertThat(send(event).getException()).isNull();
        }
        send(insert(4, 2, "c"));
        send(Change.of(io.walroute.change.Operation.INSERT, "keyless", 5)
                .newRow(columns("a", 1L))
                .build());
        assertThat(redis.keys("items:*")).containsExactly("items:2");
        assertThat(changes("written")).isEqualTo(3);
        assertThat(changes("older")).isEqualTo(1);
        assertThat(changes("removed")).isEqualTo(1);
        assertThat(changes("filtered")).isEqualTo(1);
    }

    @Test
    void a_route_goes_on_outside_of_the_event_loop() throws Exception {
        start();
        var answer = producer.asyncSend(
                "direct:redis", exchange -> exchange.getMessage().setBody(insert(1, 1, "a")));
        answer.get(10, TimeUnit.SECONDS);
        assertThat(threadAfterwards.get()).doesNotContain("lettuce");
    }

    @Test
    void prefix_and_TTL_come_from_the_endpoint_then_the_table_then_the_default() throws Exception {
        var tables = Map.of("items", new TableSettings("shop:", Duration.ofMinutes(5)));
        var settings = new CacheSettings(server.url(), "app:", tables, Duration.ofSeconds(2), 16);
        start(settings, "plain", "own?prefix=own:&ttl=10m", "other?ttl=PT1H");
        send("plain", insert(1, 1, "a"), null);
        send("own", insert(1, 1, "a"), null);
        var elsewhere = Change.of(io.walroute.change.Operation.INSERT, "others", 1)
                .key("id", 1L)
                .newRow(columns("id", 1L))
                .build();
        send("plain", elsewhere, null);
        assertThat(redis.ttl("shop:items:1")).isBetween(290L, 300L);
        assertThat(redis.ttl("own:items:1")).isBetween(590L, 600L);
        assertThat(redis.ttl("app:others:1")).isEqualTo(-1);
        send("other", update(2, 1, "b"), null);
        assertThat(redis.ttl("shop:items:1")).isBetween(3590L, 3600L);
    }

    @Test
    void the_expiry_header_takes_what_a_timestamptz_column_gives() throws Exception {
        start();
        String inAnHour = Instant.now().plusSeconds(3_600).toString();
        send("redis", insert(1, 1, "a"), inAnHour);
        assertThat(redis.ttl("items:1")).isBetween(3_500L, 3_600L);
        send("redis", update(2, 1, "a"), "infinity");
        assertThat(redis.ttl("items:1")).isEqualTo(-1);
        send("redis", update(3, 1, "a"), Instant.now().plusSeconds(60));
        assertThat(redis.ttl("items:1")).isBetween(1L, 60L);
        send("redis", update(4, 1, "a"), "2026-01-31T12:00:00.123456+02:00");
        send("redis", update(1, 2, "a"), "-infinity");
        send("redis", update(1, 3, "a"), "-0043-03-15T12:00:00Z");
        assertThat(redis.keys("items:*")).isEmpty();
        send("redis", update(1, 4, "a"), "");
        send("redis", update(1, 5, "a"), "+294276-12-31T23:59:59.999999Z");
        assertThat(redis.keys("items:*")).hasSize(2);
        assertThat(send("redis", update(9, 5, "a"), "tomorrow").getException())
                .hasMessageContaining("cacheExpiresAt is 'tomorrow', not a time. Write it in ISO-8601");
    }

    @Test
    void a_body_that_is_no_change_fails_its_exchange() throws Exception {
        start();
        assertThat(send("redis", "text", null).getException()).isInstanceOf(InvalidPayloadException.class);
    }

    @Test
    void a_half_row_is_read_from_the_database_outside_of_the_event_loop() throws Exception {
        var reader = new AtomicReference<String>();
        component = new RowCacheComponent(CacheSettings.of(server.url()));
        start();
        component.setRowSource((schema, table, key) -> {
            reader.set(Thread.currentThread().getName());
            return Optional.of(columns("id", 1L, "name", "b", "big", schema + table + key));
        });
        component.stop();
        component.start();
        send(half(2, 1, "b").build());
        assertThat(redis.get("items:1")).contains("publicitems{id=1}");
        assertThat(reader.get()).contains("row-cache-rows");
    }

    @Test
    void the_context_starts_without_redis_and_delivers_once_it_is_there() throws Exception {
        int port;
        try (var socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }
        start(CacheSettings.of("redis://:s3cret@127.0.0.1:" + port), "redis");
        assertThat(send(insert(1, 1, "a")).getException())
                .isInstanceOf(RowCacheException.class)
                .hasMessage("Redis at 127.0.0.1:" + port + " can't be reached: Connection refused");
        assertThat(component.problem()).get().asString().contains("can't be reached: Connection refused");
        assertThat(component.markerState()).isEqualTo(MarkerState.UNKNOWN);
        assertThat(changes("failed")).isEqualTo(1);

        server = Redis.start(port);
        try (var admin = RedisClient.create(server.url())) {
            admin.connect().sync().configSet("requirepass", "s3cret");
        }
        await().until(() -> component.problem().isEmpty());
        assertThat(send(insert(1, 1, "a")).getException()).isNull();
    }

    @Test
    void an_unknown_host_is_named() throws Exception {
        start(CacheSettings.of("redis://no-such-host.invalid:6379"), "redis");
        assertThat(send(insert(1, 1, "a")).getException())
                .hasMessage("Redis at no-such-host.invalid:6379 can't be reached: unknown host");
    }

    @Test
    void changes_sent_right_after_the_start_wait_for_the_first_connection() throws Exception {
        for (int i = 1; i <= 5; i++) {
            try (var another = new DefaultCamelContext()) {
                another.addComponent("row-cache", new RowCacheComponent(CacheSettings.of(server.url())));
                another.start();
                var sent = another.createProducerTemplate()
                        .send(
                                "row-cache:redis",
                                exchange -> exchange.getMessage().setBody(insert(1, 1, "a")));
                assertThat(sent.getException()).isNull();
            }
        }
    }

    @Test
    void a_component_without_settings_names_the_one_it_needs() {
        assertThatThrownBy(() -> context.getEndpoint("row-cache:redis"))
                .rootCause()
                .hasMessageContaining("row-cache://redis has no Redis")
                .hasMessageContaining("REDIS_URL");
    }

    @Test
    void an_emptied_redis_needs_a_backfill_until_it_had_one() throws Exception {
        start();
        send(insert(1, 1, "a"));
        assertThat(component.markerState()).isEqualTo(MarkerState.MISSING);
        assertThat(redis.hgetall("_walroute:marker"))
                .containsEntry("identity", "7123/grails_wal_slot")
                .containsEntry("backfill", "needed")
                .containsKey("since");
        component.markBackfilled().toCompletableFuture().get(5, TimeUnit.SECONDS);
        assertThat(component.markerState()).isEqualTo(MarkerState.PRESENT);
        component.stop();
        component.start();
        send(insert(2, 1, "a"));
        assertThat(component.markerState()).isEqualTo(MarkerState.PRESENT);
        redis.flushall();
        assertThat(component.markerState()).isEqualTo(MarkerState.MISSING);
    }

    @Test
    void another_services_cache_is_foreign_until_a_backfill_takes_it_over() throws Exception {
        redis.hset("_walroute:marker", Map.of("identity", "99/other", "backfill", "done"));
        start();
        send(insert(1, 1, "a"));
        assertThat(component.markerState()).isEqualTo(MarkerState.FOREIGN);
        assertThat(redis.hget("_walroute:marker", "identity")).isEqualTo("99/other");
        component.markBackfilled().toCompletableFuture().get(5, TimeUnit.SECONDS);
        assertThat(component.markerState()).isEqualTo(MarkerState.PRESENT);
    }

    @Test
    void a_full_redis_gets_no_marker_but_is_connected() throws Exception {
        redis.configSet("maxmemory", "1");
        try {
            start();
            assertThat(send(delete(1, 1)).getException()).isNull();
            assertThat(send(insert(2, 1, "a")).getException()).hasMessageContaining("OOM");
        } finally {
            redis.configSet("maxmemory", "0");
        }
    }

    @Test
    void deletions_are_forgotten_by_purging() throws Exception {
        start();
        send(delete(1, 1));
        assertThat(component.purge(version(1)).toCompletableFuture().get(5, TimeUnit.SECONDS))
                .isEqualTo(1);
    }

    @Test
    void wrong_settings_are_named_without_the_password() {
        assertThatThrownBy(() -> CacheSettings.of("http://localhost")).hasMessageContaining("redis://user:password@");
        assertThatThrownBy(() -> CacheSettings.of("redis://:s3cret@local host"))
                .hasMessageContaining("redis://user:password@")
                .hasMessageNotContaining("s3cret")
                .hasNoCause();
        assertThatThrownBy(() -> new CacheSettings("redis://h", "", Map.of(), Duration.ZERO, 1))
                .hasMessageContaining("Write 2s");
        assertThatThrownBy(() -> new CacheSettings("redis://h", "", Map.of(), Duration.ofSeconds(1), 0))
                .hasMessageContaining("Write 256");
        assertThatThrownBy(() -> new TableSettings(null, Duration.ZERO)).hasMessageContaining("TTL");
        assertThat(CacheSettings.of("rediss://u:s3cret@h:7000/3"))
                .hasToString("CacheSettings[server=h:7000, prefix=, tables={}, commandTimeout=PT2S, pipelineSize=256]");
    }
}
