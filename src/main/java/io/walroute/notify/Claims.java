package io.walroute.notify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What is vouched for about who opened a connection: the claims of a token, as a JSON object. Deeply immutable; equal if all
 * values are, so that it can be a key. A value is null, a String, Boolean, Long, BigDecimal, List or Map.
 *
 * <p>Never shown: claims are personal data.
 */
final class Claims {
    /** Of a connection that nobody vouches for. */
    static final Claims NONE = new Claims(Map.of());

    static final String SUBJECT = "sub";

    private final Map<String, Object> values;
    private final int hash;

    private Claims(Map<String, Object> values) {
        this.values = values;
        hash = values.hashCode();
    }

    /** @param object numbers in it have all their digits, as {@link ClientMessage#JSON} reads them */
    static Claims of(JsonNode object) {
        if (!object.isObject()) {
            throw new IllegalArgumentException("claims must be a JSON object");
        }
        return new Claims(map(object));
    }

    private static Map<String, Object> map(JsonNode object) {
        var map = new LinkedHashMap<String, Object>();
        object.properties().forEach(member -> map.put(member.getKey(), value(member.getValue())));
        return Collections.unmodifiableMap(map);
    }

    private static Object value(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> map(node);
            case ARRAY -> list(node);
            case STRING -> node.textValue();
            case BOOLEAN -> node.booleanValue();
            case NUMBER ->
                node.isIntegralNumber() && node.canConvertToLong() ? (Object) node.longValue() : node.decimalValue();
            default -> null;
        };
    }

    private static List<Object> list(JsonNode array) {
        var list = new ArrayList<>(array.size());
        array.forEach(each -> list.add(value(each)));
        return Collections.unmodifiableList(list);
    }

    Map<String, Object> values() {
        return values;
    }

    /** Null if there is no claim of this name, and also if it says null. */
    Object get(String name) {
        return values.get(name);
    }

    Optional<String> subject() {
        return values.get(SUBJECT) instanceof String subject && !subject.isEmpty()
                ? Optional.of(subject)
                : Optional.empty();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Claims claims && hash == claims.hash && values.equals(claims.values);
    }

    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public String toString() {
        return values.size() + " claims";
    }
}
