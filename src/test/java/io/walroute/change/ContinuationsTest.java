package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ContinuationsTest {
    private final ExecutorService executor = Executors.newFixedThreadPool(4);
    private final Continuations continuations = new Continuations(executor, 4);

    @AfterEach
    void end() {
        executor.shutdownNow();
    }

    @Test
    void all_run_once_whoever_adds_them() throws Exception {
        var runs = new AtomicInteger();
        var adders = IntStream.range(0, 4)
                .mapToObj(each -> new Thread(() -> {
                    for (int i = 0; i < 20_000; i++) {
                        continuations.add(runs::incrementAndGet);
                    }
                }))
                .toList();
        adders.forEach(Thread::start);
        for (Thread each : adders) {
            each.join();
        }

        await().until(() -> runs.get() >= 80_000);
        assertThat(runs).hasValue(80_000);
    }

    /** The one that blocks may be waiting for just that other one; nothing else comes to wake anybody. */
    @Test
    void one_that_blocks_does_not_hold_up_those_behind_it() {
        var done = new CountDownLatch(1);
        var over = new AtomicInteger();
        for (int i = 0; i < 3; i++) {
            continuations.add(() -> {
                awaitLatch(done);
                over.incrementAndGet();
            });
        }
        continuations.add(done::countDown);

        await().until(() -> over.get() == 3);
    }

    @Test
    void one_that_fails_does_not_end_those_behind_it() {
        Queue<String> ran = new ConcurrentLinkedQueue<>();
        continuations.add(() -> {
            throw new IllegalStateException("the test's own");
        });
        continuations.add(() -> ran.add("next"));

        await().until(() -> ran.contains("next"));
    }

    @Test
    void after_the_executors_end_they_run_where_they_are_added() {
        executor.shutdown();
        var ran = new AtomicInteger();

        continuations.add(ran::incrementAndGet);

        assertThat(ran).hasValue(1);
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
