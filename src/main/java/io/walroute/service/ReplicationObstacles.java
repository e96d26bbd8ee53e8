package io.walroute.service;

import io.walroute.slot.Finding;
import io.walroute.slot.ReplicationCheck;
import io.walroute.slot.ReplicationTarget;
import io.walroute.source.SlotCheck;
import java.util.List;
import java.util.Optional;

/** What the slot package finds, in the source's words. */
final class ReplicationObstacles implements SlotCheck {
    private final ReplicationTarget target;

    ReplicationObstacles(ReplicationTarget target) {
        this.target = target;
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
