package io.walroute.change;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * A row as a map from column to value, in the table's column order: an array beside names that all rows of a table share. No
 * object for each column, which counts where thousands of changes are under way.
 *
 * <p>Immutable if nobody changes the array that it was given. Values may be null.
 */
public final class RowMap extends AbstractMap<String, Object> {
    /** The columns of a table's rows, in order. Immutable. */
    public static final class Columns {
        private final String[] names;
        private final Map<String, Integer> places;
        private final Set<String> inOrder;

        /** @throws IllegalArgumentException if a name comes twice */
        public Columns(List<String> names) {
            this.names = names.toArray(String[]::new);
            places = new HashMap<>(this.names.length * 2);
            inOrder = Collections.unmodifiableSet(new LinkedHashSet<>(names));
            for (int i = 0; i < this.names.length; i++) {
                if (places.put(this.names[i], i) != null) {
                    throw new IllegalArgumentException("column " + this.names[i] + " comes twice");
                }
            }
        }

        public int size() {
            return names.length;
        }

        /** @param place from 0 */
        public String name(int place) {
            return names[place];
        }
    }

    private final Columns columns;
    private final Object[] values;

    /** Its JSON, once somebody has written it. Volatile: who sees the array must see its bytes. */
    volatile WrittenRow written;

    /** @param values as many as there are columns; given away */
    public RowMap(Columns columns, Object[] values) {
        if (values.length != columns.size()) {
            throw new IllegalArgumentException(values.length + " values for " + columns.size() + " columns");
        }
        this.columns = columns;
        this.values = values;
    }

    /** The columns themselves: rows that share them can be compared place by place. */
    public Columns columns() {
        return columns;
    }

    /** @param place from 0, in column order */
    public Object value(int place) {
        return values[place];
    }

    @Override
    public int size() {
        return values.length;
    }

    @Override
    public boolean containsKey(Object name) {
        return columns.places.containsKey(name);
    }

    @Override
    public Object get(Object name) {
        Integer place = columns.places.get(name);
        return place == null ? null : values[place];
    }

    @Override
    public Set<String> keySet() {
        return columns.inOrder;
    }

    @Override
    public Collection<Object> values() {
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    @Override
    public void forEach(BiConsumer<? super String, ? super Object> action) {
        for (int i = 0; i < values.length; i++) {
            action.accept(columns.names[i], values[i]);
        }
    }

    @Override
    public Set<Entry<String, Object>> entrySet() {
        return new Entries();
    }

    private final class Entries extends AbstractSet<Entry<String, Object>> {
        @Override
        public int size() {
            return values.length;
        }

        @Override
        public Iterator<Entry<String, Object>> iterator() {
            return new Iterator<>() {
                private int next;

                @Override
                public boolean hasNext() {
                    return next < values.length;
                }

                @Override
                public Entry<String, Object> next() {
                    if (next >= values.length) {
                        throw new NoSuchElementException();
                    }
                    return new Column(columns.names[next], values[next++]);
                }
            };
        }
    }

    private record Column(String name, Object value) implements Entry<String, Object> {
        @Override
        public String getKey() {
            return name;
        }

        @Override
        public Object getValue() {
            return value;
        }

        @Override
        public Object setValue(Object other) {
            throw new UnsupportedOperationException("a row doesn't change");
        }

        // As Map.Entry has it: records differ.
        @Override
        public boolean equals(Object other) {
            return other instanceof Entry<?, ?> entry
                    && name.equals(entry.getKey())
                    && Objects.equals(value, entry.getValue());
        }

        @Override
        public int hashCode() {
            return name.hashCode() ^ Objects.hashCode(value);
        }

        @Override
        public String toString() {
            return name + "=" + value;
        }
    }
}
