package io.walroute.change;

import java.time.Duration;
import java.util.stream.LongStream;

/** The bounds that all latency histograms share, so that they can be compared; few, since each costs memory per series. */
public final class LatencyBuckets {
    private static final Duration[] BOUNDS = LongStream.of(
                    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
            .mapToObj(Duration::ofMillis)
            .toArray(Duration[]::new);

    private LatencyBuckets() {}

    public static Duration[] bounds() {
        return BOUNDS.clone();
    }
}
