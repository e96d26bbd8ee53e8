package io.walroute.lanes;

import io.walroute.change.ChangeContext;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.ChangeProperties;
import io.walroute.change.EventCheck;
import io.walroute.change.Redacted;
import io.walroute.change.Redactions;
import io.walroute.change.RedriveTurn;
import io.walroute.change.Settlement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.camel.Exchange;
import org.apache.camel.Message;
import org.apache.camel.StreamCache;

/**
 * One message on its way through a lane: what it carries, taken from the sender's exchange without sharing anything that
 * either side may change, and the hold that it has on the slot.
 *
 * <p>The fields at the end belong to the lane and its lock.
 */
final class Delivery {
    /** What camel-debezium says of the row beside the body. */
    private static final List<String> RAW_HEADERS =
            List.of("CamelDebeziumKey", "CamelDebeziumBefore", "CamelDebeziumDdlSQL");

    private static final Set<String> OWN_HEADERS = Set.of(ChangeHeaders.REPLAY, "replayRoute", "tableRoute", "topic");

    /** Properties that say something of one delivery, not of the change. */
    private static final Set<String> OF_A_DELIVERY = Set.of(
            ChangeProperties.LANE,
            ChangeProperties.CHANGE,
            ChangeProperties.REDACTED,
            ChangeProperties.REDRIVE,
            ChangeProperties.REDRIVE_TURN,
            ChangeProperties.PARKED,
            ChangeProperties.DEAD,
            ChangeProperties.PARK_REASON,
            ChangeProperties.REFUSED);

    final Claim claim;
    /** The change's id; null if the body is no change. */
    final String eventId;

    final long bytes;
    /** Whether it comes from the dead letters. */
    final boolean redrive;

    final Settlement settlement;
    final Settlement.Hold hold;
    /** Of a redriven delivery: to be asked when its turn has come; null if nobody is. */
    final RedriveTurn redriveTurn;
    /** As in {@link Settlement}. */
    final long receivedNanos;

    final long committedNanos;

    private final Object body;
    private final Map<String, Object> headers;
    private final Object[] properties;
    private final Map<String, Object> variables;

    /** Its turn in this lane, in the order of arrival. */
    long turn;

    long heldSinceNanos;
    // Of Arrivals.
    boolean isHeld;
    Delivery arrivedBefore;
    Delivery arrivedAfter;
    KeyedOrder.Place<Delivery> place;
    boolean started;
    long startedNanos;
    boolean spillEnded;
    /** An earlier delivery of its key was or became parked while this one was here; the marks tell whether it still is. */
    boolean mayBeBehind;
    /** An earlier delivery of its key failed: it must fail too, so that both come again in order. */
    boolean doomed;
    /** To be parked without an attempt, behind an earlier one of its key. */
    boolean behind;
    /** Of a redriven delivery: what {@link #redriveTurn} said; null before. */
    RedriveTurn.Answer answer;
    /** Of a redriven delivery: one that shares a key has been parked since it was asked for, or was being. */
    boolean keyParkedSince;

    /** @param redactions what the lane's sink doesn't get to see; null if it gets all */
    Delivery(Exchange exchange, String lane, Redactions redactions) throws Exception {
        this(exchange, lane, true, redactions, false);
    }

