package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ColumnRules;
import io.walroute.change.Redactions;
import io.walroute.change.ShowsNoValues;
import io.walroute.source.ChangeConversions;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.camel.Exchange;
import org.apache.camel.Message;
import org.apache.camel.converter.stream.InputStreamCache;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A lane from which columns are hidden takes what the rules know, or nothing. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HandedBodyTest {
    private static final String RAW = "RAWVALUE";

    private final LaneContext context = new LaneContext();
    private final List<Message> arrived = new CopyOnWriteArrayList<>();
    private final ChangeEvent event = context.change("1", RAW);

    private void start(String lane) throws Exception {
        var rules = new Redactions.TableRules(Map.of("label", ColumnRules.parse("mask, cache:keep, audit:drop")), null);
        context.lanes.setRedactions(new Redactions.Builder(false, null)
                .table("public", "listings", rules)
                .build());
        context.lanes.setDisabled("cache");
        ChangeConversions.register(context.camel);
        context.start(r -> r.from(lane).process(e -> arrived.add(e.getMessage().copy())));
    }

    @AfterEach
    void stop() {
        context.close();
    }

    private Exchange send(Object body, Map<String, Object> headers) {
        return context.camel.createProducerTemplate().send("lanes:hook", exchange -> {
            exchange.getMessage().setBody(body);
            exchange.getMessage().setHeader("schema", "public");
            exchange.getMessage().setHeader("table", "listings");
            headers.forEach(exchange.getMessage()::setHeader);
        });
    }

    private Exchange send(Object body) {
        return send(body, Map.of());
    }

    private Message arrival() {
        LaneContext.await().until(() -> arrived.size() == 1);
        return arrived.get(0);
    }

    @Test
    void the_json_of_a_change_is_read_back_and_loses_what_is_hidden() throws Exception {
        start("lanes:hook");
        byte[] json = event.toJson();
        for (Object body : List.of(new String(json, StandardCharsets.UTF_8), json, new InputStreamCache(json))) {
            arrived.clear();
            assertThat(send(body).getException()).isNull();
            assertThat(arrival().getBody()).isInstanceOfSatisfying(ChangeEvent.class, copy -> {
                assertThat(copy.id()).isEqualTo(event.id());
                assertThat(copy.newRow()).containsEntry("label", "***");
            });
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"text", "altered", "more", "map", "bean", "nothing"})
    void anything_else_is_refused_with_a_reason_that_shows_nothing_of_it(String kind) throws Exception {
        start("lanes:hook");
        String json = event.toString();
        Object body =
                switch (kind) {
                    case "text" -> "label is " + RAW;
                    case "altered" -> json.replace("\"xid\":0", "\"xid\" : 0");
                    case "more" -> json.replace("\"xid\":0", "\"xid\":0,\"label\":\"" + RAW + "\"");
                    case "map" -> context.camel.getTypeConverter().convertTo(Map.class, event);
                    case "bean" -> new StringBuilder(RAW);
                    default -> null;
                };
        Exception refused = send(body).getException();
        assertThat(refused)
                .isInstanceOf(ShowsNoValues.class)
                .hasMessageContaining("lanes:hook")
                .hasMessageContaining("public.listings")
                .hasMessageContaining("ownBody: true");
        assertThat(refused.getMessage()).doesNotContain(RAW);
        assertThat(context.lane("hook").isIdle()).isTrue();
        assertThat(arrived).isEmpty();
    }

    @Test
    void a_body_of_no_known_table_is_refused() throws Exception {
        start("lanes:hook");
        var nothing = new HashMap<String, Object>();
        nothing.put("table", null);
        assertThat(send(RAW, nothing).getException()).hasMessageContaining("no header tells the table");
    }

    @Test
    void a_body_of_a_table_of_which_nothing_is_hidden_passes_as_it_is() throws Exception {
        start("lanes:hook");
        assertThat(send("offer 7", Map.of("table", "offers")).getException()).isNull();
        assertThat(arrival().getBody()).isEqualTo("offer 7");
    }

    @ParameterizedTest
    @ValueSource(strings = {"lanes:hook?ownBody=true", "lanes:hook?raw=true"})
    void a_lane_that_says_so_takes_the_routes_own_body(String lane) throws Exception {
        start(lane);
        assertThat(send("label is " + RAW).getException()).isNull();
        assertThat(arrival().getBody()).isEqualTo("label is " + RAW);
    }

    @Test
    void a_lane_that_takes_own_bodies_still_hides_columns_of_a_change() throws Exception {
        start("lanes:hook?ownBody=true");
        send(event);
        assertThat(arrival().getBody(ChangeEvent.class).newRow()).containsEntry("label", "***");
    }

    @Test
    void headers_lose_what_is_hidden_and_keep_the_rest() throws Exception {
        start("lanes:hook");
        send(
                event,
                Map.of(
                        "label",
                        RAW,
                        "subject",
                        "new: " + RAW + "!",
                        "context",
                        Map.of("label", RAW, "list", List.of(RAW, 1), "price", 5),
                        "topic",
                        "listings.created",
                        "count",
                        7));
        assertThat(arrival().getHeaders())
                .containsEntry("label", "***")
                .containsEntry("subject", "new: ***!")
                .containsEntry("context", Map.of("label", "***", "list", List.of("***", 1), "price", 5))
                .containsEntry("topic", "listings.created")
                .containsEntry("count", 7)
                .containsEntry("table", "listings");
    }
}
