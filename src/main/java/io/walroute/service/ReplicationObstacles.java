package io.walroute.service;

import io.walroute.settings.DatabaseUrl;
import io.walroute.settings.Settings;
import io.walroute.slot.Finding;
import io.walroute.slot.ReplicationCheck;
import io.walroute.slot.ReplicationTarget;
import io.walroute.source.SlotCheck;
import java.util.List;
import java.util.Optional;

/** What the slot package finds, in the source's words. */
final class ReplicationObstacles implements SlotCheck {
    private final ReplicationTarget target;

    ReplicationObstacles(Settings settings) {
        DatabaseUrl url = settings.databaseUrl();
        target = new ReplicationTarget(
                url.jdbcUrl(), url.properties(), settings.replicationSlot(), settings.publicationName());
    }

    /** What somebody has to change before a start makes sense; empty if nothing, or if only waiting helps. */
    Optional<String> misconfiguration() {
        return ReplicationCheck.findings(target).stream()
                .filter(finding -> finding.kind() != Finding.Kind.STANDBY)
                .map(Finding::line)
                .findFirst();
    }

    @Override
    public Optional<Obstacle> check() {
        List<Finding> findings = ReplicationCheck.findings(target);
        // A standby has nothing to mend; but what else is wrong comes first.
        return findings.stream()
                .filter(finding -> finding.kind() != Finding.Kind.STANDBY)
                .findFirst()
                .or(() -> findings.stream().findFirst())
                .map(finding -> new Obstacle(finding.kind() == Finding.Kind.STANDBY, finding.line()));
    }
}
