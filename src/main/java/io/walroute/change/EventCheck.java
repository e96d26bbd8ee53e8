package io.walroute.change;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Whether a change may leave: its JSON is not too long for whoever gets it, and it is what the contract says of its operation.
 * Routes may build changes of their own; what is half of one must not reach anybody.
 */
public final class EventCheck {
    /** A byte of a text may become the six characters of an escape. */
    private static final int LONGEST_ESCAPE = 6;
    /** Braces, quotes, commas and the longest scalar, per column. */
    private static final int PER_COLUMN = 64;

    private static final int FIXED = 1_000;
    /** No escapes, names and brackets make a JSON so many times longer than the size that {@link #problem} is told. */
    private static final int FAR = 32;

    private EventCheck() {}

    /** Null if it may leave; otherwise one line that shows none of its values. */
    public static String problem(ChangeEvent event, long maxBytes) {
        return problem(event, maxBytes, Long.MAX_VALUE);
    }

    /** @param size about what its rows take, 64 for each value and its characters, if that is known already: most are far from the limit */
    public static String problem(ChangeEvent event, long maxBytes, long size) {
        String shape = shape(event);
        if (shape != null) {
            return "the change is malformed: " + shape;
        }
        return size <= maxBytes / FAR ? null : size(event, maxBytes);
    }

    private static String size(ChangeEvent event, long maxBytes) {
        // Most changes are so small that they needn't be written to know it; a cache never needs their JSON.
        if (FIXED + atMost(event.key()) + atMost(event.oldRow()) + atMost(event.newRow()) <= maxBytes) {
            return null;
        }
        long bytes = event.toJson().length;
        return bytes <= maxBytes
                ? null
                : String.format(
                        "the change has %,d bytes as JSON, walroute.max-event-bytes allows %,d. Raise it, or drop a column of"
                                + " %s (walroute.tables.%s.redact.COLUMN=drop), then redrive",
                        bytes, maxBytes, event.qualifiedTable(), event.qualifiedTable());
    }

    private static long atMost(Map<String, Object> row) {
        if (row == null) {
            return 0;
        }
        long bytes = 0;
        for (String column : row.keySet()) {
            bytes += PER_COLUMN + (long) LONGEST_ESCAPE * column.length();
        }
        for (Object value : row.values()) {
            bytes += atMost(value);
        }
        return bytes;
    }

    private static long atMost(Object value) {
        if (value instanceof String text) {
            return (long) LONGEST_ESCAPE * text.length();
        } else if (value instanceof RawJson json) {
            return 3L * json.text().length();
        } else if (value instanceof List<?> list) {
            return list.stream().mapToLong(one -> PER_COLUMN + atMost(one)).sum();
        }
        return 0;
    }

    private static String shape(ChangeEvent event) {
        return switch (event.operation()) {
            case INSERT, READ -> event.newRow() == null ? "it has no new row" : columns(event);
            case UPDATE -> event.newRow() == null ? "it has no new row" : columns(event);
            case DELETE -> event.newRow() != null ? "a DELETE has a new row" : null;
            case TRUNCATE ->
                event.newRow() != null || event.oldRow() != null || event.key() != null ? "a TRUNCATE has a row" : null;
        };
    }

    private static String columns(ChangeEvent event) {
        Optional<String> both = event.unavailableColumns().isEmpty()
                ? Optional.empty()
                : event.unavailableColumns().stream()
                        .filter(event.newRow()::containsKey)
                        .findFirst();
        if (both.isPresent()) {
            return "its column " + both.get() + " is both in new and unavailable";
        }
        if (event.key() != null) {
            for (String column : event.key().keySet()) {
                if (!event.newRow().containsKey(column)
                        && !event.unavailableColumns().contains(column)) {
                    return "its key column " + column + " is not in new";
                }
            }
        }
        return null;
    }
}
