package io.walroute.deadletter;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.NotAttempted;
import io.walroute.change.Redacted;
import io.walroute.change.Redactions;
import io.walroute.change.ShowsNoValues;
import java.sql.SQLException;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.camel.Exchange;
import org.apache.camel.util.URISupport;

/**
 * What an exchange that comes to the dead letters tells of its delivery.
 *
 * @param attempts how often it was tried on this pass; 0 if it was parked without an attempt
 * @param cause one line, without secrets
 * @param route null if it was parked without an attempt
 * @param endpoint null as for the route
 * @param attemptLog as {@link AttemptLog} writes it; empty if it was parked without an attempt
 */
record Failure(int attempts, String cause, String route, String endpoint, String attemptLog) {
    private static final int LONGEST_CAUSE = 500;
    private static final Pattern LOGIN_IN_URL = Pattern.compile("(?<=//)[^/@\\s]*@");
    private static final Pattern SECRET = Pattern.compile(
            "(?i)((?:password|passwd|secret|token|api[-_]?key|authorization)[\"']?\\s*[=:]\\s*)(?:Bearer\\s+)?[^\\s,;&\"')]+");

    /** Without a record of the attempts. */
    Failure(int attempts, String cause, String route, String endpoint) {
        this(attempts, cause, route, endpoint, "");
    }

    /** @param hide takes out of a message what must not stand in a dead letter */
    static Failure of(Exchange exchange, UnaryOperator<String> hide) {
        String reason = exchange.getProperty(ChangeProperties.PARK_REASON, String.class);
        Throwable caught = exchange.getProperty(Exchange.EXCEPTION_CAUGHT, Throwable.class);
        if (reason != null || caught == null) {
            return new Failure(0, oneLine(reason == null ? "sent here by its route" : reason), null, null);
        }
        int redeliveries = AttemptCounter.redeliveries(exchange);
        boolean tried = !isNotAttempted(caught);
        String endpoint = exchange.getProperty(Exchange.FAILURE_ENDPOINT, String.class);
        return new Failure(
                redeliveries + (tried ? 1 : 0),
                cause(caught, hide),
                exchange.getProperty(Exchange.FAILURE_ROUTE_ID, String.class),
                endpoint == null ? null : URISupport.sanitizeUri(endpoint),
                tried ? AttemptLog.with(exchange, caught, hide) : AttemptLog.noted(exchange));
    }

    private static boolean isNotAttempted(Throwable caught) {
        for (Throwable each = caught; each != null; each = each.getCause()) {
            if (each instanceof NotAttempted) {
                return true;
            }
        }
        return false;
    }

    /** Our own exceptions tell it in one line; of others the root says most. */
    static String cause(Throwable caught) {
        return cause(caught, UnaryOperator.identity());
    }

    static String cause(Throwable caught, UnaryOperator<String> hide) {
        Throwable root = telling(caught);
        String message = root.getMessage();
        if (root instanceof ShowsNoValues) {
            return oneLine(message);
        }
        return message == null || message.isBlank() ? nameOf(root) : shown(message, hide, nameOf(root));
    }

    /** Before a message is cut, what is hidden of it goes: else a part could stay. */
    static String shown(String message, UnaryOperator<String> hide, String instead) {
        String rest = hide.apply(message);
        return rest == null ? instead : oneLine(rest);
    }

    private static String nameOf(Throwable root) {
        return root.getClass().getSimpleName()
                + (root instanceof SQLException of && of.getSQLState() != null ? " " + of.getSQLState() : "");
    }

    /**
     * What takes out of a message what must not stand in a dead letter. It gives null where nothing of it may be shown: the
     * route worked with all columns, and a message may hold any part of a hidden one.
     *
     * @param redactions null if nothing is hidden
     */
    static UnaryOperator<String> hiding(Exchange exchange, Redactions redactions, String sink, ChangeEvent event) {
        if (exchange.getProperty(ChangeProperties.REDACTED) instanceof Redacted redacted) {
            return redacted::hide;
        }
        return redactions == null || redactions.of(sink, event.schema(), event.table()) == null
                ? UnaryOperator.identity()
                : message -> null;
    }

    private static Throwable telling(Throwable caught) {
        Throwable root = caught;
        while (root.getCause() != null && !root.getClass().getName().startsWith("io.walroute.")) {
            root = root.getCause();
        }
        return root;
    }

    /** The exception's name; {@link FailureCounts#NOT_TRIED} for what is parked without an attempt. */
    static String kind(Exchange exchange) {
        Throwable caught = exchange.getProperty(Exchange.EXCEPTION_CAUGHT, Throwable.class);
        return caught == null || exchange.getProperty(ChangeProperties.PARK_REASON) != null
                ? FailureCounts.NOT_TRIED
                : telling(caught).getClass().getSimpleName();
    }

    static String oneLine(String text) {
        String line = text.strip().replaceAll("[\\s\\p{Cntrl}]+", " ");
        line = LOGIN_IN_URL.matcher(line).replaceAll("***@");
        line = SECRET.matcher(line).replaceAll("$1***");
        return line.length() <= LONGEST_CAUSE ? line : line.substring(0, LONGEST_CAUSE - 1) + "…";
    }
}
