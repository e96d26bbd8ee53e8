package io.walroute.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.walroute.change.ChangeEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** What a NOTIFY carries of a change: all of it, or as much as PostgreSQL takes. */
final class NotifyPayload {
    /** PostgreSQL refuses 8,000 bytes and more. */
    static final int MOST_BYTES = 7_999;

    private static final ObjectMapper JSON = new ObjectMapper();

    private NotifyPayload() {}

    /**
     * The event itself, or, too long for that, what tells a listener which row to read: {@code id}, {@code operation},
     * {@code schema}, {@code table}, {@code key} and {@code "key_only":true}. A key that is too long itself is null.
     */
    static String of(ChangeEvent event) {
        byte[] json = event.toJson();
        return json.length <= MOST_BYTES ? new String(json, StandardCharsets.UTF_8) : keyOnly(json);
    }

    private static String keyOnly(byte[] json) {
        try {
            JsonNode whole = JSON.readTree(json);
            ObjectNode part = JSON.createObjectNode();
            for (String member : new String[] {"id", "operation", "schema", "table", "key"}) {
                part.set(member, whole.get(member));
            }
            part.put("key_only", true);
            String text = JSON.writeValueAsString(part);
            return text.getBytes(StandardCharsets.UTF_8).length <= MOST_BYTES
                    ? text
                    : JSON.writeValueAsString(part.putNull("key"));
        } catch (IOException e) {
            throw new UncheckedIOException("a change event's own JSON must be readable", e);
        }
    }
}
