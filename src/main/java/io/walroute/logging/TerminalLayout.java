package io.walroute.logging;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.LayoutBase;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;

/**
 * {@code 12:00:00.123 WARN  Lanes: message [lsn=0/17D5A48 table=listings]}: one line each, and of an exception only what went
 * wrong; its stack trace when verbose.
 */
final class TerminalLayout extends LayoutBase<ILoggingEvent> {
    // UTC, as everywhere else in the service.
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneOffset.UTC);
    private static final String RED = "\u001b[31m";
    private static final String YELLOW = "\u001b[33m";
    private static final String DIM = "\u001b[2m";
    private static final String PLAIN = "\u001b[0m";

    private final boolean colours;
    private final boolean verbose;

    TerminalLayout(boolean colours, boolean verbose) {
        this.colours = colours;
        this.verbose = verbose;
    }

    @Override
    public String doLayout(ILoggingEvent event) {
        var line = new StringBuilder(160);
        line.append(coloured(DIM, TIME.format(Instant.ofEpochMilli(event.getTimeStamp()))))
                .append(' ')
                .append(coloured(colour(event.getLevel()), String.format("%-5s", event.getLevel())))
                .append(' ')
                .append(coloured(DIM, shortName(event.getLoggerName()) + ":"))
                .append(' ')
                .append(event.getFormattedMessage());
        context(event.getMDCPropertyMap(), line);
        IThrowableProxy thrown = event.getThrowableProxy();
        if (thrown != null && !verbose) {
            line.append(" (").append(cause(thrown)).append(')');
        }
        line.append(System.lineSeparator());
        if (thrown != null && verbose) {
            line.append(ThrowableProxyUtil.asString(thrown)).append(System.lineSeparator());
        }
        return line.toString();
    }

    private void context(Map<String, String> values, StringBuilder line) {
        if (values.isEmpty()) {
            return;
        }
        var text = new StringBuilder(" [");
        new TreeMap<>(values)
                .forEach((key, value) -> text.append(text.length() > 2 ? " " : "")
                        .append(key)
                        .append('=')
                        .append(value));
        line.append(coloured(DIM, text.append(']').toString()));
    }

    /** The deepest cause says what happened; what wraps it, only where it passed through. */
    private static String cause(IThrowableProxy thrown) {
        IThrowableProxy deepest = thrown;
        // A chain may be a ring.
        for (int depth = 0; deepest.getCause() != null && depth < 50; depth++) {
            deepest = deepest.getCause();
        }
        String message = deepest.getMessage() == null ? "" : ": " + deepest.getMessage();
        return shortName(deepest.getClassName()) + message.strip().replaceAll("\\s*[\\r\\n]+\\s*", "; ");
    }

    private static String shortName(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    private static String colour(Level level) {
        return level.isGreaterOrEqual(Level.ERROR) ? RED : level.isGreaterOrEqual(Level.WARN) ? YELLOW : DIM;
    }

    private String coloured(String colour, String text) {
        return colours ? colour + text + PLAIN : text;
    }
}
