package io.walroute.change;

import org.slf4j.MDC;

/**
 * What every warning about a change carries, as the logging context (MDC) of the current thread: {@code table}, {@code keyHash}
 * (never the key itself, which may be somebody's address), {@code eventId}, {@code lsn} and {@code route}.
 *
 * <pre>{@code try (var context = ChangeContext.of(event, route)) { LOG.warn(…); }}</pre>
 */
public final class ChangeContext implements AutoCloseable {
    private static final String[] NAMES = {"table", "keyHash", "eventId", "lsn", "route"};

    private ChangeContext() {}

    /** @param route the route's or lane's name; null if none is known */
    public static ChangeContext of(ChangeEvent event, String route) {
        MDC.put("table", event.qualifiedTable());
        MDC.put("keyHash", keyHash(event.keyText()));
        MDC.put("eventId", event.id());
        MDC.put("lsn", event.lsnText());
        MDC.put("route", route);
        return new ChangeContext();
    }

    /** @param keyText as {@link ChangeEvent#keyText()}; null where there is no key */
    public static String keyHash(String keyText) {
        return keyText == null ? "none" : Integer.toHexString(keyText.hashCode());
    }

    @Override
    public void close() {
        for (String name : NAMES) {
            MDC.remove(name);
        }
    }
}
