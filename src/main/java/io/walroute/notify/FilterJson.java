package io.walroute.notify;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.notify.ClientMessage.Malformed;
import io.walroute.notify.Condition.Operand;
import io.walroute.notify.Condition.Operator;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The members {@code filter} and {@code columns} of a client's {@code subscribe}. */
final class FilterJson {
    private static final int MAX_FILTER_COLUMNS = 20;
    private static final int MAX_COLUMNS = 1000;
    private static final int MAX_AMONG = 100;

    private final String id;
    private final Map<String, String> equal = new HashMap<>();
    private final List<Condition> rest = new ArrayList<>();

    private FilterJson(String id) {
        this.id = id;
    }

    /** @param id of the subscription that is at fault if something is wrong */
    static Filter filter(JsonNode filter, String id) throws Malformed {
        if (filter.isMissingNode() || filter.isNull()) {
            return Filter.NONE;
        }
        if (!filter.isObject()) {
            throw new Malformed("\"filter\" must be an object of columns and values", id);
        }
        if (filter.size() > MAX_FILTER_COLUMNS) {
            throw new Malformed("\"filter\" names more than " + MAX_FILTER_COLUMNS + " columns", id);
        }
        var reader = new FilterJson(id);
        for (var column : filter.properties()) {
            reader.column(column.getKey(), column.getValue());
        }
        return Filter.of(reader.equal, reader.rest);
    }

    static Selection selection(JsonNode columns, String id) throws Malformed {
        if (columns.isMissingNode() || columns.isNull()) {
            return Selection.ALL;
        }
        if (!columns.isArray() || columns.isEmpty() || columns.size() > MAX_COLUMNS) {
            throw new Malformed("\"columns\" must be an array of 1 to " + MAX_COLUMNS + " column names", id);
        }
        var names = new TreeSet<String>();
        for (JsonNode each : columns) {
            if (!each.isTextual()) {
                throw new Malformed("\"columns\" holds " + each.getNodeType() + "; column names are expected", id);
            }
            names.add(each.textValue());
        }
        return new Selection(names);
    }

    private void column(String column, JsonNode wanted) throws Malformed {
        if (wanted.isArray() || wanted.isObject() && wanted.isEmpty()) {
            throw new Malformed(
                    "\"filter\" compares \"" + column + "\" with an array or an empty object; a string, number, true,"
                            + " false, null or an object such as {\"gt\":\"100\"} is expected",
                    id);
        }
        if (!wanted.isObject()) {
            equal.put(column, wanted.isNull() ? null : wanted.asText());
            return;
        }
        for (var each : wanted.properties()) {
            Operator operator = Operator.of(each.getKey())
                    .orElseThrow(() -> new Malformed(
                            "\"" + each.getKey() + "\" is not a comparison: " + Arrays.toString(Operator.values()),
                            id));
            condition(column, operator, each.getValue());
        }
    }

    private void condition(String column, Operator operator, JsonNode operand) throws Malformed {
        if (operator == Operator.EQ && (operand.isTextual() || operand.isBoolean()) && !equal.containsKey(column)) {
            equal.put(column, operand.asText());
            return;
        }
        var operands = new ArrayList<Operand>();
        if (operator == Operator.IN) {
            if (!operand.isArray() || operand.isEmpty() || operand.size() > MAX_AMONG) {
                throw new Malformed("\"in\" takes an array of 1 to " + MAX_AMONG + " values", id);
            }
            for (JsonNode each : operand) {
                operands.add(operand(operator, each));
            }
        } else {
            operands.add(operand(operator, operand));
        }
        rest.add(new Condition(column, operator, List.copyOf(operands)));
    }

    private Operand operand(Operator operator, JsonNode operand) throws Malformed {
        if (operator == Operator.IS_NULL && !operand.isBoolean()) {
            throw new Malformed("\"is_null\" takes true or false", id);
        }
        boolean fits = operand.isTextual() || operand.isNumber() || operand.isBoolean() && !operator.orders();
        if (!fits) {
            throw new Malformed(
                    "\"" + operator + "\" takes a string or a number"
                            + (operand.isNull() ? "; for null write {\"is_null\":true}" : ""),
                    id);
        }
        boolean asNumber = operand.isNumber() || operator.orders();
        BigDecimal number =
                asNumber ? JsonTexts.number(operand.isNumber() ? operand.decimalValue() : operand.textValue()) : null;
        return new Operand(operand.asText(), number);
    }
}
