package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.ChangeEvent;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HookBatchTest {
    private final Receiver receiver = Receiver.start();
    private final HookRig rig = HookRig.to(receiver.url(), "batch-size", "3", "batch-delay", "200ms");

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    @Test
    void changes_go_together_as_a_signed_array_when_the_batch_is_full_or_time_is_up() throws Exception {
        send(1, 2, 3, 4).forEach(each -> assertThat(each.getException()).isNull());

        assertThat(receiver.requests()).hasSize(2).allMatch(request -> HookRig.signed(request, HookRig.SECRET));
        var array = new ObjectMapper().readTree(receiver.requests().get(0).body());
        assertThat(array.isArray()).isTrue();
        assertThat(array).hasSize(3);
        assertThat(array.at("/2/type").asText()).isEqualTo("listings.update");
        assertThat(array.at("/2/data/key/id").asLong()).isEqualTo(3);
        assertThat(receiver.requests().get(1).text()).startsWith("[{\"type\"").endsWith("}]");
    }

    @Test
    void once_batches_fill_up_the_next_does_not_wait_out_its_time_for_changes_that_wait_for_it() {
        try (HookRig slow = HookRig.to(receiver.url(), "batch-size", "2", "batch-delay", "60s")) {
            CompletableFuture<Exchange> first = slow.start(change(1));
            CompletableFuture<Exchange> second = slow.start(change(2));
            CompletableFuture<Exchange> third = slow.start(change(3));

            // The third is the last for now: its sender has no other that may go before it is answered.
            assertThat(CompletableFuture.allOf(first, second, third)).succeedsWithin(Duration.ofSeconds(10));
            assertThat(receiver.requests()).hasSize(2);
        }
    }

    @Test
    void before_batches_fill_up_each_waits_its_time_for_others_to_go_with_it() {
        long begun = System.nanoTime();

        assertThat(send(1)).allMatch(each -> each.getException() == null);

        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isGreaterThanOrEqualTo(Duration.ofMillis(200));
    }

    @Test
    void a_failed_batch_fails_each_of_its_changes() {
        receiver.otherwise(Answer.status(500));

        assertThat(send(1, 2, 3))
                .allMatch(each -> each.getException() instanceof HookException hook && hook.getStatus() == 500);
        assertThat(receiver.requests()).hasSize(1);
    }

    @Test
    void the_same_batch_has_the_same_id_and_another_has_another() {
        send(1, 2, 3);
        send(1, 2, 3);
        send(1, 2, 4);
        send(1);

        List<String> ids = receiver.requests().stream()
                .map(request -> request.header("webhook-id"))
                .toList();
        assertThat(ids.get(0)).isEqualTo(ids.get(1)).isNotEqualTo(ids.get(2)).matches("[A-Za-z0-9_-]+");
        assertThat(ids.get(3)).isEqualTo(change(1).id());
    }

    @Test
    void a_redelivered_change_goes_alone_so_that_it_takes_no_neighbour_down() {
        CompletableFuture<Exchange> bad = rig.start(change(1), Map.of(Exchange.REDELIVERED, true));
        CompletableFuture<Exchange> good = rig.start(change(2));

        assertThat(bad.join().getException()).isNull();
        assertThat(good.join().getException()).isNull();
        assertThat(receiver.requests()).hasSize(2);
        assertThat(receiver.requests().get(0).text())
                .startsWith("[")
                .contains(change(1).id());
    }

    @Test
    void big_changes_are_not_gathered_beyond_the_bound_in_bytes() {
        var big = new ArrayList<CompletableFuture<Exchange>>();
        for (int i = 1; i <= 2; i++) {
            ChangeEvent change = change(i).toBuilder()
                    .newRow(Map.of("id", (long) i, "metadata", "x".repeat(700_000)))
                    .build();
            big.add(rig.start(change));
        }

        big.forEach(each -> assertThat(each.join().getException()).isNull());
        assertThat(receiver.requests()).hasSize(2);
    }

    private List<Exchange> send(long... ids) {
        List<CompletableFuture<Exchange>> started = new ArrayList<>();
        for (long id : ids) {
            started.add(rig.start(change(id)));
        }
        return started.stream().map(CompletableFuture::join).toList();
    }
}
