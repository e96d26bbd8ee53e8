package io.debezium.connector.base;

import static org.assertj.core.api.Assertions.assertThat;

import io.debezium.pipeline.Sizeable;
import io.debezium.util.LoggingContext;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** walroute's class in Debezium's place. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ChangeEventQueueTest {
    private record Sized(long objectSize) implements Sizeable {}

    private static ChangeEventQueue<Sized> queue(Duration pollInterval, int batch, int size, long bytes) {
        return new ChangeEventQueue.Builder<Sized>()
                .pollInterval(pollInterval)
                .maxBatchSize(batch)
                .maxQueueSize(size)
                .maxQueueSizeInBytes(bytes)
                .loggingContextSupplier(() -> LoggingContext.forConnector("test", "test", "test"))
                .build();
    }

    private static CompletableFuture<List<Sized>> polled(ChangeEventQueue<Sized> queue) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                List<Sized> batch = List.of();
                while (batch.isEmpty()) {
                    batch = queue.poll();
                }
                return batch;
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test
    void what_comes_alone_does_not_wait_for_the_poll_interval() throws Exception {
        var queue = queue(Duration.ofMinutes(2), 512, 1_024, 0);
        var waiting = polled(queue);
        queue.enqueue(new Sized(1));
        assertThat(waiting.get(60, TimeUnit.SECONDS)).containsExactly(new Sized(1));
    }

    @Test
    void nothing_is_answered_after_the_poll_interval() throws Exception {
        long asked = System.nanoTime();
        assertThat(queue(Duration.ofMillis(30), 512, 1_024, 0).poll()).isEmpty();
        assertThat(System.nanoTime() - asked).isGreaterThanOrEqualTo(30_000_000L);
    }

    @Test
    void all_come_in_their_order_by_batches_however_narrow_the_queue() throws Exception {
        var queue = queue(Duration.ofMillis(10), 7, 11, 50);
        int all = 20_000;
        var producer = CompletableFuture.runAsync(() -> {
            try {
                for (int i = 0; i < all; i++) {
                    queue.enqueue(new Sized(i));
                }
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        long next = 0;
        while (next < all) {
            List<Sized> batch = queue.poll();
            assertThat(batch).hasSizeLessThanOrEqualTo(7);
            for (Sized each : batch) {
                assertThat(each.objectSize()).isEqualTo(next++);
            }
        }
        producer.get(10, TimeUnit.SECONDS);
        assertThat(queue.currentQueueSizeInBytes()).isZero();
    }

    @Test
    void a_failure_of_the_reader_reaches_whoever_waits() throws Exception {
        var queue = queue(Duration.ofMinutes(2), 512, 1_024, 0);
        var waiting = polled(queue);
        queue.producerException(new IllegalStateException("the reader failed"));
        assertThat(waiting.handle((batch, failure) -> failure).get(60, TimeUnit.SECONDS))
                .hasRootCauseMessage("the reader failed");
        assertThat(org.assertj.core.api.Assertions.catchThrowable(queue::poll)).hasMessage("the reader failed");
    }
}
