package io.walroute.replay;

/** A replay that can't be done as asked; the message is one line with the reason and the way out. */
public final class ReplayException extends Exception {
    private static final long serialVersionUID = 1L;

    public ReplayException(String message) {
        super(message);
    }
}
