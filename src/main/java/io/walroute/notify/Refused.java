package io.walroute.notify;

/** Why a client isn't let in, in words for the client: nothing of its token is in them. */
final class Refused extends Exception {
    private static final long serialVersionUID = 1;
    private final int status;

    Refused(int status, String message) {
        super(message, null, false, false);
        this.status = status;
    }

    static Refused unproven(String why) {
        return new Refused(401, why);
    }

    static Refused later(String why) {
        return new Refused(503, why);
    }

    /** As HTTP has it. */
    int status() {
        return status;
    }
}
