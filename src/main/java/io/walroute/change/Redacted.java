package io.walroute.change;

import java.util.Map;
import java.util.Optional;

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

    /** A text about the change without what the sink doesn't get to see of it. */
    public String hide(String text) {
        return redaction == null ? text : redaction.hide(text, original);
    }

    @Override
    public String toString() {
        return "copy of " + copy.id();
    }
}
