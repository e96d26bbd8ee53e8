package io.walroute.notify;

import static io.walroute.notify.Service.change;
import static io.walroute.notify.Service.insert;
import static io.walroute.notify.Service.row;
import static io.walroute.notify.WsClient.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class AuthorizationTest {
    private static final String TOPIC = "listings.created";
    private static final String OWN = "new.seller_address == claims.address";
    private static final String ALICE = "token-of-alice-0001";
    private static final String ALICE_AGAIN = "token-of-alice-0002";
    private static final String BOB = "token-of-bob-000001";

    @TempDir
    Path folder;

    private final Opened open = new Opened();

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private NotifySettings.Builder settings(Map<String, String> rules) throws Exception {
        Path tokens = Files.writeString(folder.resolve("tokens.json"), """
                [{"token":"%s","subject":"alice","claims":{"address":"0xA"}},
                 {"token":"%s","subject":"alice","claims":{"address":"0xC"}},
                 {"token":"%s","subject":"bob","claims":{"address":"0xB"}}]
                """.formatted(ALICE, ALICE_AGAIN, BOB));
        return NotifySettings.builder()
                .port(0)
                .auth(new AuthSettings(Optional.empty(), Optional.of(tokens), false))
                .topics(new TopicPolicies(rules, Map.of()));
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        return open.service(folder, settings.build());
    }

    private WsClient connect(Service service, String token) {
        return open.authorized(service, token);
    }

    private static void send(Service service, String topic, ChangeEvent... events) throws Exception {
        for (ChangeEvent event : events) {
            assertThat(service.send(topic, event).get(20, TimeUnit.SECONDS).getException())
                    .isNull();
        }
    }

    private static List<String> ids(List<JsonNode> frames) {
        return frames.stream()
                .filter(frame -> type(frame).equals("event"))
                .map(frame -> frame.path("event").path("id").asText())
                .toList();
    }

    private static ChangeEvent listing(long id, String seller) {
        return change(Operation.INSERT, id)
                .newRow(row(id, "seller_address", seller))
                .id("e" + id)
                .build();
    }

    @Test
    void a_client_gets_only_the_rows_that_the_rule_allows_live_and_replayed() throws Exception {
        Service service = start(settings(Map.of("listings.*", OWN)));
        WsClient alice = connect(service, ALICE);
        alice.subscribe("s1", TOPIC);
        WsClient bob = connect(service, BOB);
        bob.subscribe("s1", "*");

        send(service, TOPIC, listing(1, "0xA"), listing(2, "0xB"), listing(3, "0xA"));
        send(service, TOPIC, insert(4), insert(5, "seller_address", null));

        assertThat(ids(alice.untilPong())).containsExactly("e1", "e3");
        assertThat(ids(bob.untilPong())).containsExactly("e2");
        WsClient late = connect(service, BOB);
        late.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "','since':'0'}");
        assertThat(ids(late.until(frame -> type(frame).equals("subscribed")))).containsExactly("e2");
        assertThat(service.meter("walroute.notify.sent")).isEqualTo(4);
    }

    @Test
    void a_row_that_moves_out_of_sight_or_into_it_is_seen_by_neither() throws Exception {
        Service service = start(settings(Map.of("listings.*", OWN)));
        WsClient alice = connect(service, ALICE);
        alice.subscribe("s1", "listings.*");
        WsClient bob = connect(service, BOB);
        bob.subscribe("s1", "listings.*");

        send(
                service,
                "listings.updated",
                change(Operation.UPDATE, 1)
                        .oldRow(row(1, "seller_address", "0xA"))
                        .newRow(row(1, "seller_address", "0xB"))
                        .id("moved")
                        .build(),
                change(Operation.UPDATE, 2)
                        .oldRow(row(2, "seller_address", "0xB"))
                        .newRow(row(2, "seller_address", "0xB"))
                        .id("stayed")
                        .build(),
                change(Operation.DELETE, 3)
                        .oldRow(row(3, "seller_address", "0xA"))
                        .id("deleted")
                        .build(),
                change(Operation.DELETE, 4).id("deleted unseen").build());

        assertThat(ids(alice.untilPong())).containsExactly("deleted");
        assertThat(ids(bob.untilPong())).containsExactly("stayed");
    }

    @Test
    void what_a_renewed_token_claims_counts_from_then_on() throws Exception {
        Service service = start(settings(Map.of(TOPIC, OWN)));
        WsClient alice = connect(service, ALICE);
        alice.subscribe("s1", TOPIC);
        send(service, TOPIC, listing(1, "0xA"), listing(2, "0xC"));
        assertThat(ids(alice.untilPong())).containsExactly("e1");

        alice.send("{'type':'auth','token':'" + ALICE_AGAIN + "'}");
        assertThat(type(alice.next())).isEqualTo("authenticated");
        send(service, TOPIC, listing(3, "0xA"), listing(4, "0xC"));

        assertThat(ids(alice.untilPong())).containsExactly("e4");
    }

    @Test
    void a_topic_without_a_rule_is_nobodys_unless_rules_are_not_required() throws Exception {
        Map<String, String> rules = Map.of("offers.*", "true");
        Service service = start(settings(rules));
        WsClient alice = connect(service, ALICE);
        alice.send("{'type':'subscribe','id':'s1','topic':'" + TOPIC + "'}");
        JsonNode refusal = alice.next();
        assertThat(type(refusal)).isEqualTo("error");
        assertThat(refusal.path("message").asText()).contains("nobody may see " + TOPIC);
        alice.subscribe("s2", "*");
        send(service, TOPIC, listing(1, "0xA"));
        send(service, "offers.received", listing(2, "0xA"));
        assertThat(ids(alice.untilPong())).containsExactly("e2");
        service.close();

        Service open = start(settings(rules).requireAuthorization(false));
        WsClient again = connect(open, ALICE);
        again.subscribe("s1", TOPIC);
        send(open, TOPIC, listing(3, "0xB"));
        assertThat(ids(again.untilPong())).containsExactly("e3");
    }

    @Test
    void without_authentication_rules_hold_that_ask_for_no_claims_and_others_stop_the_start() throws Exception {
        Service service = start(NotifySettings.builder()
                .port(0)
                .topics(new TopicPolicies(Map.of("listings.*", "new.status == 'open'"), Map.of())));
        WsClient client = open.client(service);
        client.subscribe("s1", "*");
        send(service, TOPIC, insert(1, "status", "draft"));
        send(service, "offers.received", listing(2, "0xA"));
        assertThat(ids(client.untilPong())).containsExactly("e2");

        assertThatThrownBy(() -> NotifySettings.builder()
                        .topics(new TopicPolicies(Map.of("listings.*", OWN), Map.of()))
                        .build())
                .hasMessageStartingWith("walroute.notify.topics.listings.*.authorize=" + OWN + " asks for claims");
        assertThatThrownBy(() -> new TopicPolicies(Map.of("a", "seller == 1"), Map.of()))
                .hasMessageStartingWith("walroute.notify.topics.a.authorize=seller == 1 names seller");
    }

    @Test
    void a_rule_is_asked_once_for_all_clients_of_which_it_asks_the_same() {
        var frame = new Frame(1, TOPIC, "{\"type\":\"event\",\"event\":{\"new\":{\"seller_address\":\"0xA\"}}}");
        var asked = new java.util.concurrent.atomic.AtomicInteger();
        for (int i = 0; i < 1000; i++) {
            boolean even = i % 2 == 0;
            assertThat(frame.decide(List.of(i % 2), 10, () -> asked.incrementAndGet() > 0 && even))
                    .isEqualTo(even);
        }
        assertThat(asked).hasValue(2);
    }
}
