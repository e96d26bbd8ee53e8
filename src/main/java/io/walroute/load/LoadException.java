package io.walroute.load;

/** The run can't begin or go on; the message is one line with the cause and the fix. */
public final class LoadException extends Exception {
    private static final long serialVersionUID = 1;

    public LoadException(String message, Throwable cause) {
        super(message, cause);
    }

    public LoadException(String message) {
        this(message, null);
    }
}
