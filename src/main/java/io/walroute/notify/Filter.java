package io.walroute.notify;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Equality on some columns; all of them must hold. Without any it takes every frame.
 *
 * @param names sorted, so that filters on the same columns share an index
 * @param values as text, in the order of the names; null for JSON null
 */
record Filter(List<String> names, List<String> values) {
    static final Filter NONE = new Filter(List.of(), List.of());

    static Filter of(Map<String, String> equal) {
        var sorted = new TreeMap<>(equal);
        return new Filter(List.copyOf(sorted.keySet()), new ArrayList<>(sorted.values()));
    }

    boolean takes(Frame frame) {
        return names.isEmpty() || values.equals(frame.columns().texts(names));
    }
}
