package io.walroute.cache;

import io.walroute.change.NotAttempted;

/** No attempt was made: so many before it failed for a reason that lies with Redis that the circuit is open. */
public class RowCacheUnavailableException extends RowCacheException implements NotAttempted {
    private static final long serialVersionUID = 1L;

    RowCacheUnavailableException(String message) {
        super(message, null, Concern.SERVER);
    }

    /** It would show a lane's thread, and a Redis that is away makes many of these. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
