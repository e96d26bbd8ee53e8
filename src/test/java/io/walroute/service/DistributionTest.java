package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import io.lettuce.core.Range;
import io.lettuce.core.RedisClient;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.vertx.core.Vertx;
import io.walroute.settings.SettingsException;
import io.walroute.testing.AmqpBroker;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Redis;
import io.walroute.testing.TestCa;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.PGConnection;

/** The sinks that pass changes on, against real servers. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DistributionTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    private final List<AutoCloseable> open = new ArrayList<>();
    private ServiceRig rig;

    private ServiceRig rig(String... settings) throws Exception {
        rig = new ServiceRig();
        for (int i = 0; i < settings.length; i += 2) {
            rig.environment.put("WALROUTE_DISTRIBUTE_" + settings[i], settings[i + 1]);
        }
        return rig;
    }

    private <T extends AutoCloseable> T closing(T each) {
        open.add(0, each);
        return each;
    }

    @AfterEach
    void close() throws Exception {
        if (rig != null) {
            rig.close();
        }
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private void insert(long id) {
        rig.db.execute("INSERT INTO listings(id, seller_address, price_wei) VALUES (" + id + ", '0xa', 1)");
    }

    private void reprice(long id, int from, int to) {
        for (int price = from; price <= to; price++) {
            rig.db.execute("UPDATE listings SET price_wei = " + price + " WHERE id = " + id);
        }
    }

    private static JsonNode json(String text) {
        try {
            return ServiceRig.JSON.readTree(text);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The ids of one listing's audited changes, in commit order. */
    private List<String> auditedIds(long listing) {
        return ids(rig.audit(), listing);
    }

    private static List<String> ids(List<JsonNode> events, long listing) {
        return events.stream()
                .filter(event -> event.path("table").asText().equals("listings"))
                .filter(event -> event.at("/key/id").asLong() == listing)
                .map(event -> event.path("id").asText())
                .toList();
    }

    private void awaitCached(long id) {
        try (var redis = rig.redis()) {
            await().atMost(LONG).until(() -> redis.sync().get("listings:" + id) != null);
        }
    }

    private double delivered(String sink) {
        return rig.service()
                .meters()
                .get("walroute.delivered")
                .tag("sink", sink)
                .counter()
                .count();
    }

    // ---------------------------------------------------------------- TLS

    @Test
    void the_redis_of_streams_and_channels_is_trusted_by_the_authority_that_is_set_and_by_no_other(@TempDir Path folder)
            throws Exception {
        var ca = new TestCa(folder, "right");
        Vertx vertx = Vertx.vertx();
        closing(() -> vertx.close().toCompletionStage().toCompletableFuture().join());
        rig("REDIS_STREAM_TABLES", "listings", "REDIS_PUBSUB_TABLES", "offers");
        int port = TlsTest.tlsInFrontOf(vertx, rig.redis.port(), ca.issue("redis", "dns:localhost"));
        rig.environment.put("WALROUTE_DISTRIBUTE_REDIS_URL", "rediss://localhost:" + port);
        rig.environment.put(
                "WALROUTE_CACHE_CA_FILE",
                new TestCa(folder, "wrong").certificate().toString());
        rig.startReady();
        insert(1);
        await().atMost(LONG).until(() -> rig.deadLetters("redis-stream").size() == 1);
        assertThat(rig.management("/api/dead-letters?sink=redis-stream").body()).contains("certif");
        try (var redis = rig.redis()) {
            assertThat(redis.sync().exists("walroute:changes")).isZero();
            rig.stop();
            rig.environment.put("WALROUTE_CACHE_CA_FILE", ca.certificate().toString());
            rig.startReady();
            await().atMost(LONG).until(() -> redis.sync().xlen("walroute:changes") == 1); // the parked one
            rig.db.execute("INSERT INTO offers(id, listing_id) VALUES (1, 1)");
            await().atMost(LONG).until(() -> delivered("redis-pubsub") == 1);
        }
    }

    // ---------------------------------------------------------------- NOTIFY

    private List<String> listen(String channel) throws SQLException {
        var connection = closing(rig.db.connect());
        connection.createStatement().execute("LISTEN " + channel);
        List<String> payloads = new CopyOnWriteArrayList<>();
        var thread = new Thread(() -> {
            try {
                while (!connection.isClosed()) {
                    for (var each : connection.unwrap(PGConnection.class).getNotifications(100)) {
                        payloads.add(each.getParameter());
                    }
                }
            } catch (SQLException ended) {
                // by the end of the test
            }
        });
        thread.setDaemon(true);
        thread.start();
        return payloads;
    }

    @Test
    void backends_that_listen_get_each_change_of_a_row_in_order_and_only_of_the_tables_named() throws Exception {
        rig("PG_NOTIFY_TABLES", "listings").startReady();
        List<String> payloads = listen("walroute_changes");
        rig.db.execute("INSERT INTO offers(id, listing_id) VALUES (1, 1)");
        insert(1);
        reprice(1, 2, 30);
        rig.db.execute("DELETE FROM listings WHERE id = 1");

        await().atMost(LONG).until(() -> payloads.size() >= 31);
        List<JsonNode> events = payloads.stream().map(DistributionTest::json).toList();
        assertThat(events)
                .allSatisfy(event -> assertThat(event.path("table").asText()).isEqualTo("listings"));
        assertThat(ids(events, 1)).isEqualTo(auditedIds(1)).hasSize(31);
        assertThat(events)
                .isEqualTo(rig.audit().stream()
                        .filter(event -> event.path("table").asText().equals("listings"))
                        .toList());
        assertThat(delivered("pg-notify")).isEqualTo(31);
    }

    @Test
    void a_change_too_long_for_a_notify_comes_as_its_key_and_id() throws Exception {
        rig("PG_NOTIFY_TABLES", "all", "PG_NOTIFY_CHANNEL", "Other").startReady();
        List<String> payloads = listen("\"Other\"");
        rig.db.execute("INSERT INTO listings(id, ens_name) VALUES (1, repeat('ü', 4000))");
        // Compressed, PostgreSQL's index takes this key.
        rig.db.execute("INSERT INTO ens_names(token_id) VALUES (repeat('k', 9000))");

        await().atMost(LONG).until(() -> payloads.size() == 2);
        JsonNode row = payloads.stream()
                .map(DistributionTest::json)
                .filter(each -> each.path("table").asText().equals("listings"))
                .findFirst()
                .orElseThrow();
        assertThat(row)
                .isEqualTo(
                        json(
                                "{\"id\":\"" + auditedIds(1).get(0)
                                        + "\",\"operation\":\"INSERT\",\"schema\":\"public\",\"table\":\"listings\",\"key\":{\"id\":1},\"key_only\":true}"));
        JsonNode name = payloads.stream()
                .map(DistributionTest::json)
                .filter(each -> each.path("table").asText().equals("ens_names"))
                .findFirst()
                .orElseThrow();
        assertThat(name.path("key").isNull()).isTrue();
        assertThat(name.path("key_only").asBoolean()).isTrue();
        assertThat(rig.deadLetters("pg-notify")).isEmpty();
    }

    // ---------------------------------------------------------------- Redis

    private static List<JsonNode> stream(Redis redis, String key) {
        RedisClient client = RedisClient.create(redis.url());
        try (var connection = client.connect()) {
            return connection.sync().xrange(key, Range.unbounded()).stream()
                    .map(entry -> json(entry.getBody().get("event")))
                    .toList();
        } finally {
            client.shutdown();
        }
    }

    @Test
    void a_redis_stream_and_a_channel_get_each_change_of_a_row_in_order() throws Exception {
        rig("REDIS_STREAM_TABLES", "listings", "REDIS_STREAM_MAX_LENGTH", "100", "REDIS_PUBSUB_TABLES", "listings")
                .startReady();
        RedisClient client = RedisClient.create(rig.redis.url());
        closing(client::shutdown);
        List<JsonNode> heard = new CopyOnWriteArrayList<>();
        var subscriber = client.connectPubSub();
        subscriber.addListener(new RedisPubSubAdapter<>() {
            @Override
            public void message(String channel, String message) {
                heard.add(json(message));
            }
        });
        subscriber.sync().subscribe("walroute:listings");
        insert(1);
        reprice(1, 2, 40);

        await().atMost(LONG)
                .until(() -> heard.size() == 40
                        && stream(rig.redis, "walroute:changes").size() == 40);
        assertThat(ids(heard, 1)).isEqualTo(auditedIds(1));
        assertThat(ids(stream(rig.redis, "walroute:changes"), 1)).isEqualTo(auditedIds(1));

        rig.db.execute("INSERT INTO listings(id) SELECT generate_series(2, 1000)");
        await().atMost(LONG).until(() -> delivered("redis-stream") == 1039);
        // Redis drops whole nodes of 100 entries.
        assertThat(stream(rig.redis, "walroute:changes")).hasSizeBetween(100, 250);
    }

    @Test
    void while_the_redis_of_the_stream_is_away_its_changes_are_parked_and_the_other_sinks_go_on() throws Exception {
        Redis redis = Redis.start();
        rig("REDIS_STREAM_TABLES", "listings", "REDIS_PUBSUB_TABLES", "all", "REDIS_URL", redis.url())
                .startReady();
        insert(1);
        await().atMost(LONG).until(() -> stream(redis, "walroute:changes").size() == 1);
        redis.close();
        reprice(1, 2, 10);
        insert(2);
        String committed = rig.walPosition();

        awaitCached(2);
        await().atMost(LONG).until(() -> rig.receiver.requests().size() == 11);
        await().atMost(LONG)
                .until(() -> rig.deadLetters("redis-stream").size() == 10
                        && rig.deadLetters("redis-pubsub").size() == 10);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(committed));

        Redis back = closing(Redis.start(redis.port()));
        await().atMost(LONG)
                .until(() -> rig.deadLetters("redis-stream").isEmpty()
                        && rig.deadLetters("redis-pubsub").isEmpty());
        List<JsonNode> events = stream(back, "walroute:changes");
        assertThat(ids(events, 1)).isEqualTo(auditedIds(1).subList(1, 10));
        assertThat(ids(events, 2)).isEqualTo(auditedIds(2));
    }

    // ---------------------------------------------------------------- RabbitMQ

    /** What a queue gets that is bound to all of the exchange. */
    private List<Delivery> consume(int port) throws Exception {
        var factory = new ConnectionFactory();
        factory.setUri(AmqpBroker.url(port));
        Connection connection = closing(factory.newConnection());
        var channel = connection.createChannel();
        channel.exchangeDeclare("walroute", "topic", true);
        String queue = channel.queueDeclare("listener", false, true, true, null).getQueue();
        channel.queueBind(queue, "walroute", "#");
        List<Delivery> deliveries = new CopyOnWriteArrayList<>();
        channel.basicConsume(queue, true, (tag, delivery) -> deliveries.add(delivery), tag -> {});
        return deliveries;
    }

    private static List<JsonNode> events(List<Delivery> deliveries) {
        return deliveries.stream()
                .map(delivery -> json(new String(delivery.getBody(), java.nio.charset.StandardCharsets.UTF_8)))
                .toList();
    }

    @Test
    @EnabledForJreRange(max = JRE.JAVA_23) // the broker asks for the caller in a way that later ones refuse
    void rabbitmq_gets_each_change_of_a_row_in_order_and_what_it_misses_while_it_is_away_later() throws Exception {
        AmqpBroker broker = closing(AmqpBroker.start());
        var proxy = closing(new FaultProxy(broker.port()));
        rig("RABBITMQ_TABLES", "listings", "RABBITMQ_URL", AmqpBroker.url(proxy.port()))
                .startReady();
        List<Delivery> deliveries = consume(broker.port());
        insert(1);
        reprice(1, 2, 30);
        await().atMost(LONG).until(() -> deliveries.size() == 30);
        assertThat(ids(events(deliveries), 1)).isEqualTo(auditedIds(1));
        Delivery last = deliveries.get(29);
        assertThat(last.getEnvelope().getRoutingKey()).isEqualTo("listings.update");
        assertThat(last.getProperties().getMessageId()).isEqualTo(auditedIds(1).get(29));
        assertThat(last.getProperties().getContentType()).isEqualTo("application/json");
        assertThat(last.getProperties().getDeliveryMode()).isEqualTo(2);
        assertThat(last.getProperties().getHeaders()).containsKeys("table", "operation", "eventId");

        proxy.cut();
        reprice(1, 31, 40);
        insert(2);
        String committed = rig.walPosition();
        awaitCached(2);
        await().atMost(LONG).until(() -> rig.deadLetters("rabbitmq").size() == 11);
        await().atMost(LONG).until(() -> rig.slotHasConfirmed(committed));

        proxy.heal();
        await().atMost(LONG).until(() -> rig.deadLetters("rabbitmq").isEmpty());
        await().atMost(LONG).until(() -> deliveries.size() == 41);
        assertThat(ids(events(deliveries), 1)).isEqualTo(auditedIds(1));
        assertThat(ids(events(deliveries), 2)).isEqualTo(auditedIds(2));
    }

    @Test
    @EnabledForJreRange(max = JRE.JAVA_23)
    void a_message_that_rabbitmq_has_not_confirmed_is_not_delivered() throws Exception {
        AmqpBroker broker = closing(AmqpBroker.start());
        var proxy = closing(new FaultProxy(broker.port()));
        rig("RABBITMQ_TABLES", "listings", "RABBITMQ_URL", AmqpBroker.url(proxy.port()))
                .startReady();
        List<Delivery> deliveries = consume(broker.port());
        insert(1);
        await().atMost(LONG).until(() -> delivered("rabbitmq") == 1);

        proxy.holdToClient(); // what is published arrives, its confirm doesn't
        insert(2);
        await().atMost(LONG).until(() -> deliveries.size() == 2);
        assertThat(delivered("rabbitmq")).isEqualTo(1);

        proxy.reset(); // before the confirm could come
        proxy.heal();
        await().atMost(LONG).until(() -> delivered("rabbitmq") == 2);
        await().atMost(LONG).until(() -> deliveries.size() == 3);
        assertThat(ids(events(deliveries), 2))
                .hasSize(2)
                .containsOnly(auditedIds(2).get(0));
    }

    @Test
    void tables_for_rabbitmq_without_its_url_stop_the_start() throws Exception {
        rig("RABBITMQ_TABLES", "listings");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("walroute.distribute.rabbitmq.url is not set")
                .hasMessageContaining("walroute.distribute.rabbitmq.tables");
    }
}
