package io.walroute.deadletter;

import io.walroute.change.Settlement;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Tells once when all holds on a redriven delivery are let go. No slot waits for it: its row does. */
final class RedriveSettlement implements Settlement {
    private final AtomicInteger holds = new AtomicInteger();
    private final Consumer<Throwable> ended;
    private volatile Throwable failure;

    /** @param ended gets null, or why a hand-over failed */
    RedriveSettlement(Consumer<Throwable> ended) {
        this.ended = ended;
    }

    @Override
    public Hold hold() {
        holds.incrementAndGet();
        var open = new AtomicBoolean(true);
        return new Hold() {
            @Override
            public void release() {
                if (open.compareAndSet(true, false) && holds.decrementAndGet() == 0) {
                    ended.accept(failure);
                }
            }

            @Override
            public void fail(Throwable cause) {
                if (open.get()) {
                    failure = cause;
                    release();
                }
            }
        };
    }
}
