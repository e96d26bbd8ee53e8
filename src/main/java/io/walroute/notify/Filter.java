package io.walroute.notify;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Conditions on columns; all of them must hold. Without any it takes every frame.
 *
 * @param names columns that must have a value, sorted, so that filters on the same columns share an index
 * @param values as text, in the order of the names; null for JSON null
 * @param rest what no index answers
 */
record Filter(List<String> names, List<String> values, List<Condition> rest) {
    static final Filter NONE = new Filter(List.of(), List.of(), List.of());

    static Filter of(Map<String, String> equal, List<Condition> rest) {
        var sorted = new TreeMap<>(equal);
        return new Filter(List.copyOf(sorted.keySet()), new ArrayList<>(sorted.values()), List.copyOf(rest));
    }

    boolean takes(Frame frame) {
        return (names.isEmpty() || values.equals(frame.columns().texts(names))) && takes(rest, frame);
    }

    static boolean takes(List<Condition> conditions, Frame frame) {
        for (Condition each : conditions) {
            if (!each.holds(frame.columns())) {
                return false;
            }
        }
        return true;
    }

    /** All columns that it asks for. */
    List<String> columns() {
        var all = new ArrayList<>(names);
        rest.forEach(each -> all.add(each.column()));
        return all;
    }
}
