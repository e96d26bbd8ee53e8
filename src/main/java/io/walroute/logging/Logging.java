package io.walroute.logging;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.Layout;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import ch.qos.logback.core.spi.ContextAwareBase;
import io.walroute.settings.LogFormat;
import java.nio.charset.StandardCharsets;
import org.slf4j.LoggerFactory;

/**
 * Where log lines go and how they look: to stderr (stdout belongs to what commands print), walroute's own from INFO, everybody
 * else's from WARN.
 *
 * <p>Logback finds it as a service and calls it before the first line. Who wants it otherwise gives
 * {@code -Dlogback.configurationFile=FILE}; then nothing here has any effect.
 */
public final class Logging extends ContextAwareBase implements Configurator {
    private static final String OWN_FILE = "logback.configurationFile";

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        if (System.getProperty(OWN_FILE) != null) {
            return ExecutionStatus.INVOKE_NEXT_IF_ANY;
        }
        boolean json = "json".equalsIgnoreCase(System.getenv("WALROUTE_LOG_FORMAT"));
        configure(context, json ? LogFormat.JSON : LogFormat.TEXT, false);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /** @param verbose stack traces, walroute's DEBUG lines and other libraries' INFO lines */
    public static void configure(LogFormat format, boolean verbose) {
        if (System.getProperty(OWN_FILE) == null
                && LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
            configure(context, format, verbose);
        }
    }

    private static void configure(LoggerContext context, LogFormat format, boolean verbose) {
        context.reset();
        Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.setLevel(verbose ? Level.INFO : Level.WARN);
        context.getLogger("io.walroute").setLevel(verbose ? Level.DEBUG : Level.INFO);
        // In dev: which routes were loaded anew.
        context.getLogger("org.apache.camel.support.RouteWatcherReloadStrategy").setLevel(Level.INFO);
        if (!verbose) {
            // They print their whole configuration, and warn about keys that are Debezium's.
            context.getLogger("org.apache.kafka").setLevel(Level.ERROR);
            context.getLogger("io.debezium.embedded").setLevel(Level.ERROR);
        }
        root.addAppender(appender(context, format, verbose));
    }

    private static ConsoleAppender<ILoggingEvent> appender(LoggerContext context, LogFormat format, boolean verbose) {
        Layout<ILoggingEvent> layout =
                format == LogFormat.JSON ? new JsonLayout() : new TerminalLayout(Terminal.hasColours(), verbose);
        layout.setContext(context);
        layout.start();
        var encoder = new LayoutWrappingEncoder<ILoggingEvent>();
        encoder.setContext(context);
        encoder.setCharset(StandardCharsets.UTF_8);
        encoder.setLayout(layout);
        encoder.start();
        var appender = new ConsoleAppender<ILoggingEvent>();
        appender.setContext(context);
        appender.setName("stderr");
        appender.setTarget("System.err");
        appender.setEncoder(encoder);
        appender.start();
        return appender;
    }
}