    /**
     * @param ordered whether it claims what it changes
     * @param ownBody whether what is no change event passes though columns are hidden
     * @throws UnknownBodyException if columns are hidden, and the body is something else than a change event
     */
    Delivery(Exchange exchange, String lane, boolean ordered, Redactions redactions, boolean ownBody) throws Exception {
        Message message = exchange.getMessage();
        Object handed =
                redactions == null || ownBody ? message.getBody() : HandedBody.check(exchange, lane, redactions);
        Redacted redacted =
                redactions != null && handed instanceof ChangeEvent event ? redactions.redact(lane, event) : null;
        // From here on the lane, its dead letters and its sink know the copy only: the order, too, goes by its key.
        body = redacted != null
                ? redacted.copy()
                : handed instanceof StreamCache stream ? stream.copy(exchange) : handed;
        Claim own = body instanceof ChangeEvent event ? Claim.of(event) : Claim.of(message);
        claim = ordered ? own : own.ofNothingElse();
        eventId = body instanceof ChangeEvent event ? event.id() : null;
        bytes = HeldBytes.of(handed);
        headers = message.hasHeaders()
                ? exchange.getContext()
                        .getCamelContextExtension()
                        .getHeadersMapFactory()
                        .newMap(message.getHeaders())
                : null;
        variables = exchange.hasVariables() ? new HashMap<>(exchange.getVariables()) : null;
        if (redacted != null && redacted.hidesAnything() && headers != null) {
            RAW_HEADERS.forEach(headers::remove);
            headers.replace(ChangeHeaders.EVENT_ID, eventId);
            redacted.hideIn(headers, Delivery::isOfRoute);
        }
        redrive = isRedrive(exchange, lane);
        redriveTurn = redrive && exchange.getProperty(ChangeProperties.REDRIVE_TURN) instanceof RedriveTurn turn
                ? turn
                : null;
        properties = properties(exchange, lane, redacted);
        settlement = exchange.getProperty(Settlement.PROPERTY) instanceof Settlement given ? given : Settlement.NONE;
        hold = settlement.hold();
        receivedNanos = settlement.receivedNanos();
        committedNanos = settlement.committedNanos();
    }

    /**
     * Whether a route made the header. Topics are not meant: a subscriber names the one that it gets, and knows what is in the
     * name.
     */
    private static boolean isOfRoute(String header) {
        return !ChangeHeaders.FROM_EVENT.contains(header)
                && !OWN_HEADERS.contains(header)
                && !header.startsWith("CamelDebezium");
    }

    /** A redriven delivery of another lane may reach this one through that lane's route: here it is one like others. */
    private static boolean isRedrive(Exchange exchange, String lane) {
        if (!Boolean.TRUE.equals(exchange.getProperty(ChangeProperties.REDRIVE))) {
            return false;
        }
        Object from = exchange.getProperty(ChangeProperties.LANE);
        return from == null || from.equals(lane);
    }

    /** Those of the sender's, without what it says of its own delivery, and this one's: names and values in turn. */
    private Object[] properties(Exchange exchange, String lane, Redacted redacted) {
        List<Object> kept = new ArrayList<>(12);
        if (exchange.hasProperties()) {
            for (var property : exchange.getProperties().entrySet()) {
                if (!OF_A_DELIVERY.contains(property.getKey())) {
                    kept.add(property.getKey());
                    kept.add(property.getValue());
                }
            }
        }
        Collections.addAll(kept, ChangeProperties.LANE, lane);
        if (body instanceof ChangeEvent) {
            Collections.addAll(kept, ChangeProperties.CHANGE, body);
        }
        if (redacted != null) {
            Collections.addAll(kept, ChangeProperties.REDACTED, redacted);
        }
        if (redrive) {
            Collections.addAll(kept, ChangeProperties.REDRIVE, Boolean.TRUE);
        }
        return kept.toArray();
    }

    /** Why the change must not leave; null if it may, or is no change. */
    String problem(long maxEventBytes) {
        return body instanceof ChangeEvent event ? EventCheck.problem(event, maxEventBytes, bytes) : null;
    }

    /** Gives everything that this delivery carries to a new exchange; to be called once. */
    Exchange into(Exchange exchange) {
        exchange.getIn().setBody(body);
        if (headers != null) {
            exchange.getIn().setHeaders(headers);
        }
        for (int i = 0; i < properties.length; i += 2) {
            exchange.setProperty((String) properties[i], properties[i + 1]);
        }
        if (variables != null) {
            variables.forEach(exchange::setVariable);
        }
        return exchange;
    }

    /** For log lines; the key shows only as a hash. */
    @Override
    public String toString() {
        String what = body instanceof ChangeEvent event
                ? "change " + eventId + " at " + event.lsn()
                : "message "
                        + (body == null
                                ? "without body"
                                : "of type " + body.getClass().getSimpleName());
        return what + " of table " + claim.table()
                + (claim.wholeTable() ? "" : ", key hash " + ChangeContext.keyHash(claim.key()));
    }

    /** The logging context of a warning about this delivery; nothing if it is no change. */
    AutoCloseableContext context(String lane) {
        if (body instanceof ChangeEvent event) {
            return ChangeContext.of(event, lane)::close;
        }
        return () -> {};
    }

    /** One that closes without a checked exception. */
    interface AutoCloseableContext extends AutoCloseable {
        @Override
        void close();
    }
}
