package io.walroute.service;

import io.walroute.admin.Health;
import io.walroute.logging.Figures;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.ServerInfo;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.WalBudget;
import io.walroute.slot.WalFigures;
import io.walroute.slot.WalLimits;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks every few seconds at how much WAL the slot may still hold up, and warns before PostgreSQL takes it away.
 *
 * <p>Looks from a thread of its own, on a connection of its own; what it saw last is asked from any thread.
 */
final class WalWatch implements AutoCloseable {
    /** What was seen last; all of it null before, and while the server doesn't answer. */
    private record Seen(
            Instant at,
            SlotInfo slot,
            WalLimits limits,
            Optional<Duration> left,
            boolean bySize,
            Map<String, Object> figures) {
        static final Seen NOTHING = new Seen(null, null, null, Optional.empty(), false, Map.of());
    }

    private static final Logger LOG = LoggerFactory.getLogger(WalWatch.class);
    private static final String NAME = "wal-budget";
    private static final Duration LOOK = Duration.ofSeconds(2);
    /** A warning that stands is said again after that, with the figures of then. */
    private static final Duration REMIND = Duration.ofMinutes(1);
    /** Whatever the rate: with less than that share of max_slot_wal_keep_size left, a burst is enough. */
    private static final double SMALLEST_SHARE = 0.1;

    private static final double SWING = 0.5;
    private static final Duration RECONNECTION = Duration.ofSeconds(10);

