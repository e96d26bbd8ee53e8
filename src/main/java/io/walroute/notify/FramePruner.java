package io.walroute.notify;

import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps the frame log as short as its settings say. */
final class FramePruner {
    private static final Logger LOG = LoggerFactory.getLogger(FramePruner.class);
    private static final long EVERY_MS = 10_000;

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "notify-pruner");
        thread.setDaemon(true);
        return thread;
    });

    void start(FrameLog log, Duration keep, long maxFrames) {
        long everyMs = Math.min(EVERY_MS, Math.max(100, keep.toMillis() / 4));
        timer.scheduleWithFixedDelay(() -> prune(log, keep, maxFrames), everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    private void prune(FrameLog log, Duration keep, long maxFrames) {
        try {
            long pruned = log.prune(Instant.now(), keep, maxFrames);
            LOG.debug("{} frames pruned", pruned);
        } catch (SQLException | RuntimeException e) {
            if (!timer.isShutdown()) {
                LOG.warn("The frame log can't be pruned now, and grows: {}", e.getMessage());
            }
        }
    }

    void stop() {
        timer.shutdownNow();
    }
}
