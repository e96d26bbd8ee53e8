package io.walroute.lanes;

import java.util.Set;

/** A redaction rule names a sink that no route reads: what it is meant to hide would leave by another. */
public final class UnknownSinkException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UnknownSinkException(Set<String> unknown, Set<String> known) {
        super("Redaction rules (walroute.tables.TABLE.redact.COLUMN or .columns) name "
                + String.join(", ", unknown)
                + ", from which nothing is hidden. Sinks are the lanes that routes read, raw ones left out, and audit: "
                + String.join(", ", known));
    }
}
