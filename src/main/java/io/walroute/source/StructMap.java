package io.walroute.source;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Set;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;

/** A Struct as a map that is read only, and only when somebody looks: most changes' source metadata nobody does. */
final class StructMap extends AbstractMap<String, Object> {
    private final Struct struct;

    StructMap(Struct struct) {
        this.struct = struct;
    }

    @Override
    public Object get(Object name) {
        Field field = name instanceof String text ? struct.schema().field(text) : null;
        return field == null ? null : struct.get(field);
    }

    @Override
    public boolean containsKey(Object name) {
        return name instanceof String text && struct.schema().field(text) != null;
    }

    @Override
    public Set<Entry<String, Object>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public int size() {
                return struct.schema().fields().size();
            }

            @Override
            public Iterator<Entry<String, Object>> iterator() {
                return struct.schema().fields().stream()
                        .<Entry<String, Object>>map(
                                field -> new SimpleImmutableEntry<>(field.name(), struct.get(field)))
                        .iterator();
            }
        };
    }
}
