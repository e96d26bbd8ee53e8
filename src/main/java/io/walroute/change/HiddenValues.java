package io.walroute.change;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** The values that one change has and its copy doesn't, and what stands in their place. */
final class HiddenValues {
    /** Shorter ones stand in many texts by chance. */
    private static final int SHORTEST = 4;

    /** By the value as text; empty where the column is dropped. */
    private final Map<String, Optional<Object>> shown = new LinkedHashMap<>();

    private final List<String> longestFirst;

    HiddenValues(ChangeEvent original, ChangeEvent copy) {
        add(original.key(), copy.key());
        add(original.oldRow(), copy.oldRow());
        add(original.newRow(), copy.newRow());
        longestFirst = shown.keySet().stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList();
    }

    private void add(Map<String, Object> row, Map<String, Object> copy) {
        if (row == null || row == copy) {
            return;
        }
        row.forEach((column, value) -> {
            Object left = copy == null ? null : copy.get(column);
            String text = value == null || value instanceof Boolean ? null : Redaction.text(value);
            if (text != null && text.length() >= SHORTEST && !Objects.equals(value, left)) {
                shown.merge(text, Optional.ofNullable(left), (one, other) -> one.isPresent() ? one : other);
            }
        });
    }

    /** The value without them; null if it is a dropped one. */
    Object in(Object value) {
        if (value instanceof Map<?, ?> map) {
            return in(map);
        } else if (value instanceof Collection<?> list) {
            return in(list);
        } else if (value instanceof CharSequence chars) {
            return in(chars.toString());
        }
        Optional<Object> whole = value instanceof Number ? shown.get(Redaction.text(value)) : null;
        return whole == null ? value : whole.orElse(null);
    }

    private Object in(String text) {
        Optional<Object> whole = shown.get(text);
        if (whole != null) {
            return whole.orElse(null);
        }
        String rest = text;
        for (String hidden : longestFirst) {
            rest = rest.replace(hidden, Redaction.MASK);
        }
        return rest;
    }

    private Map<Object, Object> in(Map<?, ?> map) {
        Map<Object, Object> rest = new LinkedHashMap<>();
        map.forEach((name, member) -> {
            Object left = in(member);
            if (left != null || member == null) {
                rest.put(name, left);
            }
        });
        return rest;
    }

    private List<Object> in(Collection<?> list) {
        List<Object> rest = new ArrayList<>();
        list.forEach(member -> rest.add(in(member)));
        return rest;
    }
}
