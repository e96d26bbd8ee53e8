package io.walroute.change;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Tells once when all holds on one change are let go. For a change that no slot waits for but somebody else does: a redriven
 * dead letter, a replayed change. Thread-safe.
 */
public final class OwnSettlement implements Settlement {
    private final AtomicInteger holds = new AtomicInteger();
    private final Consumer<Throwable> ended;
    private volatile Throwable failure;

    /** @param ended gets null, or why a hand-over failed; on the thread that let go last */
    public OwnSettlement(Consumer<Throwable> ended) {
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
