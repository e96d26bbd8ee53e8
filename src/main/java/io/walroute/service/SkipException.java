package io.walroute.service;

/** A transaction that can't be passed over; the message is one line with the reason. */
final class SkipException extends Exception {
    private static final long serialVersionUID = 1L;

    SkipException(String message) {
        super(message);
    }
}
