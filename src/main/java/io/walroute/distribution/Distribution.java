package io.walroute.distribution;

import io.walroute.change.ChangeEvent;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/**
 * The bean {@code distribution} of routes/distribute.camel.yaml and its neighbours: says which sink takes a change, and in
 * which form. Immutable; called from any thread.
 */
public final class Distribution {
    public static final String PG_NOTIFY = "pg-notify";
    public static final String REDIS_STREAM = "redis-stream";
    public static final String REDIS_PUBSUB = "redis-pubsub";
    public static final String RABBITMQ = "rabbitmq";

    private final Map<String, Predicate<ChangeEvent>> wanted;

    /** @param wanted by sink, which changes go there; a sink that is missing takes none */
    public Distribution(Map<String, Predicate<ChangeEvent>> wanted) {
        this.wanted = Map.copyOf(wanted);
    }

    public boolean toPgNotify(ChangeEvent event) {
        return goesTo(PG_NOTIFY, event);
    }

    public boolean toRedisStream(ChangeEvent event) {
        return goesTo(REDIS_STREAM, event);
    }

    public boolean toRedisPubsub(ChangeEvent event) {
        return goesTo(REDIS_PUBSUB, event);
    }

    public boolean toRabbitmq(ChangeEvent event) {
        return goesTo(RABBITMQ, event);
    }

    private boolean goesTo(String sink, ChangeEvent event) {
        Predicate<ChangeEvent> predicate = wanted.get(sink);
        return predicate != null && predicate.test(event);
    }

    /** As webhooks call it: {@code listings.update}, {@code billing.invoices.insert}. */
    public String type(ChangeEvent event) {
        return event.qualifiedTable() + "." + event.operation().name().toLowerCase(Locale.ROOT);
    }

    public String notifyPayload(ChangeEvent event) {
        return NotifyPayload.of(event);
    }
}
