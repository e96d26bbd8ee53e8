package io.walroute.demo;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes what was opened, last first and once: by {@link #close()}, or when the JVM is told to stop (Ctrl-C, SIGTERM).
 *
 * <p>Several shutdown hooks would run at the same time; this is one hook, so that the service drains before its servers go.
 * What is added while the teardown runs is closed at once. May be used from any thread; a second close waits for the first.
 */
public final class Teardown implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Teardown.class);

    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final Object closingLock = new Object();
    private final Thread hook = new Thread(this::closeAll, "teardown");
    private boolean closing;

    public Teardown() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    public <T extends AutoCloseable> T add(T resource) {
        synchronized (open) {
            if (!closing) {
                open.push(resource);
                return resource;
            }
        }
        closeOne(resource);
        throw new IllegalStateException("stopped while starting");
    }

    public boolean isClosing() {
        synchronized (open) {
            return closing;
        }
    }

    @Override
    public void close() {
        closeAll();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            // The hook itself runs, or has run: nothing is left for it to do.
        }
    }

    private void closeAll() {
        synchronized (closingLock) {
            for (AutoCloseable next = next(); next != null; next = next()) {
                closeOne(next);
            }
        }
    }

    private AutoCloseable next() {
        synchronized (open) {
            closing = true;
            return open.poll();
        }
    }

    private static void closeOne(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            LOG.warn("{} did not close cleanly: {}", resource.getClass().getSimpleName(), e.getMessage(), e);
        }
    }
}
