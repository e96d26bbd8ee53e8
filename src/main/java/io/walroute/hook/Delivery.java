package io.walroute.hook;

import io.vertx.core.Promise;
import io.walroute.change.ChangeEvent;
import java.util.List;

/**
 * The changes of one request, and who waits for its outcome. The body is made at the attempt: what waits for its turn
 * holds no second copy.
 *
 * @param array whether the body is a JSON array, as it is in batch mode even of one change
 * @param waiting one for each event
 */
record Delivery(List<ChangeEvent> events, boolean array, List<Promise<Void>> waiting) {
    /** The same for each attempt. */
    String webhookId() {
        return HookBody.webhookId(events.stream().map(ChangeEvent::id).toList());
    }

    byte[] body() {
        return array ? HookBody.array(events.stream().map(HookBody::of).toList()) : HookBody.of(events.get(0));
    }

    void delivered() {
        waiting.forEach(Promise::tryComplete);
    }

    void fail(HookException cause) {
        waiting.forEach(each -> each.tryFail(cause));
    }
}
