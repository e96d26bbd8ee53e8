package io.walroute.change;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Reads an array's text, {@code {1,NULL,3}} or {@code [0:1]={{"a,b",c},{d,"\""}}}, into nested lists. The lower bounds are
 * left out: JSON has no place for them.
 */
final class PgArrays {
    private final String text;
    private final PgType element;
    private final char delimiter;
    private int at;

    private PgArrays(String text, PgType element, char delimiter) {
        this.text = text;
        this.element = element;
        this.delimiter = delimiter;
    }

    static boolean isArray(String text) {
        return text.startsWith("{") || (text.startsWith("[") && text.contains("]={"));
    }

    static List<Object> parse(String text, PgType element, char delimiter) {
        var array = new PgArrays(text, element, delimiter);
        array.at = text.indexOf('{');
        List<Object> elements = array.elements();
        if (array.at != text.length()) {
            throw array.malformed();
        }
        return elements;
    }

    private List<Object> elements() {
        List<Object> elements = new ArrayList<>();
        at++;
        if (peek() == '}') {
            at++;
            return Collections.unmodifiableList(elements);
        }
        while (true) {
            switch (peek()) {
                case '{' -> elements.add(elements());
                case '"' -> elements.add(element.convert(quoted()));
                default -> elements.add(unquoted());
            }
            char next = peek();
            at++;
            if (next == '}') {
                return Collections.unmodifiableList(elements);
            }
            if (next != delimiter) {
                throw malformed();
            }
        }
    }

    private Object unquoted() {
        int from = at;
        while (peek() != delimiter && peek() != '}') {
            at++;
        }
        // A text element that says NULL comes in quotes.
        String value = text.substring(from, at);
        return value.equals("NULL") ? null : element.convert(value);
    }

    private String quoted() {
        int from = ++at;
        while (peek() != '"' && peek() != '\\') {
            at++;
        }
        if (peek() == '"') {
            return text.substring(from, at++);
        }
        var value = new StringBuilder().append(text, from, at);
        while (peek() != '"') {
            if (peek() == '\\') {
                at++;
            }
            value.append(peek());
            at++;
        }
        at++;
        return value.toString();
    }

    private char peek() {
        if (at >= text.length()) {
            throw malformed();
        }
        return text.charAt(at);
    }

    private IllegalArgumentException malformed() {
        return new IllegalArgumentException("an array's text is malformed at character " + at + " of " + text.length());
    }
}