    private final ReplicationTarget target;
    private final Duration warnBefore;
    private final BiConsumer<Instant, SlotInfo> alsoFor;
    private final WalBudget budget = new WalBudget();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "wal-watch");
        thread.setDaemon(true);
        return thread;
    });
    private volatile Seen seen = Seen.NOTHING;

    // The watching thread's own.
    private final OwnConnection connection;
    private Instant warnedAt;

    /** @param alsoFor gets each look's time and slot (null if there is none), on the watching thread */
    WalWatch(ReplicationTarget target, Duration warnBefore, BiConsumer<Instant, SlotInfo> alsoFor) {
        this.target = target;
        this.warnBefore = warnBefore;
        this.alsoFor = alsoFor;
        connection = new OwnConnection(target);
    }

    void start() {
        timer.scheduleWithFixedDelay(this::look, 0, LOOK.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void look() {
        try {
            Optional<SlotInfo> slot = SlotInfo.read(connection.get(), target.slot());
            long position = ServerInfo.read(connection.get()).walPosition().value();
            Instant now = Instant.now();
            slot.ifPresent(found -> budget.add(WalBudget.Sample.of(now, found, position)));
            seen = seen(now, slot.orElse(null), WalLimits.read(connection.get()));
            alsoFor.accept(now, seen.slot());
            warn(now);
        } catch (SlotException | SQLException | RuntimeException e) {
            // That the server doesn't answer, the source tells.
            LOG.debug("The slot's WAL can't be looked at", e);
            seen = Seen.NOTHING;
            connection.drop();
        }
    }

    /** All of one moment: whoever asks meanwhile must not see half of the next. */
    private Seen seen(Instant at, SlotInfo slot, WalLimits limits) {
        if (slot == null) {
            return new Seen(at, null, limits, Optional.empty(), false, Map.of());
        }
        Optional<Duration> left = WalFigures.untilInvalidation(budget, slot, limits, at);
        boolean bySize = left.equals(budget.untilInvalidation());
        return new Seen(at, slot, limits, left, bySize, WalFigures.of(budget, slot, limits, at));
    }

    private void warn(Instant now) {
        Health.Check check = health();
        if (check.status() == Health.Status.UP) {
            if (warnedAt != null) {
                LOG.info("{}", check.message());
            }
            warnedAt = null;
        } else if (warnedAt == null || Duration.between(warnedAt, now).compareTo(REMIND) >= 0) {
            LOG.warn("{}", check.message());
            warnedAt = now;
        }
    }

    /** DEGRADED while changes are still kept and may soon not be, DOWN once they are not. */
    Health.Check health() {
        Seen now = seen;
        if (now.at() == null) {
            return Health.Check.up(NAME, "not known at present: the database is not answering", Map.of());
        }
        SlotInfo slot = now.slot();
        if (slot == null) {
            return check(
                    Health.Status.DOWN,
                    "there is no replication slot " + target.slot() + ", so no WAL is kept. See: walroute status",
                    Map.of());
        }
        if (slot.isInvalidated()) {
            return check(
                    Health.Status.DOWN,
                    "the replication slot " + slot.name() + " is invalidated: changes after " + slot.confirmedFlushLsn()
                            + " are gone from PostgreSQL. See: walroute status",
                    details(now));
        }
        return danger(now)
                .map(line -> check(Health.Status.DEGRADED, line, details(now)))
                .orElseGet(() -> Health.Check.up(NAME, room(now), details(now)));
    }

    private static Health.Check check(Health.Status status, String message, Map<String, Object> details) {
        return new Health.Check(NAME, status, message, "walroute status", details);
    }

    private Optional<String> danger(Seen now) {
        Long safe = now.slot().safeWalSize();
        Optional<Duration> left = now.left();
        Long limit = now.limits().maxSlotWalKeepBytes();
        // A slot that keeps up swings: what it keeps grows until the server lets go of it all at once.
        boolean swings = now.bySize() && leaves(safe, limit, SWING) && !isLeftAlone(now);
        boolean soon = left.isPresent() && !swings && left.get().compareTo(warnBefore) < 0;
        boolean little = safe != null && limit != null && !leaves(safe, limit, SMALLEST_SHARE);
        // 'unreserved': the next checkpoint takes it away, unless it moves on before.
        boolean unreserved = "unreserved".equals(now.slot().walStatus());
        if (!soon && !little && !unreserved) {
            return Optional.empty();
        }
        return Optional.of(
                "PostgreSQL will invalidate the replication slot " + now.slot().name()
                        + left.filter(time -> !unreserved)
                                .map(time -> " in " + Figures.time(time) + " at the present rate")
                                .orElse(unreserved ? " at its next checkpoint" : " when its room is used up")
                        + ": it keeps " + Figures.bytes(now.slot().keptBytes()) + " of WAL"
                        + (safe == null ? "" : ", " + Figures.bytes(Math.max(0, safe)) + " more are safe")
                        + (limit == null ? "" : " (max_slot_wal_keep_size " + Figures.bytes(limit) + ")")
                        + ". Let the service catch up (walroute status shows what holds it), or raise max_slot_wal_keep_size");
    }

    /** Nobody reads it, as behind a paused source: then nothing is let go of. A reconnection takes less. */
    private static boolean isLeftAlone(Seen now) {
        Instant since = now.slot().inactiveSince();
        return !now.slot().active()
                && since != null
                && Duration.between(since, now.at()).compareTo(RECONNECTION) > 0;
    }

    private static boolean leaves(Long safe, Long limit, double share) {
        return safe != null && limit != null && safe >= limit * share;
    }

    private String room(Seen now) {
        Long safe = now.slot().safeWalSize();
        return "the slot keeps " + Figures.bytes(now.slot().keptBytes()) + " of WAL, "
                + (safe == null ? "without a limit" : Figures.bytes(safe) + " more are safe");
    }

    private Map<String, Object> details(Seen now) {
        Map<String, Object> details = new LinkedHashMap<>(now.figures());
        details.put("wal_status", now.slot().walStatus());
        details.values().removeIf(java.util.Objects::isNull);
        return details;
    }

    /** For {@code status}; empty while nothing is known. */
    Map<String, Object> figures() {
        return seen.figures();
    }

    @Override
    public void close() {
        connection.closeAfter(timer);
    }
}
