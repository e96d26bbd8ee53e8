package io.walroute.deadletter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.AttemptDetails;
import io.walroute.change.ChangeProperties;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.camel.Exchange;

/**
 * The attempts of one delivery as text, a JSON object a line, the last ones of many: when each ended, and what the other side
 * answered or what went wrong. Text, because the database appends to it without reading it.
 */
final class AttemptLog {
    /** More is cut off at the beginning; some ten to fifty attempts. */
    static final int MOST_CHARACTERS = 8000;

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PROPERTY = "walrouteAttempts:";

    private static final String NOT_SHOWN = "not shown, it may hold hidden columns";

    private AttemptLog() {}

    /**
     * Notes on the exchange how an attempt ended that will be repeated.
     *
     * @param hide as {@link Failure#hiding} gives it
     */
    static void note(Exchange exchange, Throwable caught, UnaryOperator<String> hide) {
        exchange.setProperty(property(exchange), with(exchange, caught, hide));
    }

    /** What was noted, and how the last attempt ended. */
    static String with(Exchange exchange, Throwable caught, UnaryOperator<String> hide) {
        return last(noted(exchange) + line(caught, hide));
    }

    /** What was noted, when the last one was no attempt. */
    static String noted(Exchange exchange) {
        return exchange.getProperty(property(exchange), "", String.class);
    }

    /** Each lane's own: a route may hand the exchange, and what is noted on it, to the next lane. */
    private static String property(Exchange exchange) {
        return PROPERTY + exchange.getProperty(ChangeProperties.LANE, "", String.class);
    }

    private static String line(Throwable caught, UnaryOperator<String> hide) {
        var line = JSON.createObjectNode();
        AttemptDetails details = details(caught);
        Instant at = details == null ? Instant.now() : details.getAt();
        line.put("at", at.truncatedTo(ChronoUnit.MILLIS).toString());
        if (details != null && details.getStatus() > 0) {
            line.put("status", details.getStatus());
            line.put("answer", Failure.shown(details.getAnswer(), hide, NOT_SHOWN));
        } else {
            line.put("cause", Failure.cause(caught, hide));
        }
        return line + "\n";
    }

    private static AttemptDetails details(Throwable caught) {
        for (Throwable each = caught; each != null; each = each.getCause()) {
            if (each instanceof AttemptDetails details) {
                return details;
            }
        }
        return null;
    }

    private static String last(String text) {
        return text.length() <= MOST_CHARACTERS ? text : text.substring(text.length() - MOST_CHARACTERS);
    }

    /** The oldest first. A first line that was cut is left out. */
    static List<JsonNode> read(String text) {
        List<JsonNode> attempts = new ArrayList<>();
        for (String line : text.split("\n")) {
            try {
                JsonNode attempt = JSON.readTree(line);
                if (attempt.isObject()) {
                    attempts.add(attempt);
                }
            } catch (JsonProcessingException cut) {
                // Only the first can be.
            }
        }
        return attempts;
    }
}
