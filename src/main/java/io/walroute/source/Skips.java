package io.walroute.source;

import java.util.List;

/** Which transactions are passed over, and what is noted of it. */
public interface Skips {
    /**
     * All that may still come, those that were passed before included: after a crash PostgreSQL may send them again. Asked
     * before each stream, and every other second meanwhile. May block.
     *
     * @throws Exception if they can't be told: then no stream may begin
     */
    List<SkipRule> rules() throws Exception;

    /** All of the transaction came, and so many changes of it were passed over. From the stream's thread; must not block. */
    void passed(SkipRule rule, long changes);
}
