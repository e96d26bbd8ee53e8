package io.walroute.source;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What a {@link WalConsumer} measures beside its {@link WalStatus}.
 *
 * @param heartbeatRoundTrip of the newest mark that came back
 * @param heartbeatAge since when none came back
 * @param oldestCommit of the oldest change that is not settled
 * @param engine the name under which Debezium's MBeans of the current stream are registered; null without a stream
 */
public record SourceFigures(
        Optional<Duration> heartbeatRoundTrip,
        Optional<Duration> heartbeatAge,
        Optional<Instant> oldestCommit,
        String engine) {
    static final SourceFigures NONE = new SourceFigures(Optional.empty(), Optional.empty(), Optional.empty(), null);
}
