package io.walroute.hook;

import java.time.Duration;

/**
 * An attempt that did not end in a 2xx. The message is one line that names the endpoint and holds no secret. Without a
 * stack trace: it would show an event loop, and a dead receiver makes many of these.
 *
 * <p>Routes may ask: {@code onWhen: ${exception.permanent}}.
 */
public class HookException extends Exception {
    private final String endpoint;
    private final int status;
    private final Duration retryAfter;
    private final String answer;

    HookException(String endpoint, String message, Throwable cause) {
        this(endpoint, message, 0, null, "", cause);
    }

    HookException(String endpoint, String message, int status, Duration retryAfter, String answer, Throwable cause) {
        super("hook:" + endpoint + " " + message, cause, false, false);
        this.endpoint = endpoint;
        this.status = status;
        this.retryAfter = retryAfter;
        this.answer = answer;
    }

    /** The NAME of {@code hook:NAME}. */
    public String getEndpoint() {
        return endpoint;
    }

    /** The HTTP status; 0 if there was no answer. */
    public int getStatus() {
        return status;
    }

    /** What the receiver asked for with {@code Retry-After}; null if it didn't. */
    public Duration getRetryAfter() {
        return retryAfter;
    }

    /** The beginning of the answer's body as one printable line, at most 500 characters; empty if there was none. */
    public String getAnswer() {
        return answer;
    }

    /** Whether the receiver refused this change itself (4xx but 408 and 429), so that sending it again is of little use. */
    public boolean isPermanent() {
        return status >= 400 && status < 500 && status != 408 && status != 429;
    }
}
