package io.walroute.notify;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.walroute.change.ChangeJson;
import io.walroute.change.RawJson;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the server says, as JSON text. */
final class ServerMessage {
    private ServerMessage() {}

    /** An event frame as it is logged: without its position, which only the log can tell. */
    static String event(String topic, String eventJson, Map<?, ?> context) {
        String more = context == null || context.isEmpty() ? "" : ",\"context\":" + ChangeJson.writeRow(plain(context));
        // Not by a builder: this copies the event once.
        return "{\"type\":\"event\",\"topic\":" + quoted(topic) + ",\"event\":" + eventJson + more + "}";
    }

    /** A SQL lookup gives decimals and times too; as in an event, they go out as strings with every digit. */
    private static Map<String, Object> plain(Map<?, ?> context) {
        var plain = new LinkedHashMap<String, Object>();
        context.forEach((name, value) -> plain.put(String.valueOf(name), plain(value)));
        return plain;
    }

    private static Object plain(Object value) {
        if (value == null
                || value instanceof Long
                || value instanceof Integer
                || value instanceof Boolean
                || value instanceof RawJson) {
            return value;
        }
        return value instanceof BigDecimal number ? number.toPlainString() : value.toString();
    }

    static String subscribed(String id, long position) {
        return "{\"type\":\"subscribed\",\"id\":" + quoted(id) + ",\"position\":\"" + position + "\"}";
    }

    static String unsubscribed(String id) {
        return "{\"type\":\"unsubscribed\",\"id\":" + quoted(id) + "}";
    }

    /** @param expires null if never */
    static String authenticated(Instant expires) {
        return "{\"type\":\"authenticated\"" + (expires == null ? "" : ",\"expires\":" + quoted(expires.toString()))
                + "}";
    }

    static String pong(long position) {
        return "{\"type\":\"pong\",\"position\":\"" + position + "\"}";
    }

    static String gap(String topic, String reason) {
        return "{\"type\":\"gap\",\"topic\":" + quoted(topic) + ",\"reason\":" + quoted(reason) + "}";
    }

    /** @param id the subscription that it is about; null if it is about none */
    static String error(String message, String id) {
        String about = id == null ? "" : ",\"id\":" + quoted(id);
        return "{\"type\":\"error\",\"message\":" + quoted(message) + about + "}";
    }

    private static String quoted(String text) {
        return "\"" + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + "\"";
    }
}
