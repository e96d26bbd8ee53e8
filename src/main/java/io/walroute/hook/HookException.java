package io.walroute.hook;

import io.walroute.change.AttemptDetails;
import java.time.Duration;
import java.time.Instant;

/**
 * An attempt that did not end in a 2xx. The message is one line that names the endpoint and holds no secret. Without a
 * stack trace: it would show an event loop, and a dead receiver makes many of these.
 *
 * <p>Routes may ask: {@code onWhen: ${exception.permanent}}.
 */
public class HookException extends Exception implements AttemptDetails {
    private final String endpoint;
    private final String problem;
    private final int status;
    private final Duration retryAfter;
    private final String answer;
    private final int changes;
    private final Instant at = Instant.now();

    HookException(String endpoint, String message, Throwable cause) {
        this(endpoint, message, 0, null, "", 1, cause);
    }

    /** @param changes how many were in the request */
    HookException(
            String endpoint,
            String message,
            int status,
            Duration retryAfter,
            String answer,
            int changes,
            Throwable cause) {
        super("hook:" + endpoint + " " + message, cause, false, false);
        this.endpoint = endpoint;
        this.problem = message;
        this.status = status;
        this.retryAfter = retryAfter;
        this.answer = answer;
        this.changes = changes;
    }

    /** The NAME of {@code hook:NAME}. */
    public String getEndpoint() {
        return endpoint;
    }

    /** The message without the endpoint's name. */
    String getProblem() {
        return problem;
    }

    /** When the attempt ended. */
    @Override
    public Instant getAt() {
        return at;
    }

    /** The HTTP status; 0 if there was no answer. */
    @Override
    public int getStatus() {
        return status;
    }

    /** What the receiver asked for with {@code Retry-After}; null if it didn't. */
    public Duration getRetryAfter() {
        return retryAfter;
    }

    /** The beginning of the answer's body as one printable line, at most 500 characters; empty if there was none. */
    @Override
    public String getAnswer() {
        return answer;
    }

    /**
     * Whether the receiver refused this change itself, so that sending it again is of little use. Not so in a request with
     * others: it may be any of them, and redelivered each goes alone.
     */
    public boolean isPermanent() {
        return isRefusal() && changes == 1;
    }

    /** 4xx but 408 and 429: the receiver is there, and doesn't take this request. */
    boolean isRefusal() {
        return status >= 400 && status < 500 && status != 408 && status != 429;
    }
}
