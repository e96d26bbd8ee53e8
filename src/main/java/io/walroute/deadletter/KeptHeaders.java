package io.walroute.deadletter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.walroute.change.ChangeHeaders;
import java.time.temporal.Temporal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Those message headers that a parked delivery needs again, as JSON: what its route set before the lane (a topic, a context).
 *
 * <p>Left out are Camel's own and the change's, which follow from the event, and values that have no JSON form.
 */
final class KeptHeaders {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();
    private static final TypeReference<Map<String, Object>> MAP = new TypeReference<>() {};

    private KeptHeaders() {}

    /** In the order of their names, so that equal headers give equal texts. */
    static String toJson(Map<String, Object> headers) {
        Map<String, Object> kept = new TreeMap<>();
        headers.forEach((name, value) -> {
            Object json =
                    name.startsWith("Camel") || ChangeHeaders.FROM_EVENT.contains(name) || name.equals("breadcrumbId")
                            ? null
                            : json(value);
            if (json != null) {
                kept.put(name, json);
            }
        });
        try {
            return JSON.writeValueAsString(kept);
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException("headers of plain values could not be written", impossible);
        }
    }

    private static Object json(Object value) {
        if (value instanceof String || value instanceof Boolean || value instanceof Number) {
            return value;
        } else if (value instanceof Date date) {
            return date.toInstant().toString();
        } else if (value instanceof Temporal || value instanceof UUID || value instanceof Enum) {
            return value.toString();
        } else if (value instanceof Map<?, ?> map) {
            Map<String, Object> members = new LinkedHashMap<>();
            map.forEach((name, member) -> members.put(String.valueOf(name), json(member)));
            return members;
        } else if (value instanceof Collection<?> collection) {
            List<Object> members = new ArrayList<>();
            collection.forEach(member -> members.add(json(member)));
            return members;
        }
        return null;
    }

    static Map<String, Object> fromJson(String json) {
        try {
            return JSON.readValue(json, MAP);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("the headers of the dead letter are no JSON object", e);
        }
    }
}
