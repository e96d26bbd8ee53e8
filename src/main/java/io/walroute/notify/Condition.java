package io.walroute.notify;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a filter asks of one column beyond equality of texts. A column that isn't there meets no condition, and null meets
 * {@code is_null} only.
 *
 * <p>{@code lt} to {@code gte} compare numbers if the operand is one, or a text that reads as one, and texts otherwise, which
 * is right for times; {@code eq}, {@code neq} and {@code in} compare numbers if the operand is a JSON number.
 *
 * @param operands one, except for {@code in}
 */
record Condition(String column, Operator operator, List<Operand> operands) {
    enum Operator {
        EQ,
        NEQ,
        LT,
        LTE,
        GT,
        GTE,
        IN,
        IS_NULL;

        static Optional<Operator> of(String name) {
            return Arrays.stream(values())
                    .filter(each -> each.toString().equals(name))
                    .findFirst();
        }

        boolean orders() {
            return this == LT || this == LTE || this == GT || this == GTE;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** @param number null: texts are compared */
    record Operand(String text, BigDecimal number) {}

    boolean holds(Columns columns) {
        Object value = columns.value(column);
        if (value == Columns.MISSING) {
            return false;
        }
        if (operator == Operator.IS_NULL) {
            return (value == null) == Boolean.parseBoolean(operands.get(0).text());
        }
        if (value == null) {
            return false;
        }
        return switch (operator) {
            case EQ, IN -> operands.stream().anyMatch(each -> isEqual(value, each));
            case NEQ -> !isEqual(value, operands.get(0));
            default -> isOrdered(value, operands.get(0));
        };
    }

    private static boolean isEqual(Object value, Operand operand) {
        if (operand.number() == null) {
            return value.toString().equals(operand.text());
        }
        BigDecimal number = JsonTexts.number(value);
        return number != null && number.compareTo(operand.number()) == 0;
    }

    private boolean isOrdered(Object value, Operand operand) {
        int order;
        if (operand.number() != null) {
            BigDecimal number = JsonTexts.number(value);
            if (number == null) {
                return false;
            }
            order = number.compareTo(operand.number());
        } else if (value instanceof String text) {
            order = text.compareTo(operand.text());
        } else {
            return false;
        }
        return switch (operator) {
            case LT -> order < 0;
            case LTE -> order <= 0;
            case GT -> order > 0;
            default -> order >= 0;
        };
    }
}
