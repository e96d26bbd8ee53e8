package io.walroute.notify;

import static io.walroute.notify.Service.change;
import static io.walroute.notify.Service.insert;
import static io.walroute.notify.Service.row;
import static io.walroute.notify.WsClient.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import io.walroute.change.RawJson;
import io.walroute.store.Store;
import io.walroute.testing.Postgres;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class NotifyTest {
    private static final String TOPIC = "listings.created";

    @TempDir
    Path folder;

    private final Opened open = new Opened();
    private Store store;

    @BeforeEach
    void openStore() throws SQLException {
        store = openStore("jdbc:sqlite:" + folder.resolve("walroute.db"));
    }

    private Store openStore(String url) throws SQLException {
        Store opened = Store.open(new Store.Settings(url));
        open.add(opened);
        return opened;
    }

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private static NotifySettings.Builder settings() {
        return NotifySettings.builder().port(0);
    }

    private Service start() throws Exception {
        return start(settings());
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        var service = new Service(store, settings.build());
        open.add(service);
        return service;
    }

    private WsClient connect(Service service, String... headers) {
        return open.client(service, headers);
    }

    private static void sendAndWait(Service service, String topic, ChangeEvent... events) throws Exception {
        var sent = new ArrayList<CompletableFuture<Exchange>>();
        for (ChangeEvent event : events) {
            sent.add(service.send(topic, event));
        }
        for (var each : sent) {
            assertThat(each.get(20, TimeUnit.SECONDS).getException()).isNull();
        }
    }

    private static ChangeEvent[] inserts(long from, long to, Object... columns) {
        return LongStream.rangeClosed(from, to)
                .mapToObj(id -> insert(id, columns))
                .toArray(ChangeEvent[]::new);
    }

    private static List<Long> ids(List<JsonNode> frames) {
        return frames.stream()
                .filter(frame -> type(frame).equals("event"))
                .map(frame -> frame.path("event").path("key").path("id").asLong())
                .toList();
    }

    private static List<Long> range(long from, long to) {
        return LongStream.rangeClosed(from, to).boxed().toList();
    }

    // ---- the protocol

    @Test
    void a_subscriber_gets_the_event_as_the_contract_writes_it() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        assertThat(client.subscribe("s1", TOPIC)).isEqualTo("0");
        ChangeEvent event = insert(42, "price_wei", "70", "metadata", new RawJson("{\"a\":1.0}"));

        sendAndWait(service, TOPIC, event);

        assertThat(client.nextText())
                .isEqualTo("{\"type\":\"event\",\"topic\":\"listings.created\",\"event\":" + event
                        + ",\"position\":\"1\"}");
    }

    @Test
    void only_the_subscribed_topics_come_until_they_are_unsubscribed() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);

        sendAndWait(service, "offers.received", insert(1));
        sendAndWait(service, TOPIC, insert(2));
        assertThat(ids(client.untilPong())).containsExactly(2L);

        client.send("{'type':'unsubscribe','id':'s1'}");
        assertThat(client.nextText()).isEqualTo("{\"type\":\"unsubscribed\",\"id\":\"s1\"}");
        sendAndWait(service, TOPIC, insert(3));
        assertThat(client.untilPong()).isEmpty();
    }

    @Test
    void a_topic_with_a_star_takes_all_that_begin_so() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", "listings.*");

        sendAndWait(service, TOPIC, insert(1));
        sendAndWait(service, "offers.received", insert(2));
        sendAndWait(service, "listings.removed", insert(3));

        assertThat(ids(client.untilPong())).containsExactly(1L, 3L);
    }

    @Test
    void a_pong_says_the_position_that_the_client_has_got_to() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        sendAndWait(service, TOPIC, inserts(1, 3));
        client.until(frame -> frame.path("position").asText().equals("3"));

        client.send("{'type':'ping'}");

        assertThat(client.nextText()).isEqualTo("{\"type\":\"pong\",\"position\":\"3\"}");
    }

    @Test
    void an_event_that_two_subscriptions_of_a_connection_want_comes_once() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        client.subscribe("s2", "listings.*");
        client.send("{'type':'subscribe','id':'s3','topic':'" + TOPIC + "','filter':{'id':2}}");
        client.next();

        sendAndWait(service, TOPIC, inserts(1, 3));

        assertThat(ids(client.untilPong())).containsExactly(1L, 2L, 3L);
    }

    @Test
    void a_subscription_of_the_same_id_takes_the_formers_place() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        client.subscribe("s1", "listings.removed");

        sendAndWait(service, TOPIC, insert(1));
        sendAndWait(service, "listings.removed", insert(2));

        assertThat(ids(client.untilPong())).containsExactly(2L);
        assertThat(service.meter("walroute.notify.subscriptions")).isEqualTo(1);
    }

    @Test
    void a_filter_compares_the_new_row_the_old_one_of_a_delete_and_the_key() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','filter':{'seller_address':'0xA','id':42}}");
        client.next();

        sendAndWait(
                service,
                TOPIC,
                insert(42, "seller_address", "0xA"),
                insert(43, "seller_address", "0xA"),
                change(Operation.UPDATE, 42)
                        .oldRow(row(42, "seller_address", "0xA", "n", 1L))
                        .newRow(row(42, "seller_address", "0xB"))
                        .id("moved-to-another")
                        .build(),
                change(Operation.DELETE, 42)
                        .oldRow(row(42, "seller_address", "0xA"))
                        .id("deleted")
                        .build(),
                change(Operation.DELETE, 42).id("deleted-without-old").build());

        List<JsonNode> frames = client.untilPong();
        assertThat(frames)
                .extracting(frame -> frame.path("event").path("operation").asText())
                .containsExactly("INSERT", "DELETE");
    }

    @Test
    void numbers_and_their_texts_are_equal_in_a_filter() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.send(
                "{'type':'subscribe','id':'a','topic':'t','filter':{'price_wei':42,'rank':'7','sold':true,'note':null}}");
        client.next();

        sendAndWait(
                service,
                "t",
                insert(1, "price_wei", "42", "rank", 7L, "sold", true, "note", null),
                insert(2, "price_wei", "42", "rank", 7L, "sold", true, "note", "null"),
                insert(3, "price_wei", "42", "rank", 7L, "sold", true),
                insert(4, "price_wei", 42L, "rank", "7", "sold", true, "note", null));

        assertThat(ids(client.untilPong())).containsExactly(1L, 4L);
    }

    @Test
    void a_routes_context_goes_out_with_the_frame_and_can_be_filtered_on() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.send(
                "{'type':'subscribe','id':'a','topic':'offers.received','filter':{'context.seller_address':'0xA'}}");
        client.next();
        WsClient plain = connect(service);
        plain.send("{'type':'subscribe','id':'a','topic':'offers.received','filter':{'seller_address':'0xA'}}");
        plain.next();
        ChangeEvent event = insert(1);

        service.send("offers.received", insert(2), Map.of("seller_address", "0xB"))
                .get();
        service.send("offers.received", insert(3, "seller_address", "0xC"), Map.of("seller_address", "0xA"))
                .get();
        service.send("offers.received", event, Map.of("seller_address", "0xA")).get();

        assertThat(ids(client.untilPong())).containsExactly(3L, 1L);
        assertThat(plain.nextText())
                .isEqualTo("{\"type\":\"event\",\"topic\":\"offers.received\",\"event\":" + event
                        + ",\"context\":{\"seller_address\":\"0xA\"},\"position\":\"3\"}");
    }

    @Test
    void decimals_of_a_context_keep_every_digit() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);

        service.send(TOPIC, insert(1), Map.of("wei", new BigDecimal("1E+20"))).get();

        assertThat(client.next().path("context").path("wei").asText()).isEqualTo("100000000000000000000");
    }

    @Test
    void a_context_that_is_no_map_fails_the_exchange() throws Exception {
        Exchange exchange = start().send(TOPIC, insert(1), "0xA").get(20, TimeUnit.SECONDS);

        assertThat(exchange.getException()).hasMessageContaining("must be a map");
    }

    @Test
    void a_change_that_the_route_made_a_text_of_is_sent_all_the_same() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);

        service.send(TOPIC, insert(1).toString(), null).get(20, TimeUnit.SECONDS);

        assertThat(ids(client.untilPong())).containsExactly(1L);
        assertThat(service.send(TOPIC, "nonsense", null)
                        .get(20, TimeUnit.SECONDS)
                        .getException())
                .hasMessageContaining("not a change event");
    }

    @Test
    void mistakes_are_answered_and_only_a_series_of_them_ends_the_connection() throws Exception {
        WsClient client = connect(start());
        List<String> mistakes = List.of(
                "{",
                "[]",
                "nonsense",
                "{}",
                "{'type':'subscrib'}",
                "{'type':'subscribe','topic':'t'}",
                "{'type':'subscribe','id':'x'}",
                "{'type':'subscribe','id':'x','topic':'t','filter':[]}",
                "{'type':'subscribe','id':'x','topic':'t','filter':{'a':{}}}",
                "{'type':'subscribe','id':'x','topic':'t','filters':{}}",
                "{'type':'unsubscribe'}",
                "{'type':'subscribe','id':{},'topic':'t'}");
        for (String mistake : mistakes) {
            client.send(mistake);
            JsonNode answer = client.next();
            assertThat(type(answer)).as(mistake).isEqualTo("error");
            assertThat(answer.path("message").asText()).as(mistake).isNotBlank();
        }
        client.sendBinary((byte) 1);
        assertThat(type(client.next())).isEqualTo("error");
        client.send("{'type':'unsubscribe','id':'x'}");
        assertThat(client.nextText())
                .isEqualTo("{\"type\":\"error\",\"message\":\"there is no subscription of this id\",\"id\":\"x\"}");
        assertThat(client.untilPong()).isEmpty();

        for (int i = 0; i < 20; i++) {
            client.send("nonsense");
        }
        assertThat(client.closed()).startsWith("1008");
    }

    @Test
    void a_message_beyond_64_kB_ends_the_connection_and_no_other() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        WsClient other = connect(service);

        client.send("{'type':'ping','x':'" + "x".repeat(70_000) + "'}");

        assertThat(client.closed()).isEqualTo("1009 a message may have 65536 bytes");
        assertThat(other.untilPong()).isEmpty();
    }

    @Test
    void a_message_in_several_frames_is_one_message_also_if_some_are_empty() throws Exception {
        WsClient client = connect(start());
        client.sendParts("{'type':'subscribe','id':", "", "'s1','topic':'" + TOPIC + "'}");
        assertThat(type(client.next())).isEqualTo("subscribed");
        client.sendParts("", "{'type':'ping'}");
        assertThat(type(client.next())).isEqualTo("pong");
        client.sendParts("{'type':'ping','x':'", "x".repeat(40_000), "x".repeat(40_000), "'}");
        assertThat(client.closed()).isEqualTo("1009 a message may have 65536 bytes");
    }

    // ---- nothing missed, nothing twice

    @Test
    void everything_after_the_subscribed_position_comes_once_and_in_order_while_changes_flow() throws Exception {
        Service service = start();
        try (var traffic = new Traffic(service)) {
            traffic.awaitSent(200);
            for (int i = 0; i < 10; i++) {
                WsClient client = connect(service);
                long position = Long.parseLong(client.subscribe("s1", TOPIC));
                List<JsonNode> frames = client.until(frame -> position(frame) >= position + 300);
                assertThat(positions(frames)).isEqualTo(range(position + 1, position(frames.get(frames.size() - 1))));
            }
        }
    }

    @Test
    void since_replays_what_came_after_it_and_goes_on_live_without_hole_or_repeat() throws Exception {
        Service service = start();
        try (var traffic = new Traffic(service)) {
            traffic.awaitSent(2000);
            for (long since : List.of(0L, 1L, 255L, 256L, 257L, 1000L)) {
                WsClient client = connect(service);
                client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'" + since + "'}");
                List<JsonNode> replayed = client.until(frame -> type(frame).equals("subscribed"));
                long live = position(replayed.get(replayed.size() - 1));
                List<JsonNode> frames = new ArrayList<>(replayed.subList(0, replayed.size() - 1));
                frames.addAll(client.until(frame -> position(frame) >= live + 300));
                assertThat(positions(frames)).isEqualTo(range(since + 1, position(frames.get(frames.size() - 1))));
            }
        }
    }

    @Test
    void a_client_that_lost_its_connection_goes_on_where_it_was_even_after_a_restart() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        sendAndWait(service, TOPIC, inserts(1, 3));
        List<JsonNode> frames = client.untilPong();
        client.close();
        sendAndWait(service, TOPIC, inserts(4, 6));
        service.close();

        Service again = start();
        sendAndWait(again, TOPIC, insert(7));
        WsClient back = connect(again);
        back.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'"
                + position(frames.get(frames.size() - 1)) + "'}");

        assertThat(ids(back.until(frame -> type(frame).equals("subscribed")))).isEqualTo(range(4, 7));
    }

    @Test
    void going_back_for_one_topic_does_not_repeat_what_another_subscription_brought() throws Exception {
        Service service = start();
        sendAndWait(service, TOPIC, insert(1));
        sendAndWait(service, "offers.received", insert(2));
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        sendAndWait(service, TOPIC, insert(3));
        sendAndWait(service, "offers.received", insert(4));
        assertThat(ids(client.untilPong())).containsExactly(3L);

        client.send("{'type':'subscribe','id':'s2','topic':'*','since':'0'}");
        assertThat(ids(client.until(frame -> type(frame).equals("subscribed")))).containsExactly(1L, 2L, 4L);

        client.send("{'type':'subscribe','id':'s3','topic':'" + TOPIC + "','since':'0'}");
        assertThat(ids(client.until(frame -> type(frame).equals("subscribed")))).isEmpty();
        sendAndWait(service, TOPIC, insert(5));
        assertThat(ids(client.untilPong())).containsExactly(5L);
    }

    @Test
    void a_filter_holds_for_replayed_frames_too() throws Exception {
        Service service = start();
        sendAndWait(service, TOPIC, insert(1, "s", "a"), insert(2, "s", "b"), insert(3, "s", "a"));
        WsClient client = connect(service);

        client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','filter':{'s':'a'},'since':'0'}");

        assertThat(ids(client.until(frame -> type(frame).equals("subscribed")))).containsExactly(1L, 3L);
    }

    @Test
    void a_change_that_is_delivered_again_is_not_sent_again() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", "*");

        sendAndWait(service, TOPIC, insert(1), insert(1));
        sendAndWait(service, "other", insert(1));
        service.close();
        Service again = start();
        WsClient later = connect(again);
        later.subscribe("s1", "*");
        sendAndWait(again, TOPIC, insert(1), insert(2));

        assertThat(ids(later.untilPong())).containsExactly(2L);
        assertThat(ids(client.until(frame -> topic(frame).equals("other")))).containsExactly(1L, 1L);
    }

    @Test
    void a_position_that_was_pruned_or_never_was_brings_a_gap_and_then_live_frames() throws Exception {
        Service service = start();
        sendAndWait(service, TOPIC, inserts(1, 10));
        var log = new FrameLog(store);
        log.prune(Instant.now(), Duration.ofHours(1), 4);
        WsClient client = connect(service);

        for (String lost : List.of("5", "11", "x", "-1")) {
            client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'" + lost + "'}");
            JsonNode gap = client.next();
            assertThat(type(gap)).as("since %s", lost).isEqualTo("gap");
            assertThat(topic(gap)).isEqualTo(TOPIC);
            assertThat(gap.path("reason").asText()).contains(lost);
            assertThat(client.nextText()).isEqualTo("{\"type\":\"subscribed\",\"id\":\"s1\",\"position\":\"10\"}");
        }
        client.send("{'type':'subscribe','id':'s2','topic':'" + TOPIC + "','since':'6'}");
        assertThat(ids(client.until(frame -> type(frame).equals("subscribed")))).isEqualTo(range(7, 10));
        sendAndWait(service, TOPIC, insert(11));
        assertThat(ids(client.untilPong())).containsExactly(11L);
    }

    private static List<String> kinds(List<JsonNode> frames) {
        return frames.stream()
                .map(frame -> switch (type(frame)) {
                    case "event" ->
                        "event " + frame.path("event").path("key").path("id").asLong();
                    case "gap" -> "gap " + frame.path("topic").asText();
                    default -> type(frame);
                })
                .toList();
    }

    private void markGap(Service service, String id) throws Exception {
        store.write(FrameGap.mark(store, id, "the WAL is gone"), Duration.ofSeconds(10));
        service.component.lookIntoLog();
    }

    @Test
    void who_follows_over_a_place_where_changes_may_be_missing_is_told_there_in_each_topic_and_nobody_behind_it()
            throws Exception {
        Service service = start();
        WsClient live = connect(service);
        live.subscribe("s1", TOPIC);
        live.subscribe("s2", TOPIC);
        live.send("{'type':'subscribe','id':'s3','topic':'offers.*','filter':{'s':'nobody'}}");
        assertThat(type(live.next())).isEqualTo("subscribed");
        sendAndWait(service, TOPIC, insert(1));
        markGap(service, "epoch 2");
        markGap(service, "epoch 2"); // written once
        assertThat(kinds(live.untilPong())).containsExactly("event 1", "gap " + TOPIC, "gap offers.*");
        sendAndWait(service, TOPIC, insert(2));
        assertThat(kinds(live.untilPong())).containsExactly("event 2");

        WsClient across = connect(service);
        across.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'0'}");
        List<JsonNode> resumed = across.until(frame -> type(frame).equals("subscribed"));
        assertThat(kinds(resumed)).containsExactly("event 1", "gap " + TOPIC, "event 2", "subscribed");
        assertThat(resumed.get(1).toString())
                .isEqualTo("{\"type\":\"gap\",\"topic\":\"listings.created\",\"reason\":\"the WAL is gone\"}");

        WsClient behind = connect(service);
        String since = resumed.get(2).path("position").asText();
        behind.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'" + since + "'}");
        WsClient fresh = connect(service);
        fresh.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        for (WsClient client : List.of(behind, fresh)) {
            assertThat(kinds(client.until(frame -> type(frame).equals("subscribed"))))
                    .containsExactly("subscribed");
        }
        sendAndWait(service, TOPIC, insert(3));
        for (WsClient client : List.of(live, across, behind, fresh)) {
            assertThat(kinds(client.untilPong())).containsExactly("event 3");
        }
    }

    @Test
    void going_back_over_a_gap_for_one_topic_does_not_tell_another_of_it_again() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", "offers.received");
        sendAndWait(service, TOPIC, insert(1));
        markGap(service, "epoch 2");
        assertThat(kinds(client.untilPong())).containsExactly("gap offers.received");

        client.send("{'type':'subscribe','id':'s2','topic':'" + TOPIC + "','since':'0'}");
        assertThat(kinds(client.until(frame -> type(frame).equals("subscribed"))))
                .containsExactly("event 1", "gap " + TOPIC, "subscribed");
    }

    @Test
    void old_frames_are_pruned_but_positions_are_never_used_again() throws Exception {
        Service service = start(settings().keep(Duration.ofMillis(200)));
        sendAndWait(service, TOPIC, inserts(1, 1500));
        var log = new FrameLog(store);
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(log.bounds()).isEqualTo(new FrameLog.Bounds(1500, 1500)));
        service.close();

        WsClient client = connect(start());

        assertThat(client.subscribe("s1", TOPIC)).isEqualTo("1500");
    }

    @Test
    void a_log_that_was_replaced_brings_a_gap_and_then_the_new_logs_frames() throws Exception {
        Service service = start();
        sendAndWait(service, TOPIC, inserts(1, 300));
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        store.write(
                session -> {
                    session.statement("DELETE FROM frames").executeUpdate();
                    session.statement("DELETE FROM sqlite_sequence").executeUpdate();
                },
                Duration.ofSeconds(10));

        sendAndWait(service, TOPIC, inserts(301, 303));

        JsonNode gap = client.next();
        assertThat(type(gap)).isEqualTo("gap");
        assertThat(gap.path("reason").asText()).contains("replaced");
        List<JsonNode> frames = client.until(frame -> ids(List.of(frame)).equals(List.of(303L)));
        assertThat(ids(frames)).isEqualTo(range(301, 303));
        assertThat(positions(frames)).isEqualTo(range(1, 3));
    }

    @Test
    void a_client_that_falls_behind_what_is_kept_is_told_of_a_gap_and_gets_the_rest() throws Exception {
        Service service = start(settings().queueFrames(10).queueBytes(20_000));
        WsClient client = WsClient.paused(service.port());
        open.add(client);
        client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        await().until(() -> service.meter("walroute.notify.subscriptions") == 1);
        String text = "x".repeat(20_000);
        for (long i = 1; i <= 2000; i += 100) {
            sendAndWait(service, TOPIC, inserts(i, i + 99, "t", text));
        }
        new FrameLog(store).prune(Instant.now(), Duration.ofHours(1), 50);

        client.read();

        List<JsonNode> frames =
                client.until(frame -> position(frame) == 2000 && type(frame).equals("event"));
        List<JsonNode> gaps =
                frames.stream().filter(frame -> type(frame).equals("gap")).toList();
        // One, or a second behind a part that was still in memory.
        assertThat(gaps)
                .isNotEmpty()
                .allSatisfy(gap -> assertThat(gap.path("reason").asText()).contains("no longer kept"));
        int at = frames.indexOf(gaps.get(0));
        assertThat(ids(frames.subList(0, at))).isEqualTo(range(1, at - 1));
        int last = frames.lastIndexOf(gaps.get(gaps.size() - 1));
        assertThat(ids(frames.subList(last, frames.size()))).isEqualTo(range(1951, 2000));
    }

    // ---- many clients, slow clients

    @Test
    void a_client_that_does_not_read_is_told_of_a_gap_and_holds_up_nobody() throws Exception {
        Service service = start(settings().queueFrames(100).queueBytes(200_000).maxBehind(1000));
        WsClient slow = WsClient.paused(service.port());
        open.add(slow);
        slow.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        WsClient reader = connect(service);
        reader.subscribe("s1", TOPIC);
        await().until(() -> service.meter("walroute.notify.subscriptions") == 2);

        // 80 MB: more than both sockets' buffers take.
        String text = "x".repeat(20_000);
        int count = 4000;
        for (long i = 1; i <= count; i += 100) {
            long to = i + 99;
            sendAndWait(service, TOPIC, inserts(i, to, "t", text));
            assertThat(ids(reader.until(frame -> position(frame) == to))).isEqualTo(range(i, to));
        }

        slow.read();
        List<JsonNode> frames = slow.until(frame -> type(frame).equals("gap"));
        assertThat(frames.get(frames.size() - 1).toString())
                .isEqualTo("{\"type\":\"gap\",\"topic\":\"listings.created\",\"reason\":\"slow client\"}");
        long before = frames.size() - 2;
        assertThat(ids(frames)).isEqualTo(range(1, before));
        assertThat(service.meter("walroute.notify.dropped")).isEqualTo(count - before);
        sendAndWait(service, TOPIC, insert(count + 1));
        assertThat(ids(slow.untilPong())).containsExactly(count + 1L);

        slow.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'" + before + "'}");
        assertThat(ids(slow.until(frame -> type(frame).equals("subscribed")))).isEqualTo(range(before + 1, count + 1));
    }

    @Test
    void a_client_that_lags_for_a_moment_misses_nothing() throws Exception {
        Service service = start(settings().queueFrames(10).queueBytes(20_000));
        WsClient client = WsClient.paused(service.port());
        open.add(client);
        client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        await().until(() -> service.meter("walroute.notify.subscriptions") == 1);
        String text = "x".repeat(20_000);
        for (long i = 1; i <= 2000; i += 100) {
            sendAndWait(service, TOPIC, inserts(i, i + 99, "t", text));
        }
        assertThat(service.meter("walroute.notify.sent")).isLessThan(2000);

        client.read();

        List<JsonNode> frames = client.until(frame -> position(frame) == 2000);
        assertThat(ids(frames)).isEqualTo(range(1, 2000));
        sendAndWait(service, TOPIC, insert(2001));
        assertThat(ids(client.untilPong())).containsExactly(2001L);
    }

    @Test
    void a_frame_larger_than_the_queue_arrives() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        String text = "ü".repeat(6 << 20);

        sendAndWait(service, TOPIC, insert(1, "t", text), insert(2));

        List<JsonNode> frames = client.until(frame -> position(frame) == 2);
        assertThat(frames.get(0).path("event").path("new").path("t").asText()).isEqualTo(text);
    }

    @Test
    void connections_beyond_the_limit_are_refused() throws Exception {
        Service service = start(settings().maxConnections(2));
        WsClient first = connect(service);
        connect(service);

        assertThatThrownBy(() -> connect(service)).hasStackTraceContaining("503");
        assertThat(service.meter("walroute.notify.clients")).isEqualTo(2);
        first.close();
        await().until(() -> service.meter("walroute.notify.clients") == 1);
        connect(service);
    }

    @Test
    void a_client_without_a_sign_of_life_is_closed_and_one_that_answers_pings_is_not() throws Exception {
        Service service = start(settings().pingEvery(Duration.ofMillis(200)).closeIdleAfter(Duration.ofMillis(700)));
        WsClient dead = WsClient.paused(service.port());
        open.add(dead);
        WsClient alive = connect(service);

        await().atMost(Duration.ofSeconds(15)).until(() -> service.meter("walroute.notify.clients") == 1);
        assertThat(alive.isClosed(Duration.ofSeconds(2))).isFalse();
        assertThat(alive.untilPong()).isEmpty();
    }

    // ---- start and stop

    @Test
    void a_port_that_is_taken_stops_the_start_with_one_line() throws Exception {
        int port = start().port();

        assertThatThrownBy(() -> start(settings().port(port)))
                .cause()
                .hasMessage("WEBSOCKET_PORT " + port + " is in use by another process. Set another port or `off`.");
    }

    @Test
    void at_the_stop_clients_get_what_is_on_its_way_and_are_told_to_reconnect() throws Exception {
        Service service = start();
        WsClient client = connect(service);
        client.subscribe("s1", TOPIC);
        sendAndWait(service, TOPIC, inserts(1, 800));

        service.close();

        assertThat(client.closed()).isEqualTo("1001 going away, reconnect");
        assertThat(ids(client.until(frame -> position(frame) == 800))).isEqualTo(range(1, 800));
        assertThat(service.component.problem()).isPresent();
    }

    @Test
    void the_hub_listens_on_loopback_only() {
        assertThatThrownBy(() -> settings().host("0.0.0.0").build())
                .hasMessageContaining("walroute.notify.host=0.0.0.0")
                .hasMessageContaining("loopback");
    }

    @Test
    void pages_of_other_origins_are_refused_unless_they_are_allowed() throws Exception {
        Service service = start(settings().allowOrigins(List.of("https://app.example.com")));

        for (String origin : List.of("https://evil.example.com", "null", "http://127.0.0.1.evil.example.com", "::")) {
            assertThatThrownBy(() -> connect(service, "Origin", origin))
                    .as(origin)
                    .hasStackTraceContaining("403");
        }
        connect(service, "Origin", "https://app.example.com");
        connect(service, "Origin", "http://localhost:5173");
        connect(service, "Origin", "http://[::1]:80");
    }

    @Test
    void what_is_no_websocket_client_is_told_where_those_connect() throws Exception {
        Service service = start();

        assertThat(status(service, "/")).isEqualTo(404);
        assertThat(status(service, "/ws")).isEqualTo(426);
    }

    private static int status(Service service, String path) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.port() + path))
                .build();
        return HttpClient.newHttpClient()
                .send(request, BodyHandlers.discarding())
                .statusCode();
    }

    @Test
    void topics_that_nobody_could_subscribe_to_are_refused() throws Exception {
        Exchange exchange = start().send("listings.*", insert(1)).get(20, TimeUnit.SECONDS);

        assertThat(exchange.getException()).hasStackTraceContaining("'listings.*' is not a topic");
    }

    // ---- a log in PostgreSQL

    @Test
    void instances_that_share_a_log_serve_each_others_clients_by_the_same_positions() throws Exception {
        String url = Postgres.newDatabase().jdbcUrl();
        store = openStore(url);
        Service first = start();
        store = openStore(url);
        Service second = start();
        WsClient client = connect(second);
        client.subscribe("s1", TOPIC);

        for (int i = 1; i <= 200; i += 2) {
            var one = first.send(TOPIC, insert(i));
            var two = second.send(TOPIC, insert(i + 1));
            CompletableFuture.allOf(one, two).get(20, TimeUnit.SECONDS);
        }
        sendAndWait(first, TOPIC, insert(200), insert(201));

        List<JsonNode> live = client.until(frame -> ids(List.of(frame)).equals(List.of(201L)));
        assertThat(ids(live)).containsExactlyInAnyOrderElementsOf(range(1, 201));
        WsClient late = connect(first);
        late.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'0'}");
        List<JsonNode> replayed = late.until(frame -> type(frame).equals("subscribed"));
        assertThat(replayed.subList(0, replayed.size() - 1)).isEqualTo(live);
    }

    // ---- what the tests are made of

    private static long position(JsonNode frame) {
        return frame.path("position").asLong(-1);
    }

    private static String topic(JsonNode frame) {
        return frame.path("topic").asText();
    }

    private static List<Long> positions(List<JsonNode> frames) {
        return frames.stream().map(NotifyTest::position).toList();
    }

    /** Changes without end, by two threads. */
    private static final class Traffic implements AutoCloseable {
        private final AtomicBoolean ending = new AtomicBoolean();
        private final AtomicLong sent = new AtomicLong();
        private final AtomicLong nextId = new AtomicLong();
        private final List<Thread> threads = new ArrayList<>();

        Traffic(Service service) {
            for (int i = 0; i < 2; i++) {
                var thread = new Thread(() -> run(service));
                threads.add(thread);
                thread.start();
            }
        }

        private void run(Service service) {
            while (!ending.get()) {
                var batch = new ArrayList<CompletableFuture<Exchange>>();
                for (int i = 0; i < 20; i++) {
                    batch.add(service.send(TOPIC, insert(nextId.incrementAndGet())));
                }
                batch.forEach(CompletableFuture::join);
                sent.addAndGet(batch.size());
            }
        }

        void awaitSent(long count) {
            await().atMost(Duration.ofSeconds(30)).until(() -> sent.get() >= count);
        }

        @Override
        public void close() throws InterruptedException {
            ending.set(true);
            for (Thread each : threads) {
                each.join();
            }
        }
    }
}
