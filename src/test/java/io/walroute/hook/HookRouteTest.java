package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Together with Camel's error handler, as the routes use it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HookRouteTest {
    private final Receiver receiver = Receiver.start();
    private final HookRig rig = HookRig.to(receiver.url(), "circuit-wait", "60s");
    private static final String BATCHED = "hook:partner?batchSize=3&batchDelay=5000";
    private final List<Exchange> dead = new CopyOnWriteArrayList<>();

    @BeforeEach
    void addRoute() throws Exception {
        rig.camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(deadLetterChannel("direct:dead")
                        .maximumRedeliveries(3)
                        .redeliveryDelay(10)
                        .asyncDelayedRedelivery());
                onException(HookUnavailableException.class)
                        .maximumRedeliveries(0)
                        .handled(true)
                        .to("direct:dead");
                onException(HookException.class)
                        .onWhen(simple("${exception.permanent}"))
                        .maximumRedeliveries(0)
                        .handled(true)
                        .to("direct:dead");
                from("direct:in").to("hook:partner");
                from("seda:many?concurrentConsumers=3").to(BATCHED);
                from("direct:dead").process(dead::add);
            }
        });
    }

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    private void send(long id) {
        rig.camel.createProducerTemplate().sendBody("direct:in", change(id));
    }

    private Exception cause(int index) {
        return dead.get(index).getProperty(Exchange.EXCEPTION_CAUGHT, Exception.class);
    }

    @Test
    void a_failed_change_is_redelivered_under_the_same_id_until_it_is_taken() {
        receiver.answer(Answer.status(500), Answer.cut());

        send(1);

        assertThat(receiver.requests())
                .hasSize(3)
                .extracting(request -> request.header("webhook-id"))
                .containsOnly(change(1).id());
        assertThat(dead).isEmpty();
    }

    @Test
    void a_change_that_the_receiver_refuses_is_not_redelivered() {
        receiver.otherwise(Answer.status(422).body("unknown listing"));

        send(1);

        assertThat(receiver.requests()).hasSize(1);
        assertThat(cause(0)).hasMessage("hook:partner answered 422: unknown listing");
    }

    private void sendTogether(long... ids) {
        var template = rig.camel.createProducerTemplate();
        for (long id : ids) {
            template.sendBody("seda:many", change(id));
        }
    }

    private static List<String> ids(Receiver.Request request) {
        return List.of(request.text().split("\"data\":\\{\"id\":\"")).stream()
                .skip(1)
                .map(part -> part.substring(0, part.indexOf('"')))
                .sorted()
                .toList();
    }

    @Test
    void of_a_batch_that_the_receiver_refuses_only_the_bad_change_is_parked() {
        receiver.otherwise(
                request -> Answer.status(request.text().contains(change(2).id()) ? 400 : 200));

        sendTogether(1, 2, 3);

        await().until(() -> dead.size() == 1 && receiver.requests().size() == 4);
        assertThat(dead.get(0)
                        .getMessage()
                        .getBody(io.walroute.change.ChangeEvent.class)
                        .id())
                .isEqualTo(change(2).id());
        assertThat(cause(0)).hasMessage("hook:partner answered 400");
        assertThat(ids(receiver.requests().get(0))).hasSize(3);
        assertThat(receiver.requests().subList(1, 4))
                .allSatisfy(request -> assertThat(ids(request)).containsExactly(request.header("webhook-id")));
    }

    @Test
    void whatever_goes_together_a_webhook_id_stands_for_the_same_changes_each_time() {
        receiver.answer(Answer.status(500), Answer.cut(), Answer.status(503), Answer.cut());

        sendTogether(1, 2, 3);
        await().until(() -> receiver.requests().stream()
                        .filter(request ->
                                request.header("webhook-id").equals(change(1).id()))
                        .count()
                > 0);
        sendTogether(1, 2, 3);

        await().until(() -> receiver.requests().size() >= 8);
        Map<String, List<String>> changes = new java.util.HashMap<>();
        for (Receiver.Request request : receiver.requests()) {
            List<String> before = changes.putIfAbsent(request.header("webhook-id"), ids(request));
            assertThat(before == null ? ids(request) : before).isEqualTo(ids(request));
        }
        assertThat(changes.values())
                .filteredOn(ids -> ids.size() == 1)
                .allSatisfy(ids -> assertThat(changes).containsEntry(ids.get(0), ids));
        assertThat(dead).isEmpty();
    }

    @Test
    void with_an_open_circuit_a_change_is_parked_without_an_attempt_or_a_redelivery() {
        receiver.otherwise(Answer.status(500));
        for (int id = 1; id <= 3; id++) {
            send(id);
        }
        await().until(() -> dead.size() == 3);
        int attempts = receiver.requests().size();

        send(4);

        assertThat(attempts).isEqualTo(10);
        assertThat(receiver.requests()).hasSize(10);
        assertThat(cause(3)).isInstanceOf(HookUnavailableException.class);
    }
}
