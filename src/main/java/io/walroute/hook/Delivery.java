package io.walroute.hook;

import io.vertx.core.Promise;
import io.walroute.change.ChangeEvent;
import java.util.List;

/**
 * The changes of one request, and who waits for its outcome. The body is made at the attempt: what waits for its turn
 * holds no second copy.
 *
 * @param shape in batch mode the body is a JSON array even of one change
 * @param waiting one for each event
 */
record Delivery(List<ChangeEvent> events, Shape shape, List<Promise<Void>> waiting) {
    /** The same for each attempt. */
    String webhookId() {
        if (events.size() == 1 && shape.body() == BodyKind.CHANGES) {
            return HookBody.webhookId(events.get(0).id());
        }
        List<String> ids = events.stream().map(ChangeEvent::id).toList();
        return shape.body() == BodyKind.INVALIDATIONS ? HookBody.invalidationsId(ids) : HookBody.webhookId(ids);
    }

    byte[] body() {
        if (shape.body() == BodyKind.INVALIDATIONS) {
            return Invalidations.body(events);
        }
        return shape.isBatched() ? HookBody.array(events) : HookBody.of(events.get(0));
    }

    void delivered() {
        waiting.forEach(Promise::tryComplete);
    }

    void fail(HookException cause) {
        waiting.forEach(each -> each.tryFail(cause));
    }
}
