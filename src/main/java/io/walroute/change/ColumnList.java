package io.walroute.change;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * The only columns of a table that leave: {@code id, name, status; hook: id, status}.
 *
 * @param columns for every sink that isn't named; null: all. The audit log is meant only by its name
 * @param bySink exceptions
 */
public record ColumnList(Set<String> columns, Map<String, Set<String>> bySink) {
    public ColumnList {
        bySink = Collections.unmodifiableMap(new LinkedHashMap<>(bySink));
    }

    /** @throws IllegalArgumentException with what was expected, going on from the setting's name */
    public static ColumnList parse(String text) {
        Set<String> columns = null;
        Map<String, Set<String>> bySink = new LinkedHashMap<>();
        for (String part : text.split(";", -1)) {
            int colon = part.indexOf(':');
            Set<String> names = names(part.substring(colon + 1));
            if (colon >= 0) {
                bySink.put(part.substring(0, colon).strip(), names);
            } else if (columns == null) {
                columns = names;
            } else {
                throw new IllegalArgumentException(
                        "has two lists for all sinks. Write one, and others as SINK: COLUMNS: id, name; hook: id");
            }
        }
        return new ColumnList(columns, bySink);
    }

    private static Set<String> names(String text) {
        Set<String> names = new LinkedHashSet<>();
        for (String name : text.split(",")) {
            if (name.isBlank()) {
                throw new IllegalArgumentException(
                        "has a column without a name. Write names separated by commas: id, name; hook: id");
            }
            names.add(name.strip());
        }
        return Collections.unmodifiableSet(names);
    }
}
