package io.walroute.notify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** What a client asks for. */
interface ClientMessage {
    /** Called on the hub's thread. */
    void applyTo(Hub hub, Client client) throws SQLException;

    record Subscribe(String id, String topic, Filter filter, Selection selection, String since)
            implements ClientMessage {
        /** All that it names. */
        List<String> columns() {
            var all = new ArrayList<>(filter.columns());
            all.addAll(selection.isAll() ? List.of() : selection.columns());
            return all;
        }

        @Override
        public void applyTo(Hub hub, Client client) throws SQLException {
            hub.subscribe(client, this);
        }
    }

    record Unsubscribe(String id) implements ClientMessage {
        @Override
        public void applyTo(Hub hub, Client client) {
            hub.unsubscribe(client, id);
        }
    }

    record Ping() implements ClientMessage {
        @Override
        public void applyTo(Hub hub, Client client) throws SQLException {
            hub.ping(client);
        }
    }

    /** A new token in place of the one that will expire. Who checks it is the connection; it comes here if nobody does. */
    record Auth(String token) implements ClientMessage {
        @Override
        public void applyTo(Hub hub, Client client) {
            client.outbox().put(ServerMessage.error("no token is asked for here", null));
        }

        @Override
        public String toString() {
            return "Auth[***]";
        }
    }

    /** A new token was proven: what it says holds from here on. */
    record Renewed(Identity identity) implements ClientMessage {
        @Override
        public void applyTo(Hub hub, Client client) {
            client.renew(identity.claims());
            client.outbox().put(ServerMessage.authenticated(identity.expires()));
        }
    }

    /** The client's mistake, in words for the client. */
    final class Malformed extends Exception {
        private static final long serialVersionUID = 1;
        private final String id;

        Malformed(String message, String id) {
            super(message, null, false, false);
            this.id = id;
        }

        /** The subscription that the message names; null if none. */
        String id() {
            return id;
        }
    }

    int MAX_NAME_LENGTH = 200;

    // Numbers keep their digits: a filter compares texts.
    ObjectReader JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build()
            .readerFor(JsonNode.class);

    static ClientMessage parse(String text) throws Malformed {
        JsonNode message = read(text);
        String id = name(message, "id", null);
        String type = name(message, "type", id);
        if (type == null) {
            throw new Malformed("the member \"type\" is missing: subscribe, unsubscribe, auth or ping", id);
        }
        return switch (type) {
            case "subscribe" -> subscribe(message, id);
            case "unsubscribe" -> new Unsubscribe(required("id", id, id));
            case "auth" -> auth(message, id);
            case "ping" -> new Ping();
            default ->
                throw new Malformed(
                        "\"" + type + "\" is not a type of message: subscribe, unsubscribe, auth or ping", id);
        };
    }

    private static JsonNode read(String text) throws Malformed {
        JsonNode message;
        try {
            message = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new Malformed(
                    "not a JSON text: "
                            + e.getOriginalMessage().lines().findFirst().orElse(""),
                    null);
        }
        if (!message.isObject()) {
            throw new Malformed("a message must be a JSON object", null);
        }
        return message;
    }

    private static Subscribe subscribe(JsonNode message, String id) throws Malformed {
        // A misspelt "filter" passed over in silence would send everything to who asked for a little.
        for (var names = message.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!Set.of("type", "id", "topic", "filter", "columns", "since").contains(name)) {
                throw new Malformed(
                        "\"" + name + "\" is not a member of subscribe: id, topic, filter, columns, since", id);
            }
        }
        required("id", id, id);
        String topic = required("topic", name(message, "topic", id), id);
        return new Subscribe(
                id,
                topic,
                FilterJson.filter(message.path("filter"), id),
                FilterJson.selection(message.path("columns"), id),
                name(message, "since", id));
    }

    private static Auth auth(JsonNode message, String id) throws Malformed {
        String token = message.path("token").textValue();
        if (token == null || token.isEmpty()) {
            throw new Malformed("the member \"token\" is missing, or no string", id);
        }
        return new Auth(token);
    }

    private static String required(String member, String value, String id) throws Malformed {
        if (value == null || value.isEmpty()) {
            throw new Malformed("the member \"" + member + "\" is missing", id);
        }
        return value;
    }

    /** A string or a whole number; null if it is missing. */
    private static String name(JsonNode message, String member, String id) throws Malformed {
        JsonNode value = message.path(member);
        if (value.isMissingNode() || value.isNull()) {
            return null;
        }
        if (!value.isTextual() && !value.isIntegralNumber()) {
            throw new Malformed("the member \"" + member + "\" must be a string", id);
        }
        if (value.asText().length() > MAX_NAME_LENGTH) {
            throw new Malformed("the member \"" + member + "\" is longer than " + MAX_NAME_LENGTH + " characters", id);
        }
        return value.asText();
    }
}
