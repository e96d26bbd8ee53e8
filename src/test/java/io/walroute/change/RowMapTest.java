package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RowMapTest {
    private static final RowMap.Columns COLUMNS = new RowMap.Columns(List.of("z", "a", "m"));

    private final RowMap row = new RowMap(COLUMNS, new Object[] {1L, null, "x"});

    private static Map<String, Object> same() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("z", 1L);
        map.put("a", null);
        map.put("m", "x");
        return map;
    }

    @Test
    void it_is_a_map_like_others() {
        assertThat(row).isEqualTo(same()).hasSameHashCodeAs(same()).hasToString(same().toString());
        assertThat(same()).isEqualTo(row);
        assertThat(row.entrySet()).isEqualTo(same().entrySet());
        assertThat(row.get("m")).isEqualTo("x");
        assertThat(row.get("none")).isNull();
        assertThat(row.containsKey("a")).isTrue();
        assertThat(row.containsKey("none")).isFalse();
        assertThat(row).hasSize(3);
    }

    @Test
    void its_columns_are_in_the_tables_order_whichever_way_they_are_asked_for() {
        assertThat(row.keySet()).containsExactly("z", "a", "m");
        assertThat(row.values()).containsExactly(1L, null, "x");
        assertThat(row.entrySet()).extracting(Map.Entry::getKey).containsExactly("z", "a", "m");
        List<String> seen = new ArrayList<>();
        row.forEach((name, value) -> seen.add(name + "=" + value));
        assertThat(seen).containsExactly("z=1", "a=null", "m=x");
    }

    @Test
    void it_can_not_be_changed() {
        assertThatThrownBy(() -> row.put("z", 2L)).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> row.remove("z")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> row.keySet().remove("z")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> row.entrySet().iterator().next().setValue(2L))
                .isInstanceOf(UnsupportedOperationException.class);
        assertThat(row).isEqualTo(same());
    }

    @Test
    void a_column_comes_once_and_has_one_value() {
        assertThatThrownBy(() -> new RowMap.Columns(List.of("a", "a"))).hasMessageContaining("column a comes twice");
        assertThatThrownBy(() -> new RowMap(COLUMNS, new Object[2])).hasMessageContaining("2 values for 3 columns");
    }
}
