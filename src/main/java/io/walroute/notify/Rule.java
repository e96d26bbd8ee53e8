package io.walroute.notify;

import io.walroute.change.RawJson;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Who may see a frame: a predicate over its row and the claims of who asks, as {@code new.seller_address == claims.address}.
 *
 * <p>What can't be decided isn't allowed: a column that the frame doesn't have, or has redacted, a claim that the token
 * doesn't make, a null that is compared with anything but {@code null}, texts that are compared with booleans. {@code not} of
 * an undecided comparison is undecided, too.
 *
 * <p>A frame shows two images of a row. A rule that speaks of one of them must hold for each that the frame has: who may see
 * only the old or only the new row of an UPDATE sees neither. A rule that speaks of both is taken as it is written.
 */
final class Rule {
    private static final int LONGEST = 4000;
    private static final Map<String, Object> NOTHING = Map.of();

    /** Three-valued: null is undecided. */
    interface Test {
        Boolean ask(Subject of);
    }

    /** {@link Columns#MISSING} if there is no such value. */
    interface Operand {
        Object value(Subject of);
    }

    /** What a predicate is asked about. */
    record Subject(Columns columns, Map<String, Object> newRow, Map<String, Object> oldRow, List<Object> claims) {}

    private final String text;
    private final Test test;
    private final List<List<String>> claims;
    private final boolean speaksOfNew;
    private final boolean speaksOfOld;

    Rule(String text, Test test, List<List<String>> claims, boolean speaksOfNew, boolean speaksOfOld) {
        this.text = text;
        this.test = test;
        this.claims = List.copyOf(claims);
        this.speaksOfNew = speaksOfNew;
        this.speaksOfOld = speaksOfOld;
    }

    /** @throws IllegalArgumentException the message goes on from the rule: what is wrong, and what to write instead */
    static Rule parse(String text) {
        if (text.length() > LONGEST) {
            throw new IllegalArgumentException("is longer than " + LONGEST + " characters. Write a shorter rule");
        }
        return new RuleParser(text).parse();
    }

    /** Whether it asks for anything that only an authenticated client has. */
    boolean namesClaims() {
        return !claims.isEmpty();
    }

    /** The values of the claims that the rule names: for clients of equal values it says the same. */
    List<Object> group(Claims of) {
        var values = new ArrayList<>(claims.size());
        for (List<String> path : claims) {
            Object value = of.values();
            for (String name : path) {
                value = value instanceof Map<?, ?> map && map.containsKey(name) ? map.get(name) : Columns.MISSING;
            }
            values.add(value);
        }
        return values;
    }

    /** @param group as {@link #group} made it */
    boolean allows(Columns columns, List<Object> group) {
        Map<String, Object> newRow = columns.newRow();
        Map<String, Object> oldRow = columns.oldRow();
        boolean speaksOfOne = speaksOfNew != speaksOfOld;
        if (!speaksOfOne || newRow == null && oldRow == null) {
            return holds(columns, orNothing(newRow), orNothing(oldRow), group);
        }
        return (newRow == null || holds(columns, newRow, newRow, group))
                && (oldRow == null || holds(columns, oldRow, oldRow, group));
    }

    private static Map<String, Object> orNothing(Map<String, Object> row) {
        return row == null ? NOTHING : row;
    }

    private boolean holds(Columns columns, Map<String, Object> newRow, Map<String, Object> oldRow, List<Object> group) {
        return Boolean.TRUE.equals(test.ask(new Subject(columns, newRow, oldRow, group)));
    }

    // ---- what predicates are made of

    static Operand constant(Object value) {
        return of -> value;
    }

    static Operand column(String prefix, String name) {
        return switch (prefix) {
            case "new" -> of -> column(of, of.newRow(), name);
            case "old" -> of -> column(of, of.oldRow(), name);
            case "key" -> of -> column(of, orNothing(of.columns().key()), name);
            default -> of -> of.columns().context().getOrDefault(name, Columns.MISSING);
        };
    }

    private static Object column(Subject of, Map<String, Object> row, String name) {
        return of.columns().isRedacted(name) ? Columns.MISSING : row.getOrDefault(name, Columns.MISSING);
    }

    static Operand claim(int index) {
        return of -> of.claims().get(index);
    }

    static Test and(Test left, Test right) {
        return of -> {
            Boolean a = left.ask(of);
            if (Boolean.FALSE.equals(a)) {
                return false;
            }
            Boolean b = right.ask(of);
            return Boolean.FALSE.equals(b) ? Boolean.FALSE : a == null ? null : b;
        };
    }

    static Test or(Test left, Test right) {
        return of -> {
            Boolean a = left.ask(of);
            if (Boolean.TRUE.equals(a)) {
                return true;
            }
            Boolean b = right.ask(of);
            return Boolean.TRUE.equals(b) ? Boolean.TRUE : a == null ? null : b;
        };
    }

    static Test not(Test test) {
        return of -> {
            Boolean answer = test.ask(of);
            return answer == null ? null : !answer;
        };
    }

    static Test equal(Operand left, Operand right) {
        return of -> equal(left.value(of), right.value(of));
    }

    /** As SQL's IS NULL; a column that isn't there is undecided. */
    static Test isNull(Operand operand) {
        return of -> {
            Object value = operand.value(of);
            return value == Columns.MISSING ? null : value == null;
        };
    }

    static Test in(Operand left, Operand list) {
        return of -> {
            Object wanted = left.value(of);
            List<?> among = list(list.value(of));
            if (among == null) {
                return null;
            }
            boolean undecided = false;
            for (Object each : among) {
                Boolean same = equal(wanted, each);
                if (Boolean.TRUE.equals(same)) {
                    return true;
                }
                undecided |= same == null;
            }
            return undecided ? null : Boolean.FALSE;
        };
    }

    private static List<?> list(Object value) {
        if (value instanceof List<?> list) {
            return list;
        }
        return value instanceof RawJson raw && raw.text().startsWith("[") ? JsonTexts.elements(raw) : null;
    }

    private static Boolean equal(Object left, Object right) {
        if (left instanceof String a && right instanceof String b) {
            return a.equals(b);
        }
        if (left instanceof Boolean a && right instanceof Boolean b) {
            return a.equals(b);
        }
        // Of which at least one is a number: numeric columns come as texts.
        if (left instanceof Number || right instanceof Number) {
            BigDecimal a = JsonTexts.number(left);
            BigDecimal b = JsonTexts.number(right);
            return a == null || b == null ? null : a.compareTo(b) == 0;
        }
        return null;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Rule rule && rule.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }
}
