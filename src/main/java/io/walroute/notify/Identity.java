package io.walroute.notify;

import java.time.Instant;
import java.util.function.BooleanSupplier;

/**
 * What a token proved.
 *
 * @param expires when it proves nothing any more, the clock skew included; null: never
 * @param stands whether it would be taken now, too; never waits
 */
record Identity(Claims claims, Instant expires, BooleanSupplier stands) {
    /** Of those who aren't asked. */
    static final Identity UNASKED = new Identity(Claims.NONE, null, () -> true);
}
