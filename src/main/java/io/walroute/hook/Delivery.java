package io.walroute.hook;

import io.vertx.core.Promise;
import java.util.List;

/**
 * One request's content, and who waits for its outcome.
 *
 * @param webhookId the same for each attempt
 */
record Delivery(String webhookId, byte[] body, List<Promise<Void>> waiting) {
    void delivered() {
        waiting.forEach(Promise::tryComplete);
    }

    void fail(HookException cause) {
        waiting.forEach(each -> each.tryFail(cause));
    }
}
