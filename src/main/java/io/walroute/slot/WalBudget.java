package io.walroute.slot;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;

/**
 * How fast a slot's room is used up, and when it will be: worked out of what the slot looked like from time to time.
 *
 * <p>A plain object. Thread-safe. Remembers the last minutes closely and the last day roughly.
 */
public final class WalBudget {
    private static final Duration CLOSELY = Duration.ofMinutes(10);
    private static final Duration ROUGHLY = Duration.ofMinutes(1);
    private static final Duration LONGEST = Duration.ofDays(1);
    // Over less than that, one burst would be a trend; the WAL's rate is that of the last minute.
    private static final Duration RATE = Duration.ofMinutes(1);
    // Of the WAL written meanwhile, this share may be on its way.
    private static final double FOLLOWS = 0.1;

    /**
     * The slot at one moment.
     *
     * @param walPosition where the WAL ended, as a number
     * @param confirmed null where there is none
     * @param keptBytes null where nothing is kept
     * @param safeBytes how much may still be written until the slot is in danger; null without limit
     */
    public record Sample(Instant at, long walPosition, Long confirmed, Long keptBytes, Long safeBytes) {
        public static Sample of(Instant at, SlotInfo slot, long walPosition) {
            return new Sample(
                    at,
                    walPosition,
                    slot.confirmedFlushLsn() == null
                            ? null
                            : slot.confirmedFlushLsn().value(),
                    slot.keptBytes(),
                    slot.safeWalSize());
        }
    }

    /**
     * @param walBytesPerSecond how fast WAL is written
     * @param burnBytesPerSecond how fast the WAL kept for the slot grows; 0 while it keeps up
     * @param measured over which time
     */
    public record Rates(double walBytesPerSecond, double burnBytesPerSecond, Duration measured) {}

    /** @param atLeast the WAL that is not confirmed was there already when the first sample was taken */
    public record Lag(Duration age, boolean atLeast) {}

    private final Deque<Sample> samples = new ArrayDeque<>();

    public synchronized void add(Sample sample) {
        Sample last = samples.peekLast();
        if (last != null && sample.walPosition() < last.walPosition()) {
            samples.clear(); // another server, or a restored one: nothing of before can be compared
        }
        samples.addLast(sample);
        thin(sample.at());
    }

    private void thin(Instant now) {
        Sample kept = null;
        for (Iterator<Sample> all = samples.iterator(); all.hasNext(); ) {
            Sample each = all.next();
            Duration age = Duration.between(each.at(), now);
            boolean tooOld = age.compareTo(LONGEST) > 0;
            boolean crowded = kept != null
                    && age.compareTo(CLOSELY) > 0
                    && Duration.between(kept.at(), each.at()).compareTo(ROUGHLY) < 0;
            if (tooOld || crowded) {
                all.remove();
            } else {
                kept = each;
            }
        }
    }

    synchronized int size() {
        return samples.size();
    }

    /** Empty until there are two samples to compare. */
    public synchronized Optional<Rates> rates() {
        Sample last = samples.peekLast();
        Sample first = last == null ? null : before(last.at().minus(RATE));
        if (first == null || !first.at().isBefore(last.at())) {
            return Optional.empty();
        }
        Duration time = Duration.between(first.at(), last.at());
        double seconds = time.toNanos() / 1e9;
        double wal = (last.walPosition() - first.walPosition()) / seconds;
        boolean compares = first.keptBytes() != null && last.keptBytes() != null;
        double burn = compares ? Math.max(0, last.keptBytes() - first.keptBytes()) / seconds : 0;
        return Optional.of(new Rates(wal, burn, time));
    }

    /** The newest sample that is as old as that, or else the oldest. */
    private Sample before(Instant time) {
        Sample found = samples.peekFirst();
        for (Sample each : samples) {
            if (each.at().isAfter(time)) {
                break;
            }
            found = each;
        }
        return found;
    }

    /**
     * After which time the slot will be in danger at the present rate; empty if it won't since it keeps up, or if nothing is
     * known yet.
     */
    public synchronized Optional<Duration> untilInvalidation() {
        Sample last = samples.peekLast();
        if (last == null || last.safeBytes() == null) {
            return Optional.empty();
        }
        if (last.safeBytes() <= 0) {
            return Optional.of(Duration.ZERO);
        }
        if (keepsUp(before(last.at().minus(RATE)), last)) {
            return Optional.empty();
        }
        return rates().map(Rates::burnBytesPerSecond)
                .filter(burn -> burn > 0)
                .map(burn -> Duration.ofSeconds((long) Math.min(last.safeBytes() / burn, 1e12)));
    }

    /**
     * Whether the confirmed position follows the WAL's end: what is kept beyond it grows until the server lets go of it, all at
     * once, several times a minute. If it hasn't for a minute, something holds it: then what is kept does grow. And where less
     * than half of the room is left, even a swing may reach the end.
     */
    private static boolean keepsUp(Sample first, Sample last) {
        if (first.confirmed() == null
                || last.confirmed() == null
                || first.keptBytes() == null
                || last.keptBytes() == null) {
            return false;
        }
        long written = last.walPosition() - first.walPosition();
        long behindBefore = first.walPosition() - first.confirmed();
        long behind = last.walPosition() - last.confirmed();
        boolean letGo = last.walPosition() - last.keptBytes() > first.walPosition() - first.keptBytes();
        boolean mayYet = Duration.between(first.at(), last.at()).compareTo(RATE) < 0;
        boolean plenty = last.safeBytes() >= last.keptBytes();
        return behind <= Math.max(behindBefore, (long) (written * FOLLOWS)) && (letGo || mayYet) && plenty;
    }

    /** How old the oldest WAL is that isn't confirmed; empty if the slot has confirmed nothing yet. */
    public synchronized Optional<Lag> lag() {
        Sample last = samples.peekLast();
        if (last == null || last.confirmed() == null) {
            return Optional.empty();
        }
        if (last.confirmed() >= last.walPosition()) {
            return Optional.of(new Lag(Duration.ZERO, false));
        }
        Sample older = null;
        for (Sample each : samples) {
            if (each.walPosition() > last.confirmed()) {
                boolean first = older == null;
                Instant since = first ? each.at() : between(older, each, last.confirmed());
                return Optional.of(new Lag(Duration.between(since, last.at()), first));
            }
            older = each;
        }
        return Optional.empty();
    }

    /** When the WAL passed that position, as if it had been written evenly in between. */
    private static Instant between(Sample older, Sample newer, long position) {
        double share = (double) (position - older.walPosition()) / (newer.walPosition() - older.walPosition());
        long nanos = Duration.between(older.at(), newer.at()).toNanos();
        return older.at().plusNanos((long) (share * nanos));
    }
}
