package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import io.walroute.change.RawJson;
import io.walroute.change.RowMap;
import java.util.Collection;
import java.util.Map;

/** What a held change costs in memory, roughly: enough to bound wide rows, cheap enough to ask for every one. */
final class HeldBytes {
    /** The event itself, its maps and headers, and the lane's own records of it. */
    private static final long FIXED = 1_000;
    /** A map entry and a small object. */
    private static final long PER_VALUE = 64;

    private HeldBytes() {}

    static long of(Object body) {
        if (body instanceof ChangeEvent event) {
            return FIXED + ofRow(event.oldRow()) + ofRow(event.newRow());
        }
        return FIXED + ofValue(body);
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

    private static long ofValue(Object value) {
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
