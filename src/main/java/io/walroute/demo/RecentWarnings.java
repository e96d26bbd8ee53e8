package io.walroute.demo;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.ConsoleAppender;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.slf4j.LoggerFactory;

/**
 * Counts the log's warnings and keeps the last few for the board. Where the board redraws itself, the log's lines are kept
 * off the terminal meanwhile: they would be painted over.
 */
final class RecentWarnings extends AppenderBase<ILoggingEvent> implements AutoCloseable {
    private static final int KEPT = 3;

    private final Logger root;
    private final List<Appender<ILoggingEvent>> detached = new ArrayList<>();
    private final Deque<String> last = new ArrayDeque<>();
    private long count;

    private RecentWarnings(Logger root) {
        this.root = root;
    }

    static RecentWarnings watch(boolean insteadOfConsole) {
        Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        var warnings = new RecentWarnings(root);
        warnings.setContext(root.getLoggerContext());
        warnings.start();
        if (insteadOfConsole) {
            root.iteratorForAppenders().forEachRemaining(appender -> {
                if (appender instanceof ConsoleAppender) {
                    warnings.detached.add(appender);
                }
            });
            warnings.detached.forEach(root::detachAppender);
        }
        root.addAppender(warnings);
        return warnings;
    }

    @Override
    protected synchronized void append(ILoggingEvent event) {
        if (!event.getLevel().isGreaterOrEqual(Level.WARN)) {
            return;
        }
        count++;
        String name = event.getLoggerName();
        last.add(name.substring(name.lastIndexOf('.') + 1) + ": " + event.getFormattedMessage());
        if (last.size() > KEPT) {
            last.remove();
        }
    }

    synchronized long count() {
        return count;
    }

    synchronized List<String> last() {
        return List.copyOf(last);
    }

    @Override
    public void close() {
        root.detachAppender(this);
        detached.forEach(root::addAppender);
    }
}
