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
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a subscription may ask for: which changes, which of their columns, and what becomes of it if it can't keep up. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class FilterTest {
    private static final String TOPIC = "listings.created";

    @TempDir
    Path folder;

    private final Opened open = new Opened();

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        return open.service(folder, settings.port(0).build());
    }

    private WsClient connect(Service service) {
        return open.client(service);
    }

    private static void send(Service service, ChangeEvent... events) throws Exception {
        for (ChangeEvent event : events) {
            assertThat(service.send(TOPIC, event).get(20, TimeUnit.SECONDS).getException())
                    .isNull();
        }
    }

    private static List<Long> ids(List<JsonNode> frames) {
        return frames.stream()
                .filter(frame -> type(frame).equals("event"))
                .map(frame -> frame.path("event").path("key").path("id").asLong())
                .toList();
    }

    // ---- conditions

    private static boolean takes(String filter, String newRow) throws Exception {
        var subscribe = (ClientMessage.Subscribe) ClientMessage.parse(
                ("{'type':'subscribe','id':'s','topic':'t','filter':" + filter + "}").replace('\'', '"'));
        String logged = ("{'type':'event','event':{'new':" + newRow + "}}").replace('\'', '"');
        return subscribe.filter().takes(new Frame(1, "t", logged));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "{'p':{'gt':'100'}}|{'p':'100.01'}|{'p':'100.00'}",
                "{'p':{'gt':'100'}}|{'p':'1000'}|{'p':'99'}",
                "{'p':{'gt':100}}|{'p':101}|{'p':'text'}",
                "{'p':{'gte':'100'}}|{'p':'100.00'}|{'p':'99.999999999999999999'}",
                "{'p':{'lt':'1000000000000000000001'}}|{'p':'1000000000000000000000'}|{'p':'1000000000000000000001'}",
                "{'p':{'lte':'-1.5'}}|{'p':'-1.50'}|{'p':'-1.49'}",
                "{'p':{'gt':1}}|{'p':1.5}|{'p':0.5}",
                "{'p':{'gt':1}}|{'p':2}|{'p':'NaN'}",
                "{'p':{'gte':'10','lt':'20'}}|{'p':'10'}|{'p':'20'}",
                "{'t':{'gte':'2026-01-31T12:00:00Z'}}|{'t':'2026-02-01T00:00:00Z'}|{'t':'2026-01-31T11:59:59Z'}",
                "{'s':{'lt':'b'}}|{'s':'a'}|{'s':1}",
                "{'s':{'eq':'007'}}|{'s':'007'}|{'s':'7'}",
                "{'s':{'eq':7}}|{'s':'7.00'}|{'s':'8'}",
                "{'s':{'eq':true}}|{'s':true}|{'s':false}",
                "{'s':{'neq':'open'}}|{'s':'sold'}|{'s':'open'}",
                "{'s':{'neq':7}}|{'s':'8'}|{'s':'7.0'}",
                "{'s':{'neq':'open'}}|{'s':'x'}|{'s':null}",
                "{'s':{'neq':'open'}}|{'s':'x'}|{'other':1}",
                "{'s':{'in':['a','b',7]}}|{'s':'b'}|{'s':'c'}",
                "{'s':{'in':['a','b',7]}}|{'s':'7.0'}|{'s':null}",
                "{'s':{'is_null':true}}|{'s':null}|{'s':'null'}",
                "{'s':{'is_null':true}}|{'s':null}|{'other':1}",
                "{'s':{'is_null':false}}|{'s':''}|{'s':null}",
                "{'s':{'is_null':false}}|{'s':''}|{'other':1}",
                "{'s':'a','p':{'gt':1}}|{'s':'a','p':2}|{'s':'b','p':2}",
                "{'s':'a','p':{'gt':1}}|{'s':'a','p':2}|{'s':'a','p':1}",
            })
    void a_condition_takes_the_first_row_and_not_the_second(String filter, String taken, String left) throws Exception {
        assertThat(takes(filter, taken)).as("%s takes %s", filter, taken).isTrue();
        assertThat(takes(filter, left)).as("%s takes %s", filter, left).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'filter':{'a':{'greater':1}}",
                "'filter':{'a':{'gt':null}}",
                "'filter':{'a':{'gt':true}}",
                "'filter':{'a':{'gt':[1]}}",
                "'filter':{'a':{'eq':null}}",
                "'filter':{'a':{'in':'x'}}",
                "'filter':{'a':{'in':[]}}",
                "'filter':{'a':{'in':[{}]}}",
                "'filter':{'a':{'is_null':'yes'}}",
                "'filter':{'a':[1]}",
                "'filter':{'a':{}}",
                "'columns':'id'",
                "'columns':[]",
                "'columns':[1]",
                "'column':['id']",
            })
    void what_is_no_filter_or_selection_is_refused(String member) {
        String message = ("{'type':'subscribe','id':'s','topic':'t'," + member + "}").replace('\'', '"');
        assertThatThrownBy(() -> ClientMessage.parse(message)).isInstanceOf(ClientMessage.Malformed.class);
    }

    @Test
    void conditions_hold_for_live_and_for_replayed_frames() throws Exception {
        Service service = start(NotifySettings.builder());
        WsClient live = connect(service);
        String wish = "{'type':'subscribe','id':'s1','topic':'" + TOPIC
                + "','filter':{'price_wei':{'gt':'100'},'seller':'a'}%s}";
        live.send(wish.formatted(""));
        assertThat(type(live.next())).isEqualTo("subscribed");

        send(
                service,
                insert(1, "price_wei", "99", "seller", "a"),
                insert(2, "price_wei", "1000", "seller", "a"),
                insert(3, "price_wei", "1000", "seller", "b"));

        assertThat(ids(live.untilPong())).containsExactly(2L);
        WsClient late = connect(service);
        late.send(wish.formatted(",'since':'0'"));
        assertThat(ids(late.until(frame -> type(frame).equals("subscribed")))).containsExactly(2L);
    }

    @Test
    void equal_conditions_of_many_clients_are_asked_once_and_leave_nothing_behind() {
        var topics = new Topics();
        var all = new ArrayList<Subscription>();
        for (int i = 0; i < 100; i++) {
            var client = new Client(new Outbox(2, 100, () -> {}), Claims.NONE);
            var condition = new Condition(
                    "p",
                    Condition.Operator.GT,
                    List.of(new Condition.Operand("100", new java.math.BigDecimal(i % 2 == 0 ? 100 : 200))));
            var filter = Filter.of(Map.of(), List.of(condition));
            var subscription = new Subscription(client, "s", "t", filter, Selection.ALL, 0);
            all.add(subscription);
            topics.add(subscription);
        }
        var found = new ArrayList<Subscription>();
        topics.find(new Frame(1, "t", "{\"type\":\"event\",\"event\":{\"new\":{\"p\":\"150\"}}}"), found);
        assertThat(found).hasSize(50);
        all.forEach(topics::remove);
        assertThat(topics.isEmpty()).isTrue();
    }

    @Test
    void a_column_that_the_topics_table_does_not_have_is_refused_once_that_is_known() throws Exception {
        Service service = start(NotifySettings.builder());
        WsClient client = connect(service);
        String wish = "{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','filter':{'prize':{'gt':1}}}";
        client.send(wish);
        assertThat(type(client.next())).isEqualTo("subscribed");

        send(service, insert(1, "price", "1"));
        client.send(wish);
        assertThat(client.nextText())
                .isEqualTo(
                        "{\"type\":\"error\",\"message\":\"no change of listings.created has a column \\\"prize\\\"\","
                                + "\"id\":\"s1\"}");
        client.send(wish.replace("'filter':{'prize':{'gt':1}}", "'columns':['id','prize']"));
        assertThat(type(client.next())).isEqualTo("error");
        client.send(wish.replace("prize", "price"));
        assertThat(type(client.next())).isEqualTo("subscribed");
        client.send(wish.replace(TOPIC, "another.topic"));
        assertThat(type(client.next())).isEqualTo("subscribed");
    }

    // ---- columns

    private static String update() {
        return change(Operation.UPDATE, 1)
                .oldRow(row(1, "price_wei", "1.10", "note", "secret", "j", new RawJson("{\"a\":1.0}")))
                .newRow(row(1, "price_wei", "2.20", "note", "other", "j", new RawJson("{\"a\": 1.00}")))
                .changedColumns(List.of("price_wei", "note"))
                .build()
                .toString();
    }

    @Test
    void only_the_selected_columns_come_live_and_replayed() throws Exception {
        Service service = start(NotifySettings.builder());
        WsClient client = connect(service);
        String wish =
                "{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','columns':['price_wei','j','unheard-of']%s}";
        client.send(wish.formatted(""));
        client.next();
        WsClient whole = connect(service);
        whole.subscribe("s1", TOPIC);

        service.send(TOPIC, update(), Map.of("seller", "0xA")).get(20, TimeUnit.SECONDS);

        String all = whole.nextText();
        String expected = all.replace("\"note\":\"secret\",", "")
                .replace("\"note\":\"other\",", "")
                .replace("\"old\":{\"id\":1,", "\"old\":{")
                .replace("\"new\":{\"id\":1,", "\"new\":{")
                .replace("[\"price_wei\",\"note\"]", "[\"price_wei\"]");
        assertThat(client.nextText()).isEqualTo(expected).contains("{\"a\": 1.00}", "\"key\":{\"id\":1}");
        WsClient late = connect(service);
        late.send(wish.formatted(",'since':'0'").replace(",'unheard-of'", ""));
        assertThat(late.nextText()).isEqualTo(expected);
    }

    @Test
    void two_subscriptions_of_a_connection_get_the_columns_of_both() throws Exception {
        Service service = start(NotifySettings.builder());
        WsClient client = connect(service);
        client.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','columns':['price_wei']}");
        client.next();
        client.send("{'type':'subscribe','id':'s2','topic':'*','columns':['note']}");
        client.next();

        service.send(TOPIC, update(), null).get(20, TimeUnit.SECONDS);

        List<JsonNode> frames = client.untilPong();
        assertThat(frames).hasSize(1);
        assertThat(frames.get(0).path("event").path("new").toString())
                .isEqualTo("{\"price_wei\":\"2.20\",\"note\":\"other\"}");
    }

    @Test
    void a_frame_is_encoded_once_for_each_selection() {
        var frame = new Frame(1, "t", "{\"type\":\"event\",\"event\":{\"new\":{\"a\":1,\"b\":2}}}");
        Text first = frame.sent(new Selection(java.util.Set.of("a")), 8);
        assertThat(first).hasToString("{\"type\":\"event\",\"event\":{\"new\":{\"a\":1}},\"position\":\"1\"}");
        assertThat(frame.sent(new Selection(java.util.Set.of("a")), 8)).isSameAs(first);
        assertThat(new Frame(2, "t", "{\"event\":[broken}")
                        .sent(new Selection(java.util.Set.of("a")), 8)
                        .toString())
                .contains("\"gap\"")
                .doesNotContain("broken");
    }

    // ---- slow clients

    @Test
    void a_slow_client_is_closed_where_the_topic_says_so_and_goes_on_since_its_last_position() throws Exception {
        Service service = start(NotifySettings.builder()
                .queueFrames(100)
                .queueBytes(200_000)
                .topics(new TopicPolicies(Map.of(), Map.of("listings.*", true))));
        WsClient slow = WsClient.paused(service.port());
        open.add(slow);
        slow.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        WsClient reader = connect(service);
        reader.subscribe("s1", TOPIC);
        await().until(() -> service.meter("walroute.notify.subscriptions") == 2);

        String text = "x".repeat(20_000);
        int count = 2000;
        for (long i = 1; i <= count; i++) {
            send(service, insert(i, "t", text));
            reader.next();
        }
        assertThat(service.meter("walroute.notify.closed.slow")).isEqualTo(1);
        await().atMost(Duration.ofSeconds(30)).until(() -> service.meter("walroute.notify.clients") == 1);

        slow.read();
        var had = new ArrayList<JsonNode>();
        WsClient again = connect(service);
        assertThat(reader.untilPong()).isEmpty();
        again.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'0'}");
        had.addAll(again.until(frame -> type(frame).equals("subscribed")));
        assertThat(ids(had)).hasSize(count);
    }
}
