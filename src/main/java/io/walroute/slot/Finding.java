package io.walroute.slot;

/**
 * One reason why changes can't be read from the slot at present.
 *
 * @param line one line for people: the thing, the value found, what to do
 */
public record Finding(Kind kind, Fault fault, String line) {
    /** What follows from it. */
    public enum Kind {
        /** Somebody has to change something: a service that starts ends with exit code 2. */
        CONFIGURATION,
        /** May pass by itself: try again. */
        UNREACHABLE,
        /** Another process reads the slot: wait until it doesn't. No fault. */
        STANDBY,
        /** The slot can never be read again: changes are lost. */
        GONE
    }

    public enum Fault {
        UNKNOWN_HOST(Kind.CONFIGURATION),
        LOGIN_REFUSED(Kind.CONFIGURATION),
        DATABASE_MISSING(Kind.CONFIGURATION),
        TLS(Kind.CONFIGURATION),
        NO_ANSWER(Kind.UNREACHABLE),
        NOT_READY(Kind.UNREACHABLE),
        SERVER_TOO_OLD(Kind.CONFIGURATION),
        SERVER_IS_STANDBY(Kind.CONFIGURATION),
        WAL_LEVEL(Kind.CONFIGURATION),
        NO_REPLICATION_PRIVILEGE(Kind.CONFIGURATION),
        NO_FREE_WAL_SENDER(Kind.CONFIGURATION),
        NO_FREE_SLOT(Kind.CONFIGURATION),
        PUBLICATION_MISSING(Kind.CONFIGURATION),
        SLOT_MISSING(Kind.CONFIGURATION),
        SLOT_OF_OTHER_PLUGIN(Kind.CONFIGURATION),
        SLOT_OF_OTHER_DATABASE(Kind.CONFIGURATION),
        SLOT_ACTIVE(Kind.STANDBY),
        SLOT_INVALIDATED(Kind.GONE),
        NO_SUCH_TRANSACTION(Kind.UNREACHABLE),
        TABLE_MISSING(Kind.CONFIGURATION),
        TABLE_NOT_PUBLISHABLE(Kind.CONFIGURATION),
        PUBLICATION_OF_OTHER_KIND(Kind.CONFIGURATION),
        INDEX_UNSUITABLE(Kind.CONFIGURATION),
        PERMISSION(Kind.CONFIGURATION),
        STATEMENT_FAILED(Kind.UNREACHABLE);

        private final Kind kind;

        Fault(Kind kind) {
            this.kind = kind;
        }
    }

    static Finding of(Fault fault, String line) {
        return new Finding(fault.kind, fault, line);
    }

    @Override
    public String toString() {
        return line;
    }
}
