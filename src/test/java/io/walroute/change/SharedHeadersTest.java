package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SharedHeadersTest {
    private static final SharedHeaders.Names NAMES = new SharedHeaders.Names(List.of("table", "lsn", "before"));
    private static final List<String> ANY = List.of("table", "lsn", "before", "topic", "other", "third", "fourth");

    private static SharedHeaders headers() {
        return new SharedHeaders(NAMES, "listings", "0/1", null);
    }

    private static Map<String, Object> model() {
        Map<String, Object> model = new HashMap<>();
        model.put("table", "listings");
        model.put("lsn", "0/1");
        model.put("before", null);
        return model;
    }

    /** Whatever is done to a map and its copies, each is as a HashMap would be. */
    @Property(tries = 500)
    void it_does_what_a_hash_map_does_and_copies_are_independent(
            @ForAll @Size(min = 5, max = 80) List<@IntRange(min = 0, max = 9999) Integer> choices) {
        List<Map<String, Object>> maps = new ArrayList<>(List.of(headers()));
        List<Map<String, Object>> models = new ArrayList<>(List.of(model()));
        for (int choice : choices) {
            int which = choice % maps.size();
            Map<String, Object> map = maps.get(which);
            Map<String, Object> model = models.get(which);
            String name = ANY.get(choice / 7 % ANY.size());
            Object value = choice % 11 == 0 ? null : choice;
            switch (choice / 50 % 9) {
                case 0, 1 -> assertThat(map.put(name, value)).isEqualTo(model.put(name, value));
                case 2 -> assertThat(map.remove(name)).isEqualTo(model.remove(name));
                case 3, 4 -> {
                    maps.add(new SharedHeaders(map));
                    models.add(new HashMap<>(model));
                }
                case 5 -> {
                    map.keySet().removeIf(each -> each.compareTo(name) < 0);
                    model.keySet().removeIf(each -> each.compareTo(name) < 0);
                }
                case 6 -> {
                    map.replaceAll((key, old) -> key + old);
                    model.replaceAll((key, old) -> key + old);
                }
                case 7 -> {
                    map.putAll(name.equals("fourth") ? Map.of() : Map.of(name, choice, "fourth", "4"));
                    model.putAll(name.equals("fourth") ? Map.of() : Map.of(name, choice, "fourth", "4"));
                }
                default -> {
                    if (choice % 5 == 0) {
                        map.clear();
                        model.clear();
                    } else {
                        map.entrySet().forEach(each -> each.setValue("v"));
                        model.entrySet().forEach(each -> each.setValue("v"));
                    }
                }
            }
            for (int i = 0; i < maps.size(); i++) {
                isAs(maps.get(i), models.get(i));
            }
        }
    }

    private static void isAs(Map<String, Object> map, Map<String, Object> model) {
        assertThat(map).hasSameSizeAs(model).isEqualTo(model);
        assertThat(map.hashCode()).isEqualTo(model.hashCode());
        Map<String, Object> visited = new HashMap<>();
        map.forEach(visited::put);
        assertThat(visited).isEqualTo(model);
        for (String name : ANY) {
            assertThat(map.get(name)).isEqualTo(model.get(name));
            assertThat(map.containsKey(name)).isEqualTo(model.containsKey(name));
        }
    }

    @Test
    void a_copy_of_a_copy_shares_nothing_that_is_changed_later() {
        SharedHeaders first = headers();
        first.put("topic", "a");
        SharedHeaders second = new SharedHeaders(first);
        var third = new SharedHeaders(second);
        first.put("topic", "b");
        first.put("table", "offers");
        second.remove("lsn");
        assertThat(third)
                .containsEntry("topic", "a")
                .containsEntry("table", "listings")
                .containsEntry("lsn", "0/1");
        assertThat(second)
                .containsEntry("topic", "a")
                .containsEntry("table", "listings")
                .doesNotContainKey("lsn");
    }

    @Test
    void an_iterator_ends_and_removes_as_it_should() {
        Iterator<Map.Entry<String, Object>> entries =
                new SharedHeaders().entrySet().iterator();
        assertThat(entries.hasNext()).isFalse();
        assertThatThrownBy(entries::next).isInstanceOf(java.util.NoSuchElementException.class);
        assertThatThrownBy(headers().entrySet().iterator()::remove).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void each_name_has_a_value() {
        assertThatThrownBy(() -> new SharedHeaders(NAMES, "listings")).hasMessage("1 values for 3 headers");
        assertThatThrownBy(() -> new SharedHeaders.Names(List.of("a", "a"))).hasMessageContaining("a comes twice");
    }

    @Test
    void camel_takes_it_for_its_own_kind_of_map() throws Exception {
        try (var context = new DefaultCamelContext()) {
            context.getCamelContextExtension().setHeadersMapFactory(new SharedHeadersFactory());
            context.start();
            var exchange = new DefaultExchange(context);
            SharedHeaders headers = headers();
            exchange.getMessage().setHeaders(headers);
            assertThat(exchange.getMessage().getHeaders()).isSameAs(headers);
            var copy = exchange.copy();
            copy.getMessage().setHeader("table", "offers");
            copy.getMessage().removeHeaders("l*");
            assertThat(copy.getMessage().getHeaders()).containsOnlyKeys("table", "before");
            assertThat(exchange.getMessage().getHeaders()).isEqualTo(model());
        }
    }
}
