package io.walroute.lanes;

import io.walroute.change.Settlement;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** A settlement that tells what became of its holds. */
final class Holds implements Settlement {
    final AtomicInteger taken = new AtomicInteger();
    final AtomicInteger released = new AtomicInteger();
    final AtomicInteger failed = new AtomicInteger();
    final AtomicReference<Throwable> cause = new AtomicReference<>();

    /** Whether the stream that the change came by is ending. */
    volatile boolean streamFailed;

    @Override
    public boolean isFailed() {
        return streamFailed;
    }

    @Override
    public Hold hold() {
        taken.incrementAndGet();
        return new Hold() {
            @Override
            public void release() {
                released.incrementAndGet();
            }

            @Override
            public void fail(Throwable failure) {
                cause.set(failure);
                failed.incrementAndGet();
            }
        };
    }
}
