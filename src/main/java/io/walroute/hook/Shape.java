package io.walroute.hook;

import java.time.Duration;

/** How changes are put into requests. Changes of one shape may go in one request, whichever route sent them. */
record Shape(BodyKind body, int batchSize, Duration batchDelay) {
    boolean isBatched() {
        return batchSize > 1;
    }
}
