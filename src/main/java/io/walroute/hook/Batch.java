package io.walroute.hook;

import io.vertx.core.Promise;
import java.util.ArrayList;
import java.util.List;

/** Changes that will go in one request. Bounded in number and, since a change may have megabytes, in bytes. */
final class Batch {
    // One larger change still goes, alone.
    private static final int MAX_BYTES = 1024 * 1024;

    private final int maxSize;
    private final List<String> eventIds = new ArrayList<>();
    private final List<byte[]> bodies = new ArrayList<>();
    private final List<Promise<Void>> waiting = new ArrayList<>();
    private long bytes;

    Batch(int maxSize) {
        this.maxSize = maxSize;
    }

    boolean hasRoomFor(byte[] body) {
        return bodies.isEmpty() || bodies.size() < maxSize && bytes + body.length <= MAX_BYTES;
    }

    void add(String eventId, byte[] body, Promise<Void> promise) {
        eventIds.add(eventId);
        bodies.add(body);
        waiting.add(promise);
        bytes += body.length;
    }

    boolean isFull() {
        return bodies.size() >= maxSize || bytes >= MAX_BYTES;
    }

    Delivery toDelivery() {
        return new Delivery(HookBody.webhookId(eventIds), HookBody.array(bodies), waiting);
    }
}
