package io.walroute.notify;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads a rule:
 *
 * <pre>
 * or         = and { "or" and }
 * and        = not { "and" not }
 * not        = "not" not | "(" or ")" | "true" | "false" | comparison
 * comparison = operand ( "==" | "!=" | "in" | "not in" ) operand
 * operand    = 'text' | number | true | false | null | [ literals ]
 *            | new.COLUMN | old.COLUMN | key.COLUMN | context.NAME | claims.NAME{.NAME}
 * </pre>
 */
final class RuleParser {
    private static final int DEEPEST = 50;
    private static final Pattern TOKEN =
            Pattern.compile("\\s*(?:(?<text>'(?:[^']|'')*')|(?<number>-?\\d{1,100}(?:\\.\\d{1,100})?(?![\\w.]))"
                    + "|(?<word>[A-Za-z_][\\w$-]*(?:\\.(?:[A-Za-z_][\\w$-]*|\"[^\"]+\"))*)"
                    + "|(?<sign>==|!=|<=|>=|&&|\\|\\||[()\\[\\],=<>!]))");
    private static final Pattern STEP = Pattern.compile("\"([^\"]+)\"|([^.\"]+)");

    private final String text;
    private final List<String> tokens = new ArrayList<>();
    private final List<List<String>> claims = new ArrayList<>();
    private int at;
    private int depth;
    private boolean speaksOfNew;
    private boolean speaksOfOld;

    RuleParser(String text) {
        this.text = text;
    }

    /** @throws IllegalArgumentException if it is no rule */
    Rule parse() {
        split();
        Rule.Test test = or();
        if (at < tokens.size()) {
            throw wrong("can't go on with " + tokens.get(at) + ". Join comparisons with and, or");
        }
        return new Rule(text, test, claims, speaksOfNew, speaksOfOld);
    }

    private void split() {
        Matcher token = TOKEN.matcher(text);
        int from = 0;
        while (from < text.length() && !text.substring(from).isBlank()) {
            if (!token.region(from, text.length()).lookingAt()) {
                throw wrong("can't be read from " + text.substring(from).strip() + " on. Write, for example,"
                        + " new.seller_address == claims.address");
            }
            tokens.add(token.group().strip());
            from = token.end();
        }
    }

    private Rule.Test or() {
        Rule.Test test = and();
        while (accept("or")) {
            test = Rule.or(test, and());
        }
        return test;
    }

    private Rule.Test and() {
        Rule.Test test = not();
        while (accept("and")) {
            test = Rule.and(test, not());
        }
        return test;
    }

    private Rule.Test not() {
        if (++depth > DEEPEST) {
            throw wrong("is nested deeper than " + DEEPEST + " levels. Write it flatter");
        }
        Rule.Test test;
        if (accept("not")) {
            test = Rule.not(not());
        } else if (accept("(")) {
            test = or();
            expect(")");
        } else {
            test = comparison();
        }
        depth--;
        return test;
    }

    private Rule.Test comparison() {
        String first = peek();
        Rule.Operand left = operand();
        String sign = peek();
        if (accept("==")) {
            return equality(first, left);
        }
        if (accept("!=")) {
            return Rule.not(equality(first, left));
        }
        if (accept("in")) {
            return Rule.in(left, list());
        }
        if (sign.equals("not") && at + 1 < tokens.size() && tokens.get(at + 1).equals("in")) {
            at += 2;
            return Rule.not(Rule.in(left, list()));
        }
        if (first.equals("true") || first.equals("false")) {
            boolean constant = first.equals("true");
            return of -> constant;
        }
        String advice = sign.equals("=") ? "Write == for equality" : "Write == , != , in or not in behind it";
        throw wrong("compares " + first + " with nothing" + (sign.isEmpty() ? "" : " by " + sign) + ". " + advice);
    }

