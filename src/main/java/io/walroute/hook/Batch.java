package io.walroute.hook;

import io.vertx.core.Promise;
import io.walroute.change.ChangeEvent;
import java.util.ArrayList;
import java.util.List;

/** Changes that will go in one request. Bounded in number and, since a change may have megabytes, in bytes. */
final class Batch {
    // One larger change still goes, alone.
    private static final int MAX_BYTES = 1024 * 1024;

    private final int maxSize;
    private final List<ChangeEvent> events = new ArrayList<>();
    private final List<Promise<Void>> waiting = new ArrayList<>();
    private long bytes;

    Batch(int maxSize) {
        this.maxSize = maxSize;
    }

    boolean hasRoomFor(ChangeEvent event) {
        return events.isEmpty() || events.size() < maxSize && bytes + event.toJson().length <= MAX_BYTES;
    }

    void add(ChangeEvent event, Promise<Void> promise) {
        events.add(event);
        waiting.add(promise);
        bytes += event.toJson().length;
    }

    boolean isFull() {
        return events.size() >= maxSize || bytes >= MAX_BYTES;
    }

    Delivery toDelivery() {
        return new Delivery(events, true, waiting);
    }
}
