package io.walroute.cache;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Redacted;
import io.walroute.change.Redactions;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultAsyncProducer;

/** Hands each exchange's change to the {@link RowCache}; the exchange goes on once Redis has answered. */
final class RowCacheProducer extends DefaultAsyncProducer {
    private final RowCacheEndpoint endpoint;
    private Redactions redactions;

    RowCacheProducer(RowCacheEndpoint endpoint) {
        super(endpoint);
        this.endpoint = endpoint;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        redactions = endpoint.getCamelContext().getRegistry().findSingleByType(Redactions.class);
    }

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        try {
            var event = exchange.getMessage().getMandatoryBody(ChangeEvent.class);
            var redacted = exchange.getProperty(ChangeProperties.REDACTED, Redacted.class);
            if (redacted == null && redactions != null) { // a route that leads here without a lane
                redacted = redactions.redact("cache", event);
                event = redacted.copy();
            }
            CompletableFuture<?> done = isForgotten(exchange)
                    ? endpoint.getComponent().forget(event, prefix(event))
                    : endpoint.getComponent().apply(event, keeping(event, exchange), redacted);
            done.whenComplete((outcome, failure) -> {
                if (failure != null) {
                    exchange.setException(failure instanceof CompletionException ? failure.getCause() : failure);
                }
                callback.done(false);
            });
            return false;
        } catch (Exception e) {
            exchange.setException(e);
            callback.done(true);
            return true;
        }
    }

    private boolean isForgotten(Exchange exchange) {
        return endpoint.isForget()
                || Boolean.TRUE.equals(exchange.getMessage().getHeader(RowCacheHeaders.FORGET, Boolean.class));
    }

    private RowCache.Keeping keeping(ChangeEvent event, Exchange exchange) {
        var table = endpoint.getComponent().getSettings().tables().get(event.qualifiedTable());
        Duration ttl = endpoint.getTtl();
        if (ttl == null && table != null) {
            ttl = table.ttl();
        }
        var expiresAt = expiresAt(exchange.getMessage().getHeader(RowCacheHeaders.EXPIRES_AT));
        return new RowCache.Keeping(prefix(event), ttl, expiresAt);
    }

    private String prefix(ChangeEvent event) {
        if (endpoint.getPrefix() != null) {
            return endpoint.getPrefix();
        }
        var settings = endpoint.getComponent().getSettings();
        var table = settings.tables().get(event.qualifiedTable());
        return table != null && table.prefix() != null ? table.prefix() : settings.prefix();
    }

    /** @return null where the header says nothing */
    static Instant expiresAt(Object header) {
        if (header == null || header instanceof Instant) {
            return (Instant) header;
        }
        String text = header.toString().strip();
        switch (text) {
            case "":
                return null;
            case "infinity":
                return Instant.MAX;
            case "-infinity":
                return Instant.EPOCH;
            default:
                try {
                    return OffsetDateTime.parse(text).toInstant();
                } catch (DateTimeException e) {
                    throw new IllegalArgumentException("The header " + RowCacheHeaders.EXPIRES_AT + " is '" + text
                            + "', not a time. Write it in ISO-8601 with zone: 2026-01-31T12:00:00Z");
                }
        }
    }
}
