package io.walroute.backfill;

/** What is asked for can't be done as things stand; the message is one line for the caller. */
public final class BackfillException extends Exception {
    private static final long serialVersionUID = 1L;

    public BackfillException(String message) {
        super(message);
    }
}
