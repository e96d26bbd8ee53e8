package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.util.List;
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
