package io.walroute.hook;

import io.netty.channel.ConnectTimeoutException;
import io.vertx.core.http.HttpClosedException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** Turns what went wrong into one line that an operator can act on, without a secret in it. */
final class Failures {
    /** What Netty puts behind the cause: who was called is said before it. */
    private static final Pattern NETTYS_ADDRESS = Pattern.compile(": [^ /]*/[^ ]+:\\d+$");

    private static final int MAX_TEXT = 500;
    private static final int SHORTEST_TOKEN = 6;
    private static final int SHORTEST_TOKEN_IN_PATH = 16;
    // A receiver that asks for more asks for a human.
    private static final Duration MAX_RETRY_AFTER = Duration.ofHours(24);

    /** RFC 9110's three: the one to send, and two that are to be understood. */
    private static final List<DateTimeFormatter> HTTP_DATES = List.of(
            DateTimeFormatter.RFC_1123_DATE_TIME,
            new DateTimeFormatterBuilder()
                    .appendPattern("EEEE, dd-MMM-")
                    .appendValueReduced(ChronoField.YEAR, 2, 2, 2000)
                    .appendPattern(" HH:mm:ss 'GMT'")
                    .toFormatter(Locale.US),
            DateTimeFormatter.ofPattern("EEE MMM ppd HH:mm:ss uuuu", Locale.US));

    private final HookSettings settings;
    private final List<String> secrets = new ArrayList<>();

    Failures(HookSettings settings) {
        this.settings = settings;
        // A receiver may echo the request; what it echoes ends in logs and dead letters.
        secrets.addAll(settings.secrets());
        settings.headers().values().stream().filter(value -> !value.isBlank()).forEach(secrets::add);
        secretsOf(settings.url());
    }

    /** A URL may carry a token in its query or, as a segment too long for a name, in its path. */
    private void secretsOf(URI url) {
        String query = url.getRawQuery();
        if (query != null && !query.isEmpty()) {
            secrets.add(query);
            for (String pair : query.split("&")) {
                String value = pair.substring(pair.indexOf('=') + 1);
                if (value.length() >= SHORTEST_TOKEN) {
                    secrets.add(value);
                    secrets.add(URLDecoder.decode(value, StandardCharsets.UTF_8));
                }
            }
        }
        for (String segment : String.valueOf(url.getRawPath()).split("/")) {
            if (segment.length() >= SHORTEST_TOKEN_IN_PATH) {
                secrets.add(segment);
            }
        }
    }

    /** @param changes how many were in the request */
    HookException of(Answer answer, int changes, Instant now) {
        String text = printable(new String(answer.body(), StandardCharsets.UTF_8));
        var message = new StringBuilder("answered ").append(answer.status());
        if (answer.status() >= 300 && answer.status() < 400) {
            message.append(", a redirect, which is not followed. Set walroute.hook." + settings.name()
                    + ".url to the final URL");
        }
        if (changes > 1) {
            message.append(" to ").append(changes).append(" changes at once");
        }
        if (!text.isEmpty()) {
            message.append(": ").append(text);
        }
        return new HookException(
                settings.name(),
                message.toString(),
                answer.status(),
                retryAfter(answer.retryAfter(), now),
                text,
                changes,
                null);
    }

    HookException of(Throwable cause) {
        return new HookException(settings.name(), reason(cause), cause);
    }

    private String reason(Throwable cause) {
        String where = settings.host() + ":" + settings.port();
        if (cause instanceof TimeoutException || cause instanceof ConnectTimeoutException) {
            return "timed out: no answer from " + where + " within "
                    + settings.timeout().toMillis() + " ms";
        }
        if (cause instanceof HookTransport.RefusedAddressException) {
            return "was not sent: " + settings.host() + " is refused: " + cause.getMessage()
                    + ". If you mean it, name its network in walroute.hook." + settings.name() + ".allow-networks";
        }
        if (cause instanceof UnknownHostException) {
            return "was not sent: the host " + settings.host() + " is unknown";
        }
        if (cause instanceof ConnectException) {
            String why = printable(String.valueOf(cause.getMessage()));
            return "could not connect to " + where + ": "
                    + NETTYS_ADDRESS.matcher(why).replaceFirst("");
        }
        if (cause instanceof HttpClosedException) {
            return "got no answer: " + where + " closed the connection";
        }
        if (cause instanceof SSLException) {
            return "could not agree on TLS with " + where + ": "
                    + printable(String.valueOf(root(cause).getMessage()));
        }
        return "got no answer from " + where + ": " + printable(String.valueOf(cause));
    }

    /** What TLS stumbled over stands at the bottom of several wrappings. */
    private static Throwable root(Throwable cause) {
        Throwable root = cause;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return root;
    }

    /** One line of printable characters. */
    private String printable(String text) {
        for (String secret : secrets) {
            text = text.replace(secret, "***");
        }
        String line = text.replaceAll("[\\p{Cntrl}\\p{Cf}\\p{Z}\uFFFD]+", " ").strip();
        if (line.length() <= MAX_TEXT) {
            return line;
        }
        int end = Character.isHighSurrogate(line.charAt(MAX_TEXT - 2)) ? MAX_TEXT - 2 : MAX_TEXT - 1;
        return line.substring(0, end) + "…";
    }

    /** Seconds or a date; null if it is neither. */
    static Duration retryAfter(String header, Instant now) {
        if (header == null) {
            return null;
        }
        String text = header.strip();
        if (text.matches("\\d{1,9}")) {
            return bounded(Duration.ofSeconds(Long.parseLong(text)));
        }
        for (DateTimeFormatter format : HTTP_DATES) {
            try {
                var date = LocalDateTime.parse(text, format);
                return bounded(Duration.between(now, date.toInstant(ZoneOffset.UTC)));
            } catch (DateTimeException other) {
                // Not of this form.
            }
        }
        // A receiver's mistake: as if it had asked for nothing.
        return null;
    }

    private static Duration bounded(Duration asked) {
        if (asked.isNegative()) {
            return Duration.ZERO;
        }
        return asked.compareTo(MAX_RETRY_AFTER) > 0 ? MAX_RETRY_AFTER : asked;
    }
}
