package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What tells changes apart and orders them: LSN, version, event id, key text. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class IdentityTest {
    @ParameterizedTest
    @ValueSource(strings = {"0/0", "0/17D5A48", "1/0", "FFFFFFFF/FFFFFFFF", "80000000/1"})
    void an_lsn_is_printed_as_it_was_read(String text) {
        assertThat(Lsn.parse(text)).hasToString(text);
    }

    @Test
    void an_lsn_may_have_small_letters_zeros_and_blanks_around() {
        assertThat(Lsn.parse(" 00000001/0abcdef0\n")).hasToString("1/ABCDEF0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "17D5A48", "0/", "/0", "0/123456789", "g/0", "0/0/0", "-1/0"})
    void what_is_no_lsn_is_refused(String text) {
        assertThatThrownBy(() -> Lsn.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("'" + text + "' is not an LSN. Write it as PostgreSQL does: 0/17D5A48");
    }

    @Test
    void lsns_are_unsigned() {
        assertThat(Lsn.parse("80000000/0")).isGreaterThan(Lsn.parse("7FFFFFFF/FFFFFFFF"));
        assertThat(Lsn.parse("0/80000000").minus(Lsn.parse("0/7FFFFFFF"))).isEqualTo(1);
        assertThat(Lsn.parse("0/1").minus(Lsn.parse("0/3"))).isEqualTo(-2);
    }

    @Test
    void versions_compare_by_epoch_then_lsn_then_position_and_so_do_their_texts() {
        long seed = System.nanoTime();
        var random = new Random(seed);
        List<Version> versions = new ArrayList<>();
        long[] lsns = {
            0, 1, 255, 256, 0x7FFFFFFFFFFFFFFFL, 0x8000000000000000L, -1, random.nextLong(), random.nextLong()
        };
        for (long epoch : new long[] {0, 1, 9, 10, 16, 255, Integer.MAX_VALUE}) {
            for (long lsn : lsns) {
                for (int position : new int[] {0, 1, 9, 10, 300, Integer.MAX_VALUE}) {
                    versions.add(new Version(epoch, new Lsn(lsn), position));
                }
            }
        }
        Collections.shuffle(versions, random);
        assertThat(versions.stream().sorted().map(Version::toText))
                .as("seed %d", seed)
                .containsExactlyElementsOf(
                        versions.stream().map(Version::toText).sorted().toList());
        assertThat(versions)
                .allSatisfy(it -> assertThat(Version.parse(it.toText())).isEqualTo(it));
        assertThat(new Version(2, Lsn.ZERO, 0)).isGreaterThan(new Version(1, new Lsn(-1), 9));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "00000001-0000000000000001", "x-y-z", "00000001-0000000000000001-00000001-1"})
    void what_is_no_version_is_refused(String text) {
        assertThatThrownBy(() -> Version.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("'" + text + "' is not a version");
    }

    @Test
    void ids_differ_by_epoch_lsn_schema_table_and_position() {
        Set<String> ids = new HashSet<>();
        int made = 0;
        for (long epoch : new long[] {1, 2, 11}) {
            for (long lsn : new long[] {1, 0x11, 0x111, -1}) {
                for (String schema : List.of("public", "publi", "a")) {
                    for (String table : List.of("t", "ct", "b.t")) {
                        for (int position : new int[] {0, 1, 11}) {
                            ids.add(event(Operation.INSERT, schema, table, new Version(epoch, new Lsn(lsn), position))
                                    .id());
                            made++;
                        }
                    }
                }
            }
        }
        assertThat(ids).hasSize(made);
    }

    @Test
    void rows_of_one_copy_and_tables_of_one_truncate_have_ids_of_their_own() {
        Lsn lsn = Lsn.parse("0/17D5A48");
        assertThat(Arrays.asList(
                        event(Operation.INSERT, "public", "t", new Version(1, lsn, 0))
                                .id(),
                        event(Operation.INSERT, "public", "t", new Version(1, lsn, 1))
                                .id(),
                        event(Operation.TRUNCATE, "public", "u", new Version(1, lsn, 0))
                                .id()))
                .doesNotHaveDuplicates();
    }

    @Test
    void an_id_is_the_same_in_every_run() {
        // Written down on purpose: an id that a new version of walroute makes otherwise would deliver twice.
        assertThat(event(Operation.INSERT, "public", "listings", new Version(1, Lsn.parse("0/17D5A48"), 2))
                        .id())
                .isEqualTo("1-17d5a48-591ab21e58805c80-2");
    }

    @Test
    void a_read_rows_id_names_backfill_table_and_key() {
        assertThat(List.of(
                        read("first", "public", "t", "1").id(),
                        read("second", "public", "t", "1").id(),
                        read("first", "other", "t", "1").id(),
                        read("first", "public", "u", "1").id(),
                        read("first", "public", "t", "2").id(),
                        event(Operation.INSERT, "public", "t", new Version(1, Lsn.ZERO, 0))
                                .id()))
                .doesNotHaveDuplicates();
        assertThat(read("first", "public", "t", "1").id())
                .isEqualTo(read("first", "public", "t", "1").id());
    }

    @Test
    void an_id_is_fit_for_a_header() {
        assertThat(event(Operation.INSERT, "\u00d6\n", "\u2028:", new Version(1, new Lsn(-1), 0))
                        .id())
                .matches("[0-9a-z-]+");
    }

    @Test
    void a_keys_text_is_its_value() {
        assertThat(KeyText.of(List.of(42L))).isEqualTo("42");
        assertThat(KeyText.of(List.of("b\u00e4r"))).isEqualTo("b\u00e4r");
        assertThat(KeyText.of(List.of(""))).isEmpty();
        assertThat(KeyText.of(List.of(true))).isEqualTo("true");
        assertThat(KeyText.of(List.of(new RawJson("{\"a\": 1}")))).isEqualTo("{\"a\"%3A 1}");
    }

    @Test
    void two_keys_never_have_one_text() {
        assertThat(KeyText.of(List.of("a:b", "c"))).isEqualTo("a%3Ab:c");
        assertThat(KeyText.of(List.of("a", "b:c"))).isEqualTo("a:b%3Ac");
        assertThat(KeyText.of(List.of("a%3Ab", "c"))).isEqualTo("a%253Ab:c");
        assertThat(KeyText.of(List.of("", ""))).isEqualTo(":");
        assertThat(KeyText.of(List.of("a", ""))).isEqualTo("a:");
        assertThat(KeyText.of(List.of("100%"))).isEqualTo("100%25");
    }

    private static ChangeEvent event(Operation operation, String schema, String table, Version version) {
        return ChangeEvent.builder(operation, schema, table, Instant.EPOCH, version)
                .build();
    }

    private static ChangeEvent read(String backfill, String schema, String table, String key) {
        return ChangeEvent.builder(Operation.READ, schema, table, Instant.EPOCH, new Version(1, Lsn.ZERO, 0))
                .key("id", key)
                .backfill(backfill)
                .build();
    }
}
