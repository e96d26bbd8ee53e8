package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.camel.Exchange;
import org.apache.camel.LoggingLevel;
import org.apache.camel.Processor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A redelivery takes longer here than the test may: whoever waited for one would be seen. */
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(60)
class LaneIsolationTest {
    private static final int MANY = 500;
    private static final long REDELIVERY_MS = TimeUnit.MINUTES.toMillis(2);

    private final LaneContext context = new LaneContext();
    private final AtomicInteger attempts = new AtomicInteger();
    /** In ms since it was sent, by label. */
    private final Map<String, Long> latencies = new ConcurrentHashMap<>();

    private final Map<String, Long> sentNanos = new ConcurrentHashMap<>();

    private void start(Processor hook) throws Exception {
        context.start(r -> {
            r.from("lanes:hook")
                    .errorHandler(r.deadLetterChannel("mock:dead")
                            .maximumRedeliveries(3)
                            .redeliveryDelay(REDELIVERY_MS)
                            .maximumRedeliveryDelay(REDELIVERY_MS)
                            .retryAttemptedLogLevel(LoggingLevel.TRACE)
                            .asyncDelayedRedelivery())
                    .process(hook)
                    .process(this::arrived);
            r.from("lanes:cache").process(this::arrived);
        });
    }

    private void arrived(Exchange exchange) {
        String label = LaneContext.label(exchange);
        latencies.put(label, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - sentNanos.get(label)));
    }

    private void failFor(Exchange exchange) {
        if (LaneContext.label(exchange).startsWith("bad")) {
            attempts.incrementAndGet();
            throw new IllegalStateException("the receiver says 500");
        }
    }

    private void send(String lane, String key, String label) {
        sentNanos.put(label, System.nanoTime());
        context.send(lane, context.change(key, label), new Holds());
    }

    @AfterEach
    void stop() {
        // Fails what waits for its redelivery, rather than wait with it.
        context.camel.getShutdownStrategy().setTimeout(1);
        context.close();
    }

    @Test
    void a_sink_that_waits_for_a_redelivery_leaves_another_sinks_latency_unchanged() throws Exception {
        start(this::failFor);
        for (int i = 0; i < 100; i++) {
            send("hook", "k" + i, "bad" + i);
        }
        LaneContext.await().until(() -> attempts.get() == 100);
        List<String> labels = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            labels.add("c" + i);
            send("cache", "k" + i % 100, "c" + i);
        }
        LaneContext.await().until(() -> latencies.keySet().containsAll(labels));
        assertThat(attempts).as("all redeliveries are still to come").hasValue(100);
        assertThat(context.lane("hook").inFlight()).isEqualTo(100);
        assertThat(latencies.values()).allMatch(ms -> ms < REDELIVERY_MS / 10);
    }

    @Test
    void a_key_that_fails_leaves_the_other_keys_of_its_lane_unchanged() throws Exception {
        start(this::failFor);
        send("hook", "bad", "bad1");
        LaneContext.await().until(() -> attempts.get() == 1);
        List<String> labels = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            if (i % 10 == 0) {
                send("hook", "bad", "behind" + i);
            }
            labels.add("h" + i);
            send("hook", "k" + i % 7, "h" + i);
        }
        LaneContext.await().until(() -> latencies.keySet().containsAll(labels));
        assertThat(attempts).hasValue(1);
        assertThat(latencies.keySet()).noneMatch(label -> label.startsWith("behind"));
        assertThat(context.lane("hook").held()).isEqualTo(1 + MANY / 10);
    }
}
