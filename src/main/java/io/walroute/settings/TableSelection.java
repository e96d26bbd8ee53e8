package io.walroute.settings;

import io.walroute.slot.TableName;
import java.util.List;

/**
 * What {@code setup} publishes.
 *
 * @param all every table of the database; then {@code names} is empty
 */
public record TableSelection(boolean all, List<TableName> names) {
    public TableSelection {
        names = List.copyOf(names);
    }

    static TableSelection parse(String text) {
        if (text.strip().equalsIgnoreCase("all")) {
            return new TableSelection(true, List.of());
        }
        List<TableName> names;
        try {
            names = TableName.parseList(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("can't be read: " + e.getMessage());
        }
        if (names.isEmpty()) {
            throw new IllegalArgumentException("names no table. Write all, or names as listings,offers");
        }
        if (names.stream().distinct().count() < names.size()) {
            throw new IllegalArgumentException("names a table twice. Leave one out");
        }
        return new TableSelection(false, names);
    }
}
