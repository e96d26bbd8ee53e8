package io.walroute.hook;

import io.vertx.core.Promise;
import io.walroute.change.ChangeEvent;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Changes that will go in one request. Bounded in number and, since a change may have megabytes, in bytes. Of invalidations
 * the keys count: another change of a key that is in here already takes no room.
 */
final class Batch {
    // One larger change still goes, alone.
    private static final int MAX_BYTES = 1024 * 1024;

    final Shape shape;
    /** Ends the waiting for more. */
    long timer;

    private final List<ChangeEvent> events = new ArrayList<>();
    private final List<Promise<Void>> waiting = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private long bytes;

    Batch(Shape shape) {
        this.shape = shape;
    }

    boolean hasRoomFor(ChangeEvent event) {
        if (shape.body() == BodyKind.INVALIDATIONS) {
            return names.size() < shape.batchSize() || names.containsAll(Invalidations.names(event));
        }
        return events.isEmpty() || events.size() < shape.batchSize() && bytes + event.toJson().length <= MAX_BYTES;
    }

    void add(ChangeEvent event, Promise<Void> promise) {
        events.add(event);
        waiting.add(promise);
        if (shape.body() == BodyKind.INVALIDATIONS) {
            names.addAll(Invalidations.names(event));
        } else {
            bytes += event.toJson().length;
        }
    }

    /** One of invalidations waits for its time: the changes that come until then may be of keys that are in here. */
    boolean isFull() {
        return shape.body() == BodyKind.CHANGES && (events.size() >= shape.batchSize() || bytes >= MAX_BYTES);
    }

    Delivery toDelivery() {
        return new Delivery(events, shape, waiting);
    }
}
