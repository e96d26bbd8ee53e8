package io.walroute.lanes;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How much a lane holds and does at once.
 *
 * @param size deliveries held, those under way included
 * @param maxBytes estimated bytes of the changes held; a single larger change still passes, alone
 * @param parkUri where deliveries are parked, or null: then a full lane lets its senders wait however long
 * @param parkAfter how long a full lane may complete nothing before it parks instead of letting senders wait
 * @param parkBehind whether deliveries of a key with parked ones are parked too
 * @param ordered whether changes of a key wait for each other; else all run as they come
 * @param threads how many threads start deliveries: more than one only for routes that block
 * @param maxInFlight deliveries under way at once
 */
public record LaneSettings(
        int size,
        long maxBytes,
        WhenFull whenFull,
        String parkUri,
        Duration parkAfter,
        boolean parkBehind,
        boolean ordered,
        int threads,
        int maxInFlight) {
    public static final LaneSettings DEFAULT =
            new LaneSettings(10_000, 64L << 20, WhenFull.WAIT, null, Duration.ofSeconds(1), false, true, 1, 1000);

    public LaneSettings {
        List<String> wrong = new ArrayList<>();
        atLeastOne(wrong, "size", size);
        atLeastOne(wrong, "maxBytes", maxBytes);
        atLeastOne(wrong, "parkAfter", parkAfter.toMillis());
        atLeastOne(wrong, "threads", threads);
        atLeastOne(wrong, "maxInFlight", maxInFlight);
        if (parkUri == null && whenFull == WhenFull.PARK) {
            wrong.add("whenFull=park needs parkUri, as in parkUri=dead-letter:NAME");
        }
        if (parkUri == null && parkBehind) {
            wrong.add("parkBehind=true needs parkUri, as in parkUri=dead-letter:NAME");
        }
        if (!ordered && parkBehind) {
            wrong.add("parkBehind=true needs ordered=true: nothing waits behind another");
        }
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException(String.join("; ", wrong));
        }
    }

    private static void atLeastOne(List<String> wrong, String option, long value) {
        if (value < 1) {
            wrong.add(option + "=" + value + " must be at least 1");
        }
    }
}
