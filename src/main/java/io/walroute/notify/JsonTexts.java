package io.walroute.notify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.change.RawJson;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;

/** Column values of a frame, read further than as the text that PostgreSQL gave. */
final class JsonTexts {
    /** PostgreSQL's numeric may have 147,455 digits; nobody compares with those. */
    private static final int LONGEST_NUMBER = 400;

    private JsonTexts() {}

    /** What a JSON array holds: strings, booleans, numbers and nulls; {@link Columns#MISSING} for what is nested. */
    static List<Object> elements(RawJson array) {
        JsonNode node;
        try {
            node = ClientMessage.JSON.readTree(array.text());
        } catch (JsonProcessingException notJson) {
            return List.of(Columns.MISSING);
        }
        var elements = new ArrayList<>(node.size());
        node.forEach(each -> elements.add(scalar(each)));
        return elements;
    }

    static List<String> strings(RawJson array) {
        return elements(array).stream()
                .filter(String.class::isInstance)
                .map(String.class::cast)
                .toList();
    }

    private static Object scalar(JsonNode node) {
        return switch (node.getNodeType()) {
            case STRING -> node.textValue();
            case BOOLEAN -> node.booleanValue();
            case NUMBER -> node.decimalValue();
            case NULL -> null;
            default -> Columns.MISSING;
        };
    }

    /** Null if the value is no number, or one of more digits than anyone compares with. Numeric columns come as texts. */
    static BigDecimal number(Object value) {
        if (value instanceof BigDecimal number) {
            return number;
        }
        if (value instanceof Long || value instanceof Integer) {
            return BigDecimal.valueOf(((Number) value).longValue());
        }
        boolean mayBe = value instanceof Double
                || value instanceof Float
                || value instanceof RawJson raw && raw.text().length() <= LONGEST_NUMBER
                || value instanceof String text && !text.isEmpty() && text.length() <= LONGEST_NUMBER;
        if (!mayBe) {
            return null;
        }
        String text = value.toString();
        char first = text.charAt(0);
        if (first != '-' && first != '+' && first != '.' && (first < '0' || first > '9')) {
            return null;
        }
        try {
            return new BigDecimal(text);
        } catch (NumberFormatException notANumber) {
            return null;
        }
    }
}
