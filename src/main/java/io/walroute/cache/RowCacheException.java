package io.walroute.cache;

/**
 * Redis refused a change or can't be reached; one line, without password and without the row's key.
 *
 * <p>Routes may ask: {@code onWhen: ${exception.permanent}}.
 */
public class RowCacheException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Whom a failure concerns. */
    enum Concern {
        /** Whatever were sent now would fail alike: Redis is away, full, read-only… */
        SERVER,
        /** This row's entry only, and sending it again at once is of no use. */
        KEY,
        /** Neither is known. */
        UNKNOWN
    }

    private final Concern concern;

    public RowCacheException(String message, Throwable cause) {
        this(message, cause, Concern.UNKNOWN);
    }

    RowCacheException(String message, Throwable cause, Concern concern) {
        super(message, cause);
        this.concern = concern;
    }

    Concern concern() {
        return concern;
    }

    /** Whether Redis can't take this very change, so that sending it again at once is of no use. */
    public boolean isPermanent() {
        return concern == Concern.KEY;
    }
}
