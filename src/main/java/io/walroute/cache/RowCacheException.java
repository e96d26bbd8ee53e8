package io.walroute.cache;

/** Redis refused a change or can't be reached; one line, without password and without the row's key. */
public class RowCacheException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public RowCacheException(String message, Throwable cause) {
        super(message, cause);
    }
}
