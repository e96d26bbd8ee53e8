package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class PgTypeTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "bool", "timestamptz", "timestamp",
                        "date",
                "time", "timetz", "interval", "json", "jsonb", "bytea", "text", "uuid", "mood", "_int4", "_mood"
            })
    void null_stays_null(String type) {
        assertThat(value(type, null)).isNull();
    }

    @Test
    void integers_are_longs() {
        assertThat(value("int2", "-32768")).isEqualTo(-32768L);
        assertThat(value("int4", "2147483647")).isEqualTo(2147483647L);
        assertThat(value("int8", "-9223372036854775808")).isEqualTo(Long.MIN_VALUE);
        assertThat(value("oid", "4294967295")).isEqualTo(4294967295L);
    }

    @Test
    void floats_are_numbers_unless_they_are_none() {
        assertThat(value("float8", "1.5")).isEqualTo(1.5);
        assertThat(value("float8", "1e+300")).isEqualTo(1e300);
        assertThat(value("float8", "-0")).isEqualTo(-0.0);
        assertThat(value("float4", "1.1")).isEqualTo(1.1f);
        for (String special : List.of("NaN", "Infinity", "-Infinity")) {
            assertThat(value("float8", special)).isEqualTo(special);
            assertThat(value("float4", special)).isEqualTo(special);
        }
    }

    @Test
    void booleans_come_from_both_of_postgresqls_spellings() {
        assertThat(value("bool", "t")).isEqualTo(true);
        assertThat(value("bool", "f")).isEqualTo(false);
        assertThat(value("bool", "true")).isEqualTo(true);
        assertThat(value("bool", "false")).isEqualTo(false);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1234567890123456789012345678901234567890123456789012345678901234567890",
                "-0.000000000000000000000000000000000000000000000000000000000000000000001",
                "1.00000",
                "NaN",
                "Infinity",
                "-Infinity"
            })
    void a_numeric_keeps_every_digit(String text) {
        assertThat(value("numeric", text)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({
        "2026-01-31 12:00:00.123456+00, 2026-01-31T12:00:00.123456Z",
        "2026-01-31 12:00:00.1+00, 2026-01-31T12:00:00.100000Z",
        "2026-01-31 12:00:00+00, 2026-01-31T12:00:00.000000Z",
        "2026-01-31 17:30:00.5+05:30, 2026-01-31T12:00:00.500000Z",
        "2025-12-31 20:00:00-04, 2026-01-01T00:00:00.000000Z",
        "1883-11-18 12:00:00-04:56:02, 1883-11-18T16:56:02.000000Z",
        "0044-03-15 12:00:00+00 BC, -0043-03-15T12:00:00.000000Z",
        "0001-12-31 23:00:00-02 BC, 0001-01-01T01:00:00.000000Z",
        "4714-11-24 00:00:00+00 BC, -4713-11-24T00:00:00.000000Z",
        "9999-12-31 23:59:59.999999+00, 9999-12-31T23:59:59.999999Z",
        "10000-01-01 00:00:00+00, +10000-01-01T00:00:00.000000Z",
        "294276-12-31 23:59:59.999999+00, +294276-12-31T23:59:59.999999Z"
    })
    void a_timestamptz_is_iso_8601_in_utc_with_six_digits(String text, String iso) {
        assertThat(value("timestamptz", text)).isEqualTo(iso);
        assertThat(PgTimes.iso(Instant.parse(iso))).isEqualTo(iso);
    }

    @ParameterizedTest
    @CsvSource({
        "2026-01-31 12:00:00.123456, 2026-01-31T12:00:00.123456",
        "2026-01-31 12:00:00, 2026-01-31T12:00:00.000000",
        "0001-01-01 00:00:00 BC, 0000-01-01T00:00:00.000000",
        "4714-11-24 00:00:00 BC, -4713-11-24T00:00:00.000000",
        "294276-12-31 23:59:59.9, +294276-12-31T23:59:59.900000"
    })
    void a_timestamp_is_the_same_without_zone(String text, String iso) {
        assertThat(value("timestamp", text)).isEqualTo(iso);
        assertThat(LocalDateTime.parse(iso)).isNotNull();
    }

    @ParameterizedTest
    @CsvSource({
        "2026-01-31, 2026-01-31",
        "0044-03-15 BC, -0043-03-15",
        "0001-02-29 BC, 0000-02-29",
        "5874897-12-31, +5874897-12-31",
    })
    void a_date_is_iso_8601(String text, String iso) {
        assertThat(value("date", text)).isEqualTo(iso);
        assertThat(LocalDate.parse(iso)).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"timestamptz", "timestamp", "date", "interval"})
    void the_infinities_keep_their_names(String type) {
        assertThat(value(type, "infinity")).isEqualTo("infinity");
        assertThat(value(type, "-infinity")).isEqualTo("-infinity");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "31.01.2026 12:00:00+00",
                "01/31/2026 12:00:00 UTC",
                "Sat Jan 31 12:00:00 2026 UTC",
                "2026-01-31",
                "2026-01-31 12:00:00",
                "2026-01-31 12:00:00.+00",
                "2026-01-31 12:00:00+00 AD",
                "99999999999-01-31 12:00:00+00",
                ""
            })
    void a_text_of_another_datestyle_is_refused(String text) {
        assertThatThrownBy(() -> value("timestamptz", text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("'" + text
                        + "' is no timestamptz as DateStyle=ISO prints it: the session's DateStyle must be ISO");
    }

    @Test
    void a_time_is_postgresqls_text() {
        assertThat(value("time", "12:00:00.5")).isEqualTo("12:00:00.5");
        assertThat(value("time", "24:00:00")).isEqualTo("24:00:00");
    }

    @ParameterizedTest
    @CsvSource({
        "12:00:00.5+00, 12:00:00.5+00",
        "12:00:00.500001+05:30, 06:30:00.500001+00",
        "01:00:00+02, 23:00:00+00",
        "23:00:00-02, 01:00:00+00",
        "24:00:00+00, 00:00:00+00",
        "12:00:00-15:59:59, 03:59:59+00"
    })
    void a_timetz_is_moved_to_utc(String text, String utc) {
        assertThat(value("timetz", text)).isEqualTo(utc);
    }

    @ParameterizedTest
    @CsvSource({
        "1 year 2 mons 3 days 04:05:06.789012, P1Y2M3DT4H5M6.789012S",
        "-1 years +2 mons -3 days +04:05:06.7, P-1Y2M-3DT4H5M6.7S",
        "1 year, P1Y",
        "-1 mons, P-1M",
        "1 day -00:00:00.5, P1DT-0.5S",
        "-04:05:06.7, PT-4H-5M-6.7S",
        "-00:00:00.000001, PT-0.000001S",
        "00:00:00, PT0S",
        "10:00:00, PT10H",
        "100:20:00, PT100H20M",
        "2562047788:00:54.775807, PT2562047788H54.775807S",
        "178956970 years 7 mons, P178956970Y7M"
    })
    void an_interval_is_iso_8601(String text, String iso) {
        assertThat(value("interval", text)).isEqualTo(iso);
        assertThat(value("interval", iso)).isEqualTo(iso);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1-2 3 4:05:06", "@ 1 year 2 mons", "0", "1 hour", ""})
    void a_text_of_another_intervalstyle_is_refused(String text) {
        assertThatThrownBy(() -> value("interval", text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("IntervalStyle must be postgres");
    }

    @Test
    void json_is_passed_on_as_it_is() {
        assertThat(value("json", "{\"a\" : 1.50}")).isEqualTo(new RawJson("{\"a\" : 1.50}"));
        assertThat(value("jsonb", "null")).isEqualTo(new RawJson("null"));
    }

    @ParameterizedTest
    @CsvSource({"\\x00ff10, AP8Q", "\\x, ''", "'', ''", "\\000\\377\\020, AP8Q", "a\\\\b, YVxi", "hello, aGVsbG8="})
    void a_bytea_is_base64_whatever_bytea_output_says(String text, String base64) {
        assertThat(value("bytea", text)).isEqualTo(base64);
    }

    @Test
    void an_array_is_a_list_by_its_elements_type() {
        assertThat(value("_int4", "{1,NULL,3}")).isEqualTo(Arrays.asList(1L, null, 3L));
        assertThat(value("_int8", "{}")).isEqualTo(List.of());
        assertThat(value("_numeric", "{NaN,1.00}")).isEqualTo(List.of("NaN", "1.00"));
        assertThat(value("_float8", "{NaN,1.5}")).isEqualTo(List.of("NaN", 1.5));
        assertThat(value("_bool", "{t,f}")).isEqualTo(List.of(true, false));
        assertThat(value("_bytea", "{\"\\\\x00ff10\",NULL}")).isEqualTo(Arrays.asList("AP8Q", null));
        assertThat(value("_timestamptz", "{\"2026-01-31 12:00:00+00\",infinity}"))
                .isEqualTo(List.of("2026-01-31T12:00:00.000000Z", "infinity"));
        assertThat(value("_interval", "{\"1 day 02:00:00\",00:00:00}")).isEqualTo(List.of("P1DT2H", "PT0S"));
        assertThat(value("_jsonb", "{\"{\\\"a\\\": [1, \\\"x,\\\\\\\\y\\\"]}\",null,NULL}"))
                .isEqualTo(Arrays.asList(new RawJson("{\"a\": [1, \"x,\\\\y\"]}"), new RawJson("null"), null));
    }

    @Test
    void an_array_of_more_dimensions_is_nested() {
        assertThat(value("_int4", "{{1,2},{NULL,4}}")).isEqualTo(List.of(List.of(1L, 2L), Arrays.asList(null, 4L)));
        assertThat(value("_text", "{{{a},{b}},{{c},{\"d}\"}}}"))
                .isEqualTo(List.of(List.of(List.of("a"), List.of("b")), List.of(List.of("c"), List.of("d}"))));
    }

    @Test
    void an_arrays_lower_bounds_are_left_out() {
        assertThat(value("_int4", "[0:2]={1,2,3}")).isEqualTo(List.of(1L, 2L, 3L));
        assertThat(value("_int4", "[-1:0][2:3]={{1,2},{3,4}}")).isEqualTo(List.of(List.of(1L, 2L), List.of(3L, 4L)));
    }

    @Test
    void an_arrays_quotes_are_undone() {
        assertThat(value("_text", "{\"\",NULL,\"NULL\",\"a\\\"b\",\"c\\\\d\",\"x,y\",\"{z}\",\" \",plain}"))
                .isEqualTo(Arrays.asList("", null, "NULL", "a\"b", "c\\d", "x,y", "{z}", " ", "plain"));
    }

    @Test
    void boxes_stand_apart_by_semicolons() {
        assertThat(value("_box", "{(3,4.1),(1,2);(1,1),(0,0)}")).isEqualTo(List.of("(3,4.1),(1,2)", "(1,1),(0,0)"));
    }

    @Test
    void a_type_whose_name_begins_like_an_arrays_keeps_its_text() {
        assertThat(value("_mood", "sad")).isEqualTo("sad");
        assertThat(value("_mood", "(1,2)")).isEqualTo("(1,2)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{1", "{1,2}x", "{\"a}", "{\"a\"b}", "{{1},{2}", "{\"a\\"})
    void a_broken_array_is_refused(String text) {
        assertThatThrownBy(() -> value("_text", text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("an array's text is malformed at character");
    }

    @Test
    void every_other_type_keeps_its_text() {
        for (String type :
                List.of("text", "varchar", "bpchar", "uuid", "mood", "int4range", "inet", "varbit", "hstore")) {
            assertThat(value(type, " a:'\"{}[1]")).isEqualTo(" a:'\"{}[1]");
            assertThat(value(type, "")).isEqualTo("");
        }
    }

    private static Object value(String type, String text) {
        return PgValues.toJsonValue(type, text);
    }
}
