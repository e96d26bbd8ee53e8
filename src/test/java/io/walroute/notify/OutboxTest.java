package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class OutboxTest {
    private final AtomicInteger work = new AtomicInteger();
    private final Outbox outbox = new Outbox(4, 100, work::incrementAndGet);

    @Test
    void frames_beyond_the_number_are_not_taken() {
        for (int i = 0; i < 4; i++) {
            assertThat(offer("x")).isTrue();
        }

        assertThat(offer("x")).isFalse();
        assertThat(outbox.bytes()).isEqualTo(4);
        assertThat(work).hasValue(4);
    }

    @Test
    void frames_beyond_the_bytes_are_not_taken_but_a_large_one_alone_is() {
        assertThat(offer("x".repeat(500))).isTrue();
        assertThat(offer("x")).isFalse();

        assertThat(poll()).hasSize(500);
        assertThat(offer("x")).isTrue();
        assertThat(offer("x".repeat(100))).isFalse();
    }

    @Test
    void answers_are_taken_when_it_is_full() {
        while (offer("x")) {}

        outbox.put("pong");

        assertThat(poll()).isEqualTo("x");
        assertThat(outbox.hasRoom()).isFalse();
    }

    @Test
    void who_waits_for_room_is_told_once_when_half_is_empty() {
        while (offer("x")) {}
        var told = new AtomicInteger();
        assertThat(outbox.hasRoomOr(told::incrementAndGet)).isFalse();

        outbox.poll();
        assertThat(told).hasValue(0);
        outbox.poll();
        assertThat(told).hasValue(1);
        outbox.poll();
        assertThat(told).hasValue(1);
        assertThat(outbox.hasRoomOr(told::incrementAndGet)).isTrue();
    }

    @Test
    void texts_leave_in_the_order_they_came() {
        offer("1");
        outbox.put("2");
        offer("3");

        assertThat(poll() + poll() + poll()).isEqualTo("123");
        assertThat(poll()).isNull();
        assertThat(outbox.isEmpty()).isTrue();
    }

    private boolean offer(String text) {
        return outbox.offer(new Text(text));
    }

    private String poll() {
        Text text = outbox.poll();
        return text == null ? null : text.toString();
    }
}
