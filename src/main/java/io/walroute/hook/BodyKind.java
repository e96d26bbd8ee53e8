package io.walroute.hook;

import java.util.Locale;

/** What a request tells its receiver. */
enum BodyKind {
    /** Each change whole; in batch mode a JSON array of them. */
    CHANGES,
    /** Only which keys changed, each once: what an API needs to forget what it keeps of them. */
    INVALIDATIONS;

    static BodyKind of(String text) {
        try {
            return valueOf(text.strip().toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("body=" + text + " is unknown. Write changes or invalidations");
        }
    }
}
