package io.walroute.logging;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.LayoutBase;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.Set;

/** One JSON object a line: timestamp, level, logger, thread, message, each value of the MDC by its name, error with its trace. */
final class JsonLayout extends LayoutBase<ILoggingEvent> {
    private static final JsonFactory FACTORY = new JsonFactory();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final Set<String> OWN =
            Set.of("timestamp", "level", "logger", "thread", "message", "error", "stack");

    @Override
    public String doLayout(ILoggingEvent event) {
        var line = new StringWriter(256);
        try (JsonGenerator out = FACTORY.createGenerator(line)) {
            out.writeStartObject();
            out.writeStringField("timestamp", TIME.format(Instant.ofEpochMilli(event.getTimeStamp())));
            out.writeStringField("level", event.getLevel().toString());
            out.writeStringField("logger", event.getLoggerName());
            out.writeStringField("thread", event.getThreadName());
            out.writeStringField("message", event.getFormattedMessage());
            for (Map.Entry<String, String> each : event.getMDCPropertyMap().entrySet()) {
                // A member may stand in an object only once.
                out.writeStringField(
                        OWN.contains(each.getKey()) ? "mdc." + each.getKey() : each.getKey(), each.getValue());
            }
            if (event.getThrowableProxy() != null) {
                out.writeStringField(
                        "error",
                        event.getThrowableProxy().getClassName() + ": "
                                + event.getThrowableProxy().getMessage());
                out.writeStringField("stack", ThrowableProxyUtil.asString(event.getThrowableProxy()));
            }
            out.writeEndObject();
        } catch (IOException impossible) {
            throw new IllegalStateException("writing to memory failed", impossible);
        }
        return line.append('\n').toString();
    }
}
