package io.walroute.change;

import java.util.Collection;
import java.util.Map;

/** What values take in memory, roughly: enough to bound wide rows, cheap enough to ask for every change. */
public final class RoughBytes {
    /** A map entry and a small object. */
    private static final long PER_VALUE = 64;

    private RoughBytes() {}

    static long of(ChangeEvent event) {
        return ofRow(event.oldRow()) + ofRow(event.newRow());
    }

    private static long ofRow(Map<String, Object> row) {
        long bytes = 0;
        if (row instanceof RowMap values) {
            for (int i = 0; i < values.size(); i++) {
                bytes += PER_VALUE + ofValue(values.value(i));
            }
        } else if (row != null) {
            for (Object value : row.values()) {
                bytes += PER_VALUE + ofValue(value);
            }
        }
        return bytes;
    }

    /** @param value of a row, or any other text or bytes */
    public static long ofValue(Object value) {
        if (value instanceof String text) {
            return text.length();
        }
        if (value instanceof RawJson json) {
            return json.text().length();
        }
        if (value instanceof byte[] bytes) {
            return bytes.length;
        }
        if (value instanceof Collection<?> list) {
            return list.stream().mapToLong(one -> PER_VALUE + ofValue(one)).sum();
        }
        return 0;
    }
}
