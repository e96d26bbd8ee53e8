package io.debezium.util;

import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * In place of Debezium's class of this name, which encodes each text of a change to learn how long it is. Only the limit of the
 * engine's queue in bytes goes by it, so the number of characters will do.
 */
public class ApproximateStructSizeCalculator {
    private static final int OBJECT = 56;
    private static final int NUMBER = 24;
    private static final int REFERENCE = 8;
    /** Of the maps of partition, offset and headers. */
    private static final int ENTRY = 100;

    public static long getApproximateRecordSize(SourceRecord record) {
        return (long) ENTRY * (size(record.sourcePartition()) + size(record.sourceOffset()))
                + (long) ENTRY * record.headers().size()
                + record.topic().length()
                + (record.value() instanceof Struct value && value.schema().field("after") != null
                        ? ofChange(value)
                        : of(record.value()));
    }

    /** Its rows: all else, key included, has about one size. */
    private static long ofChange(Struct value) {
        return 10 * (long) ENTRY + of(value.getWithoutDefault("before")) + of(value.getWithoutDefault("after"));
    }

    private static int size(Map<String, ?> map) {
        return map == null ? 0 : map.size();
    }

    private static long of(Object value) {
        if (value == null) {
            return 0;
        } else if (value instanceof String text) {
            return OBJECT + text.length();
        } else if (value instanceof Struct struct) {
            return of(struct);
        } else if (value instanceof byte[] bytes) {
            return NUMBER + bytes.length;
        } else if (value instanceof ByteBuffer buffer) {
            return NUMBER + buffer.remaining();
        } else if (value instanceof Map<?, ?> map) {
            return of(map.keySet()) + of(map.values());
        } else if (value instanceof Collection<?> collection) {
            long size = OBJECT;
            for (Object element : collection) {
                size += REFERENCE + of(element);
            }
            return size;
        }
        return NUMBER;
    }

    private static long of(Struct struct) {
        List<Field> fields = struct.schema().fields();
        long size = OBJECT;
        for (int i = 0; i < fields.size(); i++) {
            Field field = fields.get(i);
            // With the schema's default in place of NULL: that looks nothing up by name.
            size += REFERENCE + of(struct.get(field));
        }
        return size;
    }
}
