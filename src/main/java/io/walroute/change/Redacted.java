package io.walroute.change;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Beside a sink's copy of a change, in the exchange property {@link ChangeProperties#REDACTED}: what the sink needs to complete
 * it without learning more. Its text shows nothing of the original.
 */
public final class Redacted {
    private final Redaction redaction;
    private final ChangeEvent original;
    private final ChangeEvent copy;

    /** @param redaction null if nothing is hidden */
    Redacted(Redaction redaction, ChangeEvent original) {
        this.redaction = redaction;
        this.original = original;
        this.copy = redaction == null ? original : redaction.apply(original);
    }

    /** What the sink gets. */
    public ChangeEvent copy() {
        return copy;
    }

    /** Whether the copy differs from the change. */
    public boolean hidesAnything() {
        return copy != original;
    }

    /** The values by which the database knows the row; empty if they are not known here (any more). */
    public Optional<Map<String, Object>> databaseKey() {
        Map<String, Object> key = original.key();
        return key == null || key.keySet().stream().anyMatch(original.redactedColumns()::contains)
                ? Optional.empty()
                : Optional.of(key);
    }

    /** A whole row of the database, as the sink gets to see it. */
    public Map<String, Object> row(Map<String, Object> row) {
        return redaction == null || row == null ? row : redaction.row(row);
    }

    /** Whether the sink sees this column's values as they are. */
    public boolean keeps(String column) {
        return redaction == null || redaction.keeps(column);
    }

    /**
     * Takes out of headers what the sink doesn't get to see of the change: a value that is a hidden column's becomes what the rule
     * makes of it, one that contains it {@value Redaction#MASK} in its place. Values of fewer than four characters are left, and
     * booleans: each would stand in many headers by chance.
     *
     * @param meant the names of the headers that may be changed
     */
    public void hideIn(Map<String, Object> headers, Predicate<String> meant) {
        List<String> names = headers.keySet().stream().filter(meant).toList();
        if (names.isEmpty()) {
            return; // most changes: nothing is looked for
        }
        var hidden = new HiddenValues(original, copy);
        for (String name : names) {
            Object value = headers.get(name);
            Object shown = value == null ? null : hidden.in(value);
            if (value != null && shown == null) {
                headers.remove(name);
            } else if (value != null && !shown.equals(value)) {
                headers.put(name, shown);
            }
        }
    }

    /** A text about the change without what the sink doesn't get to see of it. */
    public String hide(String text) {
        return redaction == null ? text : redaction.hide(text, original);
    }

    @Override
    public String toString() {
        return "copy of " + copy.id();
    }
}
