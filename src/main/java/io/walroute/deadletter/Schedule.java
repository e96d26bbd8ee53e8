package io.walroute.deadletter;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/**
 * How long a parked delivery waits for its next attempt, by how many redrives have failed already.
 *
 * @param waits none: it is dead at once
 * @param forEver whether the last wait repeats; else the delivery is dead after it
 */
record Schedule(List<Duration> waits, boolean forEver) {
    /** A sink that is back gets its deliveries within seconds; one that stays away costs one attempt in five seconds. */
    static final String DEFAULT = "5s,...";

    /** Nothing is sent again but by hand. */
    static final String NONE = "none";

    private static final Pattern WAIT = Pattern.compile("(\\d+)(ms|s|m|h|d)");
    private static final Duration SHORTEST_POLL = Duration.ofMillis(100);
    private static final double JITTER = 0.2;

    Schedule {
        waits = List.copyOf(waits);
    }

    /**
     * @param text waits separated by commas, as {@code 5s,5m,2h}; {@code ...} at the end repeats the last one for ever; or
     *     {@code none}
     * @throws IllegalArgumentException if it isn't that
     */
    static Schedule parse(String text) {
        if (text.strip().equals(NONE)) {
            return new Schedule(List.of(), false);
        }
        List<Duration> waits = new ArrayList<>();
        boolean forEver = false;
        for (String part : text.split(",", -1)) {
            if (forEver) {
                throw wrong(text);
            }
            if (part.strip().equals("...") && !waits.isEmpty()) {
                forEver = true;
            } else {
                waits.add(wait(part.strip(), text));
            }
        }
        return new Schedule(waits, forEver);
    }

    private static Duration wait(String part, String text) {
        var match = WAIT.matcher(part);
        if (!match.matches() || match.group(1).length() > 9) {
            throw wrong(text);
        }
        long number = Long.parseLong(match.group(1));
        return switch (match.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            default -> Duration.ofDays(number);
        };
    }

    private static IllegalArgumentException wrong(String text) {
        return new IllegalArgumentException("schedule=" + text
                + " is no list of waits. Write it as 5s,5m,2h, with ,... at the end to repeat the last for ever");
    }

    /** This schedule cut short, or its last wait repeated, so that there are so many redrives; 0 changes nothing. */
    Schedule withMost(int redrives) {
        if (redrives == 0 || waits.isEmpty()) {
            return this;
        }
        List<Duration> all = new ArrayList<>();
        for (int i = 0; i < redrives; i++) {
            all.add(waits.get(Math.min(i, waits.size() - 1)));
        }
        return new Schedule(all, false);
    }

    /** How often to look for what is due: not less often than the first wait is long. */
    Duration pollEvery(Duration most) {
        if (waits.isEmpty()) {
            return most;
        }
        Duration first = waits.get(0).compareTo(SHORTEST_POLL) < 0 ? SHORTEST_POLL : waits.get(0);
        return first.compareTo(most) < 0 ? first : most;
    }

    /** The wait before the next attempt, a fifth longer or shorter so that not all come at once; empty: it is dead. */
    Optional<Duration> after(int failedRedrives, RandomGenerator random) {
        if (failedRedrives >= waits.size() && !forEver) {
            return Optional.empty();
        }
        Duration wait = waits.get(Math.min(failedRedrives, waits.size() - 1));
        double factor = 1 - JITTER + 2 * JITTER * random.nextDouble();
        return Optional.of(Duration.ofMillis(Math.round(wait.toMillis() * factor)));
    }
}
