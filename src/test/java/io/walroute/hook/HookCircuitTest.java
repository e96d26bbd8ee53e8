package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.resilience4j.circuitbreaker.CircuitBreaker.State;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HookCircuitTest {
    private final Receiver receiver = Receiver.start();
    private HookRig rig = HookRig.to(receiver.url(), "circuit-wait", "500ms");

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    @Test
    void opens_on_failures_and_closes_when_the_receiver_is_back() {
        receiver.otherwise(Answer.status(503));
        for (int i = 0; i < 10; i++) {
            assertThat(rig.attempt(change(i)).getStatus()).isEqualTo(503);
        }

        HookException refused = rig.attempt(change(10));
        assertThat(refused)
                .isInstanceOf(HookUnavailableException.class)
                .hasMessage("hook:partner circuit is open, last failure: answered 503");
        assertThat(receiver.requests()).hasSize(10);
        assertThat(rig.component.circuits()).containsEntry("partner", State.OPEN);
        assertThat(rig.circuitGauge()).isEqualTo(1);
        assertThat(rig.circuitCount("opened")).isEqualTo(1);
        assertThat(rig.circuitCount("refused")).isEqualTo(1);
        assertThat(rig.component.degraded()).contains("hook:partner circuit open, last failure: answered 503");

        receiver.otherwise(Answer.status(204));
        await().pollInterval(Duration.ofMillis(50)).until(() -> rig.attempt(change(11)) == null);
        await().until(() ->
                rig.attempt(change(12)) == null && rig.component.circuits().get("partner") == State.CLOSED);
        assertThat(rig.circuitGauge()).isZero();
        for (String state : List.of("open", "half_open", "closed")) {
            assertThat(rig.registry
                            .get("walroute.circuit.transitions")
                            .tags("endpoint", "partner", "to", state)
                            .counter()
                            .count())
                    .as(state)
                    .isEqualTo(1);
        }
        assertThat(rig.component.degraded()).isEmpty();
    }

    @Test
    void a_receiver_that_is_still_down_at_the_try_keeps_it_open() {
        receiver.otherwise(Answer.status(500));
        for (int i = 0; i < 10; i++) {
            rig.attempt(change(i));
        }

        await().until(() -> {
            rig.attempt(change(10));
            return receiver.requests().size() == 13;
        });
        assertThat(rig.attempt(change(11))).isInstanceOf(HookUnavailableException.class);
        assertThat(receiver.requests()).hasSize(13);
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 404, 422})
    void changes_that_the_receiver_refuses_leave_it_closed(int status) {
        receiver.otherwise(Answer.status(status));
        for (int i = 0; i < 30; i++) {
            assertThat(rig.attempt(change(i)).getStatus()).isEqualTo(status);
        }

        assertThat(rig.component.circuits()).containsEntry("partner", State.CLOSED);
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 429, 307})
    void being_told_to_come_back_later_or_elsewhere_opens_it(int status) {
        receiver.otherwise(Answer.status(status));
        for (int i = 0; i < 10; i++) {
            rig.attempt(change(i));
        }

        assertThat(rig.component.circuits()).containsEntry("partner", State.OPEN);
    }

    @Test
    void an_opening_circuit_fails_all_that_wait_without_an_attempt() {
        rig.close();
        rig = HookRig.to(receiver.url(), "concurrency", "2", "circuit-wait", "60s");
        receiver.otherwise(Answer.status(500).after(Duration.ofMillis(10)));

        List<CompletableFuture<Exchange>> started = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            started.add(rig.start(change(i)));
        }

        long refused = started.stream()
                .filter(each -> each.join().getException() instanceof HookUnavailableException)
                .count();
        assertThat(receiver.requests()).hasSizeBetween(10, 12);
        assertThat(refused).isEqualTo(20_000 - receiver.requests().size());
    }
}
