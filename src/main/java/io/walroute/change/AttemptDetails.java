package io.walroute.change;

import java.time.Instant;

/** What an exception tells of the attempt that ended in it, for whoever keeps a record of attempts. */
public interface AttemptDetails {
    /** When the attempt ended. */
    Instant getAt();

    /** What the other side answered, as HTTP counts it; 0 if there was no answer. */
    int getStatus();

    /** The beginning of its answer as one printable line, without secrets; empty if there was none. */
    String getAnswer();
}
