package io.walroute.logging;

import java.time.Duration;
import java.util.Locale;

/** Sizes and times for people. */
public final class Figures {
    private static final String[] UNITS = {"kB", "MB", "GB", "TB", "PB", "EB"};

    private Figures() {}

    /** As PostgreSQL counts: 1 kB is 1024 bytes. */
    public static String bytes(Long bytes) {
        if (bytes == null) {
            return "an unknown amount";
        }
        if (Math.abs(bytes) < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = -1;
        while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, Math.abs(value) < 10 ? "%.1f %s" : "%.0f %s", value, UNITS[unit]);
    }

    public static String time(Duration time) {
        long seconds = time.toSeconds();
        if (seconds < 1) {
            return time.toMillis() + " ms";
        }
        if (seconds < 120) {
            return seconds + " s";
        }
        if (seconds < 7200) {
            return seconds / 60 + " min";
        }
        return seconds < 172_800 ? seconds / 3600 + " h" : seconds / 86_400 + " days";
    }
}
