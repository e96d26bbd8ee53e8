package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ChangeJsonTest {
    private static final Instant NOON = Instant.parse("2026-01-31T12:00:00.123456Z");
    private static final Version VERSION = new Version(1, Lsn.parse("0/17D5A48"), 0);
    private static final String FORTY_DIGITS = "1234567890123456789012345678901234567890";

    @Test
    void an_update_is_the_contracts_json_to_the_letter() {
        ChangeEvent event = ChangeEvent.builder(Operation.UPDATE, "public", "listings", NOON, VERSION)
                .key("id", 42L)
                .oldRow(row("id", 42L, "price_wei", "1", "metadata", new RawJson("{\"a\": 1.0}")))
                .newRow(row("id", 42L, "price_wei", FORTY_DIGITS, "ens_name", null))
                .changedColumns(List.of("price_wei"))
                .unavailableColumns(List.of("metadata"))
                .xid(12345)
                .build();
        assertThat(event)
                .hasToString("{\"id\":\"" + event.id() + "\",\"operation\":\"UPDATE\",\"schema\":\"public\""
                        + ",\"table\":\"listings\",\"timestamp\":\"2026-01-31T12:00:00.123456Z\",\"key\":{\"id\":42}"
                        + ",\"old\":{\"id\":42,\"price_wei\":\"1\",\"metadata\":{\"a\": 1.0}}"
                        + ",\"new\":{\"id\":42,\"price_wei\":\"" + FORTY_DIGITS + "\",\"ens_name\":null}"
                        + ",\"changed_columns\":[\"price_wei\"],\"lsn\":\"0/17D5A48\",\"xid\":12345,\"snapshot\":false"
                        + ",\"replayed\":false,\"unavailable_columns\":[\"metadata\"]}");
    }

    @Test
    void a_text_that_can_not_be_written_leaves_nothing_in_the_next() {
        assertThat(ChangeJson.writeRow(row("a", 1L))).isEqualTo("{\"a\":1}");
        assertThatThrownBy(() -> ChangeJson.writeRow(row("b", 2L, "c", new Object())))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(ChangeJson.writeRow(row("d", 3L))).isEqualTo("{\"d\":3}");
        String large = "x".repeat(1_000_000);
        assertThat(ChangeJson.writeRow(row("e", large))).isEqualTo("{\"e\":\"" + large + "\"}");
        assertThat(ChangeJson.writeRow(row("f", 4L))).isEqualTo("{\"f\":4}");
    }

    @Test
    void an_lsn_is_written_as_postgresql_does() {
        var random = new Random(6);
        for (int i = 0; i < 10_000; i++) {
            long value = random.nextLong() >>> random.nextInt(64);
            assertThat(new Lsn(value)).hasToString(String.format("%X/%X", value >>> 32, value & 0xFFFFFFFFL));
        }
        assertThat(Lsn.ZERO).hasToString("0/0");
    }

    @Test
    void a_truncate_has_neither_key_nor_rows() {
        ChangeEvent event = ChangeEvent.builder(Operation.TRUNCATE, "billing", "invoices", Instant.EPOCH, VERSION)
                .build();
        assertThat(event)
                .hasToString("{\"id\":\"" + event.id() + "\",\"operation\":\"TRUNCATE\",\"schema\":\"billing\""
                        + ",\"table\":\"invoices\",\"timestamp\":\"1970-01-01T00:00:00.000000Z\",\"key\":null,\"old\":null"
                        + ",\"new\":null,\"changed_columns\":null,\"lsn\":\"0/17D5A48\",\"xid\":0,\"snapshot\":false"
                        + ",\"replayed\":false,\"unavailable_columns\":[]}");
        assertSame(ChangeEvent.fromJson(event.toJson()), event);
    }

    @Test
    void every_member_survives_reading() {
        ChangeEvent event = ChangeEvent.builder(
                        Operation.UPDATE, "B\u00e4r", "T:1", NOON, new Version(7, Lsn.parse("FFFFFFFF/FFFFFFFF"), 3))
                .key(row("a", "x:y", "b", 2L))
                .oldRow(row("a", "x", "b", 2L))
                .newRow(row("a", "x:y", "b", 2L))
                .changedColumns(List.of("a"))
                .unavailableColumns(List.of("c"))
                .xid(4294967295L)
                .snapshot(true)
                .replayed(true)
                .build();
        ChangeEvent read = ChangeEvent.fromJson(event.toJson());
        assertSame(read, event);
        assertThat(read.version()).isEqualTo(event.version());
        assertThat(read.key()).isEqualTo(event.key());
        assertThat(read.keyText()).isEqualTo("x%3Ay:2");
        assertThat(read.keyChanged()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-1",
                "0",
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775808",
                "-0",
                "1.5",
                "1.50",
                "-0.0",
                "1E400",
                "1e5",
                "1.0E15",
                "8.41E21",
                "0.1",
                "1234567890123456789012345678901234567890",
                "0.1234567890123456789012345678901234567890",
                "true",
                "false",
                "null",
                "\"\"",
                "\"a\"",
                "\"\\u2028\"",
                "\"\u2028\"",
                "\"\\/\"",
                "\"\\u00e4\"",
                "\"\u00e4\"",
                "\"\uD83D\uDE00\"",
                "\"\\ud83d\\ude00\"",
                "\"\\ud800\"",
                "\"\\u001f\"",
                "\"\\u001F\"",
                "\"\\b\\f\\n\\r\\t\\\"\\\\\"",
                "\"\u007f\"",
                "[]",
                "{}",
                "[ 1,2 , [3.10]]",
                "{\"\": {\"\": 1}, \"\": 2}",
                "{\n \"a\" :\t1.000 }",
                "[\"\\u0000\", \"\uD83D\uDE00\"]"
            })
    void whatever_json_holds_is_written_again_byte_for_byte(String json) {
        assertSurvives(row("id", 1L, "before", "\uD83D\uDE00", "j", new RawJson(json), "after", "\u00e4"));
        assertThat(ChangeJson.readRow("{\"j\":" + json + "}").get("j")).isIn(inner(json));
    }

    @Test
    void values_of_every_java_type_are_written_again_byte_for_byte() {
        assertSurvives(row(
                "text",
                "\u2028 \uD83D\uDE00 \" \\ \n \u0001 \u007f / <",
                "empty",
                "",
                "null",
                null,
                "numeric",
                FORTY_DIGITS + ".10",
                "long",
                Long.MIN_VALUE,
                "true",
                true,
                "double",
                1e300,
                "tenth",
                0.1,
                "float",
                1.1f,
                "minus zero",
                -0.0,
                "jdk17 prints this one longer",
                2.0E-3 * 1e-20,
                "bc",
                "-0043-03-15T12:00:00.000000Z",
                "array",
                Arrays.asList(List.of(1L, 2L), Arrays.asList(null, "x"), List.of(), new RawJson("{\"a\" : 1}")),
                "\u00e4 \"quoted\"",
                "x"));
    }

    @Test
    void doubles_read_back_are_doubles_again() {
        assertThat(ChangeJson.readRow(ChangeJson.writeRow(row("d", 0.1, "f", 1.1f, "i", 3.0))))
                .isEqualTo(row("d", 0.1, "f", 1.1, "i", 3.0));
    }

    @Test
    void a_key_of_floats_is_the_same_text_after_reading() {
        for (double number : new double[] {8.41E21, 2.0E-3, 1e300, 0.1, 3, 5.684341886080802E-14}) {
            ChangeEvent event = ChangeEvent.builder(Operation.INSERT, "public", "t", NOON, VERSION)
                    .key("k", number)
                    .newRow(row("k", number))
                    .build();
            assertThat(ChangeEvent.fromJson(event.toJson()).keyText()).isEqualTo(event.keyText());
        }
    }

    @Test
    void megabytes_of_four_byte_characters_are_cut_at_the_right_place() {
        String text = "\uD83D\uDE00\u00e4x".repeat(1_000_000);
        assertSurvives(row(
                "a", new RawJson("{\"x\": [\"" + text + "\"]}"),
                "b", text,
                "c", new RawJson("[1, \"" + text + "\"]"),
                "d", new RawJson("\"\\/" + text + "\""),
                "e", 1L));
    }

    @Test
    void depth_long_names_and_long_numbers_survive() {
        int depth = 100_000;
        assertSurvives(row(
                "deep", new RawJson("[".repeat(depth) + "1.10" + "]".repeat(depth)),
                "name", new RawJson("{\"" + "n".repeat(200_000) + "\": 1}"),
                "number", new RawJson("1" + "0".repeat(131_071) + "." + "1".repeat(16_383)),
                "last", 1L));
    }

    @Test
    void many_names_inside_of_json_survive() {
        var json = new StringBuilder("{");
        var random = new Random(1);
        for (int i = 0; i < 100_000; i++) {
            json.append(i == 0 ? "\"" : ", \"")
                    .append(Long.toString(random.nextLong(), 36))
                    .append("\": 1");
        }
        assertSurvives(row("names", new RawJson(json.append('}').toString())));
    }

    @Test
    void a_read_rows_version_keeps_its_epoch() {
        ChangeEvent event = read("first", 42L);
        ChangeEvent again = ChangeEvent.fromJson(event.toJson());
        assertSame(again, event);
        assertThat(again.version()).isEqualTo(event.version());
    }

    @Test
    void a_replayed_change_differs_in_nothing_else() {
        ChangeEvent event = ChangeEvent.builder(Operation.INSERT, "public", "t", NOON, VERSION)
                .key("id", 1L)
                .newRow(row("id", 1L))
                .build();
        assertThat(event.asReplayed()).hasToString(event.toString().replace("\"replayed\":false", "\"replayed\":true"));
        assertThat(event.asReplayed().id()).isEqualTo(event.id());
        assertThat(event.asReplayed().asReplayed().replayed()).isTrue();
    }

    @Test
    void a_row_takes_one_more_member() {
        assertThat(new String(ChangeJson.writeRow(row("id", 1L), "_version", "v"), StandardCharsets.UTF_8))
                .isEqualTo("{\"id\":1,\"_version\":\"v\"}");
        assertThat(new String(ChangeJson.writeRow(Map.of(), "_version", "v"), StandardCharsets.UTF_8))
                .isEqualTo("{\"_version\":\"v\"}");
        assertThat(ChangeJson.writeRow(null)).isEqualTo("null");
    }

    /** Who is second copies what the first wrote. */
    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 1, 7_990, 8_000, 8_010, 20_000})
    void a_row_is_the_same_in_its_event_and_by_itself_whichever_is_written_first(int length) {
        List<String> names = length < 0 ? List.of() : List.of("id", "tëxt", "json", "none");
        Object[] values = length < 0
                ? new Object[0]
                : new Object[] {1L, "\u00e9\"".repeat(length), new RawJson("{\"a\": [1.0]}"), null};
        Map<String, Object> plain = new LinkedHashMap<>();
        for (int i = 0; i < values.length; i++) {
            plain.put(names.get(i), values[i]);
        }
        String inEvent = event(plain).toString();
        String alone = withVersion(plain);
        for (boolean eventFirst : new boolean[] {true, false}) {
            var row = new RowMap(new RowMap.Columns(names), values);
            for (int again = 0; again < 2; again++) {
                if (!eventFirst) {
                    assertThat(withVersion(row)).isEqualTo(alone);
                }
                assertThat(event(row)).hasToString(inEvent);
                assertThat(withVersion(row)).isEqualTo(alone);
            }
        }
    }

    private static ChangeEvent event(Map<String, Object> row) {
        return ChangeEvent.builder(Operation.UPDATE, "public", "t", NOON, VERSION)
                .key("id", 1L)
                .oldRow(row("id", 2L))
                .newRow(row)
                .build();
    }

    private static String withVersion(Map<String, Object> row) {
        return new String(ChangeJson.writeRow(row, "_version", "v\"1"), StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "{}",
                "{\"id\":1}",
                "no json",
                "{\"id\":\"1-a-b-0\",\"operation\":\"MERGE\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"lsn\":\"0/1\"}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INSERT\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"today\",\"lsn\":\"0/1\"}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INSERT\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"lsn\":\"0-1\"}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INSERT\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"lsn\":\"0/1\"} {}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INSERT\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"lsn\":\"0/1\",\"new\":7}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INSERT\",\"schema\":\"s\",\"table\":\"t\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"lsn\":\"0/1\",\"changed_columns\":7}",
                "{\"id\":\"1-a-b-0\",\"operation\":\"INS"
            })
    void what_is_no_event_is_refused(String json) {
        assertThatThrownBy(() -> ChangeEvent.fromJson(json.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("not a change event: ");
    }

    private static ChangeEvent read(String backfill, long id) {
        return ChangeEvent.builder(Operation.READ, "public", "t", NOON, new Version(3, Lsn.parse("0/1"), 0))
                .key("id", id)
                .newRow(row("id", id))
                .backfill(backfill)
                .snapshot(true)
                .build();
    }

    private static void assertSurvives(Map<String, Object> row) {
        ChangeEvent event = ChangeEvent.builder(Operation.INSERT, "public", "t", NOON, VERSION)
                .newRow(row)
                .changedColumns(List.copyOf(row.keySet()))
                .build();
        assertSame(ChangeEvent.fromJson(event.toJson()), event);
    }

    private static void assertSame(ChangeEvent read, ChangeEvent written) {
        // Not isEqualTo: a difference in megabytes takes minutes to print.
        assertThat(Arrays.equals(read.toJson(), written.toJson()))
                .as(() -> "read: " + shortened(read) + "\nwritten: " + shortened(written))
                .isTrue();
    }

    private static String shortened(ChangeEvent event) {
        String text = event.toString();
        return text.substring(0, Math.min(2_000, text.length()));
    }

    /** As a value of its own type where that writes the same text, else raw. */
    private static List<Object> inner(String json) {
        Object raw = new RawJson(json);
        Object plain = json.startsWith("\"") ? json.substring(1, json.length() - 1) : raw;
        Object other =
                switch (json) {
                    case "true" -> true;
                    case "false" -> false;
                    case "null" -> null;
                    case "-1", "0", "9223372036854775807", "-9223372036854775808" -> Long.valueOf(json);
                    case "1.5", "-0.0", "1.0E15", "8.41E21", "0.1" -> Double.valueOf(json);
                    case "\"\\b\\f\\n\\r\\t\\\"\\\\\"" -> "\b\f\n\r\t\"\\";
                    case "\"\\u001F\"" -> "\u001f";
                    default -> raw;
                };
        return Arrays.asList(raw, plain, other);
    }

    private static Map<String, Object> row(Object... namesAndValues) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            row.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return row;
    }
}
