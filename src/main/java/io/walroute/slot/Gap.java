package io.walroute.slot;

import io.walroute.change.Lsn;
import java.time.Instant;

/**
 * A place where the stream doesn't go on where it ended.
 *
 * @param from the last place of which everything is known
 * @param to where the stream could go on; null if that is not known
 * @param since when {@code from} was noted
 * @param server which server it was found on: system identifier and timeline
 * @param what one clause for people: what was found
 * @param newFrom LSNs at or past it mean other changes than before; {@link Lsn#ZERO} for all
 */
public record Gap(Reason reason, Lsn from, Lsn to, Instant since, String server, String what, Lsn newFrom)
        implements ContinuityCheck.Verdict {
    /** Why; the names are kept in the store. */
    public enum Reason {
        SLOT_MISSING(false),
        SLOT_INVALIDATED(false),
        SLOT_AHEAD(false),
        OTHER_SERVER(false),
        OTHER_DATABASE(false),
        OTHER_TIMELINE(false),
        /** The promoted server never had the last audited changes. */
        DIVERGED(false),
        /** The same timeline as before, but at an earlier place. */
        RESTORED(true),
        /** An operator moves the slot. */
        RESET(true);

        private final boolean lasting;

        Reason(boolean lasting) {
            this.lasting = lasting;
        }

        /** Whether it must be remembered: the server doesn't show it any more once it has gone on. */
        public boolean isLasting() {
            return lasting;
        }
    }

    /** From, to, since and what to do about it. */
    public String line() {
        return "Gap: " + what + ". " + effect() + " (noted " + since + "). Nothing is streamed until that is accepted"
                + " (walroute reset --accept-gap)" + selfMending();
    }

    private String effect() {
        return switch (reason) {
            case DIVERGED, RESTORED -> "What was delivered from " + from + " to " + to + " may not be in this database";
            default -> "Changes after " + from + (to == null ? "" : " up to " + to) + " are missing";
        };
    }

    private String selfMending() {
        return switch (reason) {
            case OTHER_SERVER, OTHER_DATABASE, OTHER_TIMELINE -> " or DATABASE_URL leads to the former one again";
            default -> "";
        };
    }
}