    /** Null is equal to nothing, unless null is what is asked for. */
    private Rule.Test equality(String first, Rule.Operand left) {
        String second = peek();
        Rule.Operand right = operand();
        if (second.equals("null")) {
            return Rule.isNull(left);
        }
        return first.equals("null") ? Rule.isNull(right) : Rule.equal(left, right);
    }

    private Rule.Operand list() {
        String next = peek();
        boolean reference = next.contains(".") && !next.startsWith("'") && !Character.isDigit(next.charAt(0));
        if (!next.equals("[") && !reference) {
            throw wrong("looks into " + (next.isEmpty() ? "nothing" : next) + " by in. Write a list as ['a', 'b'],"
                    + " or a claim that is one");
        }
        return operand();
    }

    private Rule.Operand operand() {
        String token = next();
        char first = token.isEmpty() ? ' ' : token.charAt(0);
        if (token.equals("[")) {
            return literals();
        }
        boolean literal = first == '\'' || first == '-' || Character.isDigit(first);
        if (literal || List.of("true", "false", "null").contains(token)) {
            return Rule.constant(literal(token));
        }
        if (Character.isLetter(first) || first == '_') {
            return reference(token);
        }
        throw wrong("has " + (token.isEmpty() ? "nothing" : token) + " where a column, a claim or a literal is"
                + " expected. Write, for example, new.seller_address == claims.address");
    }

    private Rule.Operand literals() {
        var list = new ArrayList<Object>();
        do {
            String token = next();
            if (!token.matches("(?s)'.*'|-?\\d.*|true|false")) {
                throw wrong("has " + (token.isEmpty() ? "nothing" : token) + " in a list of literals. Write"
                        + " ['a', 'b']");
            }
            list.add(literal(token));
        } while (accept(","));
        expect("]");
        return Rule.constant(list);
    }

    private static Object literal(String token) {
        return switch (token) {
            case "true" -> Boolean.TRUE;
            case "false" -> Boolean.FALSE;
            case "null" -> null;
            default ->
                token.startsWith("'")
                        ? token.substring(1, token.length() - 1).replace("''", "'")
                        : (Object) new BigDecimal(token);
        };
    }

    private Rule.Operand reference(String token) {
        var steps = new ArrayList<String>();
        Matcher step = STEP.matcher(token);
        while (step.find()) {
            steps.add(step.group(1) == null ? step.group(2) : step.group(1));
        }
        List<String> path = List.copyOf(steps.subList(1, steps.size()));
        String prefix = steps.get(0);
        if (!List.of("new", "old", "key", "context", "claims").contains(prefix)) {
            throw wrong("names " + token + ", of which it isn't clear whose it is. Write new." + token + ", old."
                    + token + ", key., context. or claims.; texts are in single quotes");
        }
        if (path.isEmpty() || path.size() > 1 && !prefix.equals("claims")) {
            throw wrong("names " + token + ", which is no single value. Write " + prefix + ".NAME");
        }
        speaksOfNew |= prefix.equals("new");
        speaksOfOld |= prefix.equals("old");
        return prefix.equals("claims") ? Rule.claim(claim(path)) : Rule.column(prefix, path.get(0));
    }

    private int claim(List<String> path) {
        if (!claims.contains(path)) {
            claims.add(path);
        }
        return claims.indexOf(path);
    }

    /** Empty at the end. */
    private String peek() {
        return at < tokens.size() ? tokens.get(at) : "";
    }

    private String next() {
        String token = peek();
        at++;
        return token;
    }

    private boolean accept(String token) {
        boolean there = peek().equals(token);
        if (there) {
            at++;
        }
        return there;
    }

    private void expect(String token) {
        if (!accept(token)) {
            throw wrong("lacks a " + token + (peek().isEmpty() ? " at its end" : " before " + peek())
                    + ". Close what is open");
        }
    }

    private static IllegalArgumentException wrong(String message) {
        return new IllegalArgumentException(message);
    }
}
