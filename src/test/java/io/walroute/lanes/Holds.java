package io.walroute.lanes;

import io.walroute.change.Settlement;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** A settlement that tells what became of its holds. */
class Holds implements Settlement {
    final AtomicInteger taken = new AtomicInteger();
    final AtomicInteger released = new AtomicInteger();
    final AtomicInteger failed = new AtomicInteger();
    final AtomicReference<Throwable> cause = new AtomicReference<>();

    /** Whether the stream that the change came by is ending. */
    volatile boolean streamFailed;

    private final Holds first;

    Holds() {
        first = this;
    }

    /** Of another change of the same stream. */
    Holds(Holds first) {
        this.first = first;
    }

    /** Of a delivery that comes from the dead letters. */
    static final class OfRedrive extends Holds {
        @Override
        public boolean isFailed() {
            return false;
        }

        @Override
        public boolean comesAgain() {
            return false;
        }
    }

    @Override
    public boolean isFailed() {
        return first.streamFailed;
    }

    @Override
    public boolean comesAgain() {
        return true;
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
                first.streamFailed = true;
                cause.set(failure);
                failed.incrementAndGet();
            }
        };
    }
}
