package io.walroute.service;

/** Why the service can't start, in one line that names cause and fix; {@code run} ends with exit code 2. */
public final class ServiceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ServiceException(String message, Throwable cause) {
        super(message, cause);
    }

    ServiceException(String message) {
        super(message);
    }
}
