package io.walroute.audit;

import java.time.Duration;

/**
 * Settings of the audit log.
 *
 * @param keep how long an audited change is kept after its commit ({@code walroute.audit.keep}); never pruned meanwhile are
 *     changes that are unsettled or stand in the dead letters
 */
public record AuditSettings(Duration keep) {
    public static final AuditSettings DEFAULT = new AuditSettings(Duration.ofDays(7));

    public AuditSettings {
        if (keep.isNegative() || keep.isZero()) {
            throw new IllegalArgumentException(
                    "walroute.audit.keep=" + keep + " must be longer than nothing. Write 7d.");
        }
    }
}
