package io.walroute.change;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * The headers of a message as a map whose copies cost next to nothing: what nobody has changed, they share. A change's message
 * is copied by each lane that it is handed to, and once more by each error handler that may have to try again.
 *
 * <p>The names that every change has stand in one {@link Names} for all of them; whatever a route adds goes into a map of its
 * own. Names are case-sensitive; values, and one name, may be null. As with any Camel message, one thread at a time; copies are
 * independent of each other, and may go to different threads. An entry is live: it tells what the map has under its name now.
 */
public final class SharedHeaders extends AbstractMap<String, Object> {
    /** Names that many messages have in common. Immutable. */
    public static final class Names {
        private static final Names NONE = new Names(List.of());

        private final String[] names;
        private final Map<String, Integer> places = new HashMap<>();

        /** @throws IllegalArgumentException if a name comes twice */
        public Names(List<String> names) {
            this.names = names.toArray(String[]::new);
            for (int i = 0; i < this.names.length; i++) {
                if (places.put(this.names[i], i) != null) {
                    throw new IllegalArgumentException("the header " + this.names[i] + " comes twice");
                }
            }
        }
    }

    /** In place of the value of a common name that was removed. */
    private static final Object REMOVED = new Object();

    private static final Object[] NO_VALUES = {};

    private Names names = Names.NONE;
    private Object[] values = NO_VALUES;
    private int removed;
    /** Null while there is none. */
    private Map<String, Object> others;

    private boolean sharesValues;
    private boolean sharesOthers;

    /** Without a header. */
    public SharedHeaders() {}

    /** @param values one for each name, in their order; given away */
    public SharedHeaders(Names names, Object... values) {
        if (values.length != names.names.length) {
            throw new IllegalArgumentException(values.length + " values for " + names.names.length + " headers");
        }
        this.names = names;
        this.values = values;
    }

    /** With the headers of {@code from}, of whatever kind that is. */
    public SharedHeaders(Map<String, Object> from) {
        putAll(from);
    }

    private void share(SharedHeaders from) {
        names = from.names;
        values = from.values;
        removed = from.removed;
        others = from.others;
        from.sharesValues = true;
        from.sharesOthers = true;
        sharesValues = true;
        sharesOthers = true;
    }

    @Override
    public int size() {
        return values.length - removed + (others == null ? 0 : others.size());
    }

    @Override
    public boolean containsKey(Object name) {
        Integer place = names.places.get(name);
        return place != null ? values[place] != REMOVED : others != null && others.containsKey(name);
    }

    @Override
    public Object get(Object name) {
        Integer place = names.places.get(name);
        if (place == null) {
            return others == null ? null : others.get(name);
        }
        return present(values[place]);
    }

    private static Object present(Object value) {
        return value == REMOVED ? null : value;
    }

    @Override
    public Object put(String name, Object value) {
        Integer place = names.places.get(name);
        return place != null ? set(place, value) : ownOthers().put(name, value);
    }

    @Override
    public Object remove(Object name) {
        Integer place = names.places.get(name);
        if (place != null) {
            return set(place, REMOVED);
        }
        return others == null || !others.containsKey(name) ? null : ownOthers().remove(name);
    }

    private Object set(int place, Object value) {
        Object before = values[place];
        if (before == value) {
            return present(before);
        }
        if (sharesValues) {
            values = values.clone();
            sharesValues = false;
        }
        values[place] = value;
        removed += (value == REMOVED ? 1 : 0) - (before == REMOVED ? 1 : 0);
        return present(before);
    }

    private Map<String, Object> ownOthers() {
        if (others == null) {
            others = new HashMap<>(8);
        } else if (sharesOthers) {
            others = new HashMap<>(others);
        }
        sharesOthers = false;
        return others;
    }

    @Override
    public void putAll(Map<? extends String, ?> from) {
        if (from instanceof SharedHeaders headers && isEmpty()) {
            share(headers);
            return;
        }
        from.forEach(this::put);
    }

    @Override
    public void clear() {
        names = Names.NONE;
        values = NO_VALUES;
        removed = 0;
        others = null;
        sharesValues = false;
        sharesOthers = false;
    }

    @Override
    public void forEach(BiConsumer<? super String, ? super Object> action) {
        for (int i = 0; i < values.length; i++) {
            if (values[i] != REMOVED) {
                action.accept(names.names[i], values[i]);
            }
        }
        if (others != null) {
            others.forEach(action);
        }
    }

    @Override
    public Set<Entry<String, Object>> entrySet() {
        return new Entries();
    }

    private List<String> currentNames() {
        List<String> current = new ArrayList<>(size());
        forEach((name, value) -> current.add(name));
        return current;
    }

    /** A view as {@link Map#entrySet} wants it; its iterators go through the names that there were when they began. */
    private final class Entries extends AbstractSet<Entry<String, Object>> {
        @Override
        public int size() {
            return SharedHeaders.this.size();
        }

        @Override
        public Iterator<Entry<String, Object>> iterator() {
            Iterator<String> current = currentNames().iterator();
            return new Iterator<>() {
                private String last;
                private boolean mayRemove;

                @Override
                public boolean hasNext() {
                    return current.hasNext();
                }

                @Override
                public Entry<String, Object> next() {
                    if (!current.hasNext()) {
                        throw new NoSuchElementException();
                    }
                    last = current.next();
                    mayRemove = true;
                    return new Header(last);
                }

                @Override
                public void remove() {
                    if (!mayRemove) {
                        throw new IllegalStateException("nothing to remove");
                    }
                    mayRemove = false;
                    SharedHeaders.this.remove(last);
                }
            };
        }
    }

    private final class Header implements Entry<String, Object> {
        private final String name;

        Header(String name) {
            this.name = name;
        }

        @Override
        public String getKey() {
            return name;
        }

        @Override
        public Object getValue() {
            return get(name);
        }

        @Override
        public Object setValue(Object value) {
            return put(name, value);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Entry<?, ?> entry
                    && Objects.equals(name, entry.getKey())
                    && Objects.equals(getValue(), entry.getValue());
        }

        @Override
        public int hashCode() {
            return Objects.hashCode(name) ^ Objects.hashCode(getValue());
        }

        @Override
        public String toString() {
            return name + "=" + getValue();
        }
    }
}
