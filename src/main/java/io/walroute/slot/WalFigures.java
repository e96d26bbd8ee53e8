package io.walroute.slot;

import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The WAL budget of a slot as one set of figures: the same for the command, the API and health. */
public final class WalFigures {
    /** Those that come of looking for a while, as opposed to once. */
    public static final List<String> MEASURED = List.of(
            "wal_bytes_per_second",
            "burn_bytes_per_second",
            "measured_seconds",
            "seconds_to_invalidation",
            "lag_seconds",
            "lag_is_at_least");

    private WalFigures() {}

    /** By the WAL's size, or because nobody reads the slot for too long; empty if it will not come to that. */
    public static Optional<Duration> untilInvalidation(WalBudget budget, SlotInfo slot, WalLimits limits, Instant now) {
        Optional<Duration> bySize = budget.untilInvalidation();
        if (slot.active() || limits.idleTimeout() == null || slot.inactiveSince() == null) {
            return bySize;
        }
        Duration idle = limits.idleTimeout().minus(Duration.between(slot.inactiveSince(), now));
        Duration left = idle.isNegative() ? Duration.ZERO : idle;
        return bySize.filter(size -> size.compareTo(left) < 0).or(() -> Optional.of(left));
    }

    /** Members in the order they are shown; null for what is not known. */
    public static Map<String, Object> of(WalBudget budget, SlotInfo slot, WalLimits limits, Instant now) {
        Optional<WalBudget.Rates> rates = budget.rates();
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("retained_bytes", slot.keptBytes());
        figures.put("safe_wal_bytes", slot.safeWalSize());
        figures.put("limit_bytes", limits.maxSlotWalKeepBytes());
        figures.put("idle_timeout_seconds", seconds(Optional.ofNullable(limits.idleTimeout())));
        figures.put(
                "wal_bytes_per_second",
                rates.map(each -> Math.round(each.walBytesPerSecond())).orElse(null));
        figures.put(
                "burn_bytes_per_second",
                rates.map(each -> Math.round(each.burnBytesPerSecond())).orElse(null));
        figures.put(
                "measured_seconds",
                rates.map(each -> each.measured().toMillis() / 1000.0).orElse(null));
        figures.put("seconds_to_invalidation", seconds(untilInvalidation(budget, slot, limits, now)));
        figures.put("lag_bytes", slot.lagBytes());
        Optional<WalBudget.Lag> lag = budget.lag();
        figures.put(
                "lag_seconds", lag.map(each -> each.age().toMillis() / 1000.0).orElse(null));
        figures.put("lag_is_at_least", lag.map(WalBudget.Lag::atLeast).orElse(null));
        return figures;
    }

    private static Long seconds(Optional<Duration> time) {
        return time.map(Duration::toSeconds).orElse(null);
    }
}
