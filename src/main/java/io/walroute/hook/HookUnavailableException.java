package io.walroute.hook;

import io.walroute.change.NotAttempted;
import java.time.Duration;

/**
 * No attempt was made: the endpoint's circuit is open, its receiver asked for a longer pause or said 410 Gone, or the
 * service stops. Trying again soon is of no use; routes park such a change at once.
 */
public class HookUnavailableException extends HookException implements NotAttempted {
    HookUnavailableException(String endpoint, String message, Duration retryAfter) {
        super(endpoint, message, 0, retryAfter, "", 1, null);
    }
}
