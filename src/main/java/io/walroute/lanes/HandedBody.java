package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.Redactions;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.camel.Exchange;
import org.apache.camel.Message;
import org.apache.camel.StreamCache;

/**
 * What a route hands over to a lane from which columns are hidden. Rules know change events; anything else that is made of one
 * may hold what they hide.
 */
final class HandedBody {
    private HandedBody() {}

    /**
     * The body if the lane's sink may have it as it is, or the change event that it is the JSON of.
     *
     * @throws UnknownBodyException if it is made of a change of which the sink doesn't get to see all
     */
    static Object check(Exchange exchange, String lane, Redactions redactions) throws Exception {
        Message message = exchange.getMessage();
        Object body = message.getBody();
        String schema = message.getHeader(ChangeHeaders.SCHEMA, String.class);
        String table = message.getHeader(ChangeHeaders.TABLE, String.class);
        boolean tableKnown = schema != null && table != null;
        if (body instanceof ChangeEvent || tableKnown && redactions.of(lane, schema, table) == null) {
            return body;
        }
        ChangeEvent event = event(json(exchange, body));
        if (event == null) {
            throw new UnknownBodyException(lane, body, tableKnown ? schema + "." + table : null);
        }
        return event;
    }

    private static byte[] json(Exchange exchange, Object body) throws Exception {
        if (body instanceof String text) {
            return text.getBytes(StandardCharsets.UTF_8);
        } else if (body instanceof StreamCache stream) {
            return exchange.getContext().getTypeConverter().tryConvertTo(byte[].class, exchange, stream.copy(exchange));
        }
        return body instanceof byte[] bytes ? bytes : null;
    }

    /** Null if it isn't a change event to the last byte: what a member of the route's own holds, no rule knows. */
    private static ChangeEvent event(byte[] json) {
        try {
            ChangeEvent event = json == null ? null : ChangeEvent.fromJson(json);
            return event != null && Arrays.equals(event.toJson(), json) ? event : null;
        } catch (IllegalArgumentException other) {
            return null;
        }
    }
}
