package io.walroute.settings;

import io.walroute.change.Redactions.TableRules;
import io.walroute.slot.ReplicaIdentity;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What stands under {@code walroute.tables.TABLE.} for one table.
 *
 * @param replicaIdentity empty: {@code setup} leaves the table as it is
 * @param cacheTtl empty: entries stay
 * @param cachePrefix empty: {@code walroute.cache.prefix}
 * @param redaction which columns leave, and how
 */
public record TableSettings(
        Optional<ReplicaIdentity> replicaIdentity,
        Optional<Duration> cacheTtl,
        Optional<String> cachePrefix,
        TableRules redaction) {
    /** Without redaction. */
    public TableSettings(
            Optional<ReplicaIdentity> replicaIdentity, Optional<Duration> cacheTtl, Optional<String> cachePrefix) {
        this(replicaIdentity, cacheTtl, cachePrefix, new TableRules(Map.of(), null));
    }
}
