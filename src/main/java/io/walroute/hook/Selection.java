package io.walroute.hook;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Which changes a step sends to its receiver, and which of their columns. An empty set stands for all. Immutable.
 *
 * <p>The key's columns always go: without them nobody knows which row changed.
 *
 * @param tables as {@link ChangeEvent#qualifiedTable()} writes them
 */
record Selection(Set<String> tables, Set<Operation> operations, Set<String> columns) {
    static final Selection ALL = new Selection(Set.of(), Set.of(), Set.of());

    /** As the step's options say it; a null isn't given. */
    static Selection of(String tables, String operations, String columns) {
        return new Selection(names("tables", tables, "public."), operations(operations), names("columns", columns, ""));
    }

    boolean wants(ChangeEvent event) {
        return (tables.isEmpty() || tables.contains(event.qualifiedTable()))
                && (operations.isEmpty() || operations.contains(event.operation()));
    }

    /** The change as it may leave: the same id, no column but those that were asked for. */
    ChangeEvent cut(ChangeEvent event) {
        if (columns.isEmpty()) {
            return event;
        }
        Set<String> kept = new LinkedHashSet<>(columns);
        if (event.key() != null) {
            kept.addAll(event.key().keySet());
        }
        List<String> changed = event.changedColumns();
        return event.toBuilder()
                .oldRow(cut(event.oldRow(), kept))
                .newRow(cut(event.newRow(), kept))
                .changedColumns(changed == null ? null : cut(changed, kept))
                .unavailableColumns(cut(event.unavailableColumns(), kept))
                .build();
    }

    private static Map<String, Object> cut(Map<String, Object> row, Set<String> kept) {
        if (row == null) {
            return null;
        }
        Map<String, Object> cut = new LinkedHashMap<>(row);
        cut.keySet().retainAll(kept);
        return cut;
    }

    private static List<String> cut(Collection<String> names, Set<String> kept) {
        return names.stream().filter(kept::contains).toList();
    }

    private static Set<String> names(String option, String text, String defaultPrefix) {
        if (text == null) {
            return Set.of();
        }
        Set<String> names = new LinkedHashSet<>();
        for (String each : split(option, text)) {
            names.add(each.startsWith(defaultPrefix) ? each.substring(defaultPrefix.length()) : each);
        }
        return Set.copyOf(names);
    }

    private static Set<Operation> operations(String text) {
        if (text == null) {
            return Set.of();
        }
        Set<Operation> operations = EnumSet.noneOf(Operation.class);
        for (String each : split("operations", text)) {
            try {
                operations.add(Operation.valueOf(each.toUpperCase(Locale.ROOT)));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("operations=" + text + ": '" + each + "' is no operation. Write "
                        + String.join(
                                ", ",
                                Arrays.stream(Operation.values())
                                        .map(Enum::name)
                                        .toList()));
            }
        }
        return Set.copyOf(operations);
    }

    /** An empty name would let out all, or nothing: both are a mistake. */
    private static List<String> split(String option, String text) {
        List<String> names =
                Arrays.stream(text.split(",", -1)).map(String::strip).toList();
        if (names.contains("")) {
            throw new IllegalArgumentException(
                    option + "=" + text + " holds an empty name. Write names separated by commas, or leave it out");
        }
        return names;
    }
}
