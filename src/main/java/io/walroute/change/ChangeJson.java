package io.walroute.change;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A change event as JSON and back, by Jackson's streaming API: this runs for every change. What was read is written again
 * byte for byte, however a jsonb value's numbers, blanks and escapes look: they stay the text that PostgreSQL sent.
 */
public final class ChangeJson {
    private static final JsonFactory FACTORY = JsonFactory.builder()
            // A jsonb value may have 1 GB, a numeric 147,455 digits; what PostgreSQL sent must be readable again. Depth
            // costs no stack here.
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Integer.MAX_VALUE)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .maxNameLength(Integer.MAX_VALUE)
                    .maxNestingDepth(Integer.MAX_VALUE)
                    .build())
            // Names inside of jsonb are data: interning them, or giving up when many hash alike, is for schemas.
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            // Without it, four-byte characters are written as two escapes.
            .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8)
            // The fewest digits that mean the same number, as PostgreSQL prints floats.
            .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
            .build();

    private static final ThreadLocal<Encoder> ENCODER = ThreadLocal.withInitial(Encoder::new);

    /** Each thread's own: setting up a generator costs as much garbage as a change's JSON has bytes. */
    private static final class Encoder {
        /** Most changes fit in; of what a longer one needed, 128 kB stay at most. */
        private final ByteArrayBuilder bytes = new ByteArrayBuilder(4096);

        private final JsonGenerator out;

        /** Where the text's row stands in it, as {@link WrittenRow} has it. */
        private int rowBegin;

        private int rowEnd;

        Encoder() {
            try {
                out = FACTORY.createGenerator(bytes).setRootValueSeparator(null); // each text has its own array
            } catch (IOException impossible) {
                throw new IllegalStateException("writing to memory failed", impossible);
            }
        }

        void writeRow(RowMap row) throws IOException {
            WrittenRow written = row.written;
            if (written == null) {
                out.writeStartObject();
                rowBegin = length() - 1;
                writeMembers(out, row);
                rowEnd = length();
                out.writeEndObject();
            } else {
                out.writeRawValue(""); // ends the name before it
                out.flush();
                bytes.write(written.text(), written.begin(), written.length());
                bytes.append('}');
            }
        }

        private int length() {
            return bytes.size() + out.getOutputBuffered();
        }
    }

    @FunctionalInterface
    private interface Text {
        void write(JsonGenerator out) throws IOException;
    }

    private static byte[] encode(Text text) {
        Encoder encoder = ENCODER.get();
        boolean whole = false;
        try {
            text.write(encoder.out);
            encoder.out.flush();
            byte[] json = encoder.bytes.toByteArray();
            encoder.bytes.reset();
            whole = true;
            return json;
        } catch (IOException impossible) {
            throw new IllegalStateException("writing to memory failed", impossible);
        } finally {
            if (!whole) {
                // It is in the middle of a text that nobody wants.
                ENCODER.remove();
            }
        }
    }

    private ChangeJson() {}

    static byte[] write(ChangeEvent e) {
        Encoder encoder = ENCODER.get();
        encoder.rowEnd = 0;
        byte[] json = encode(out -> write(out, e, encoder));
        if (encoder.rowEnd > 0) {
            ((RowMap) e.newRow()).written = new WrittenRow(json, encoder.rowBegin, encoder.rowEnd);
        }
        return json;
    }

    private static void write(JsonGenerator out, ChangeEvent e, Encoder encoder) throws IOException {
        out.writeStartObject();
        out.writeStringField("id", e.id());
        out.writeStringField("operation", e.operation().name());
        out.writeStringField("schema", e.schema());
        out.writeStringField("table", e.table());
        out.writeStringField("timestamp", PgTimes.iso(e.timestamp()));
        writeRow(out, "key", e.key());
        writeRow(out, "old", e.oldRow());
        out.writeFieldName("new");
        if (e.newRow() instanceof RowMap row) {
            encoder.writeRow(row);
        } else {
            writeRow(out, e.newRow());
        }
        writeNames(out, "changed_columns", e.changedColumns());
        out.writeStringField("lsn", e.lsnText());
        out.writeNumberField("xid", e.xid());
        out.writeBooleanField("snapshot", e.snapshot());
        out.writeBooleanField("replayed", e.replayed());
        writeNames(out, "unavailable_columns", e.unavailableColumns());
        if (!e.redactedColumns().isEmpty()) {
            writeNames(out, "redacted_columns", e.redactedColumns());
        }
        out.writeEndObject();
    }

    /**
     * One row as a JSON object, with one more member at its end.
     *
     * @param lastName the added member's name
     * @param lastValue its value, a string
     */
    public static byte[] writeRow(Map<String, Object> row, String lastName, String lastValue) {
        WrittenRow written = row instanceof RowMap map ? map.written : null;
        if (written != null) {
            return written.with(encode(out -> {
                out.writeStartObject();
                out.writeStringField(lastName, lastValue);
                out.writeEndObject();
            }));
        }
        Encoder encoder = ENCODER.get();
        byte[] json = encode(out -> {
            out.writeStartObject();
            writeMembers(out, row);
            encoder.rowEnd = encoder.length();
            out.writeStringField(lastName, lastValue);
            out.writeEndObject();
        });
        if (row instanceof RowMap map) {
            map.written = new WrittenRow(json, 0, encoder.rowEnd);
        }
        return json;
    }

    /** A map of column values as a JSON object; {@code null} for a null map. */
    public static String writeRow(Map<String, Object> row) {
        return new String(encode(out -> writeRow(out, row)), StandardCharsets.UTF_8);
    }

    /** A commit time as a change's JSON has it: always with six digits, since texts of one width sort as times. */
    public static String timestamp(Instant time) {
        return PgTimes.iso(time);
    }

    /** A list of column values as a JSON array. */
    static String writeValue(List<?> list) {
        return new String(encode(out -> writeValue(out, list)), StandardCharsets.UTF_8);
    }

    /** What a JSON string says. */
    static String readString(String json) {
        try (JsonParser in = FACTORY.createParser(json)) {
            in.nextToken();
            return in.getText();
        } catch (IOException e) {
            throw new IllegalArgumentException("not a JSON string", e);
        }
    }

    private static void writeRow(JsonGenerator out, String name, Map<String, Object> row) throws IOException {
        out.writeFieldName(name);
        writeRow(out, row);
    }

    private static void writeRow(JsonGenerator out, Map<String, Object> row) throws IOException {
        if (row == null) {
            out.writeNull();
            return;
        }
        out.writeStartObject();
        writeMembers(out, row);
        out.writeEndObject();
    }

    private static void writeMembers(JsonGenerator out, Map<String, Object> row) {
        // Not by entrySet: an unmodifiable map makes an object of each entry.
        row.forEach((name, value) -> {
            try {
                out.writeFieldName(name);
                writeValue(out, value);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void writeNames(JsonGenerator out, String name, List<String> names) throws IOException {
        out.writeFieldName(name);
        if (names == null) {
            out.writeNull();
            return;
        }
        out.writeStartArray();
        for (String each : names) {
            out.writeString(each);
        }
        out.writeEndArray();
    }

    private static void writeValue(JsonGenerator out, Object value) throws IOException {
        if (value == null) {
            out.writeNull();
        } else if (value instanceof String text) {
            out.writeString(text);
        } else if (value instanceof Long number) {
            out.writeNumber(number);
        } else if (value instanceof Boolean bool) {
            out.writeBoolean(bool);
        } else if (value instanceof RawJson raw) {
            out.writeRawValue(raw.text());
        } else if (value instanceof Double number) {
            out.writeNumber(number);
        } else if (value instanceof Float number) {
            out.writeNumber(number);
        } else if (value instanceof Integer number) {
            out.writeNumber(number);
        } else if (value instanceof List<?> list) {
            out.writeStartArray();
            for (Object each : list) {
                writeValue(out, each);
            }
            out.writeEndArray();
        } else {
            throw new IllegalArgumentException("a column value of " + value.getClass() + " has no JSON form");
        }
    }

    static ChangeEvent read(String json) {
        char[] text = json.toCharArray();
        try (JsonParser in = FACTORY.createParser(text)) {
            ChangeEvent event = read(in, text);
            expectEnd(in);
            return event;
        } catch (IOException | RuntimeException e) {
            throw new IllegalArgumentException("not a change event: " + e.getMessage(), e);
        }
    }

    private static ChangeEvent read(JsonParser in, char[] text) throws IOException {
        if (in.nextToken() != JsonToken.START_OBJECT) {
            throw new IllegalArgumentException("a JSON object is expected");
        }
        Map<String, Object> member = new HashMap<>();
        while (in.nextToken() != JsonToken.END_OBJECT) {
            String name = in.currentName();
            in.nextToken();
            Object value =
                    switch (name) {
                        case "key", "old", "new" -> readRow(in, text);
                        case "changed_columns", "unavailable_columns", "redacted_columns" -> readNames(in);
                        default -> readValue(in, text);
                    };
            member.put(name, value);
        }
        String id = required(member, "id");
        return ChangeEvent.builder(
                        Operation.valueOf(required(member, "operation")),
                        required(member, "schema"),
                        required(member, "table"),
                        Instant.parse(required(member, "timestamp")),
                        EventId.version(id, Lsn.parse(required(member, "lsn"))))
                .id(id)
                .key(row(member, "key"))
                .oldRow(row(member, "old"))
                .newRow(row(member, "new"))
                .changedColumns(names(member, "changed_columns"))
                .unavailableColumns(
                        member.get("unavailable_columns") == null ? List.of() : names(member, "unavailable_columns"))
                .redactedColumns(member.get("redacted_columns") == null ? List.of() : names(member, "redacted_columns"))
                .xid(member.get("xid") instanceof Long xid ? xid : 0)
                .snapshot(Boolean.TRUE.equals(member.get("snapshot")))
                .replayed(Boolean.TRUE.equals(member.get("replayed")))
                .build();
    }

    private static String required(Map<String, Object> member, String name) {
        if (member.get(name) instanceof String value) {
            return value;
        }
        throw new IllegalArgumentException("the member \"" + name + "\" is missing");
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> row(Map<String, Object> member, String name) {
        return (Map<String, Object>) member.get(name);
    }

    @SuppressWarnings("unchecked")
    private static List<String> names(Map<String, Object> member, String name) {
        return (List<String>) member.get(name);
    }

    /**
     * A JSON object's members as column values: the inverse of {@link #writeRow(Map)}.
     *
     * @throws IllegalArgumentException if the text is no JSON object
     */
    public static Map<String, Object> readRow(String json) {
        char[] text = json.toCharArray();
        try (JsonParser in = FACTORY.createParser(text)) {
            in.nextToken();
            Map<String, Object> row = readRow(in, text);
            expectEnd(in);
            return row;
        } catch (IOException e) {
            throw new IllegalArgumentException("not a JSON object: " + e.getMessage(), e);
        }
    }

    private static void expectEnd(JsonParser in) throws IOException {
        if (in.nextToken() != null) {
            throw new IllegalArgumentException("more than one JSON object");
        }
    }

    private static Map<String, Object> readRow(JsonParser in, char[] text) throws IOException {
        if (in.currentToken() == JsonToken.VALUE_NULL) {
            return null;
        }
        if (in.currentToken() != JsonToken.START_OBJECT) {
            throw new IllegalArgumentException("a JSON object is expected");
        }
        Map<String, Object> row = new LinkedHashMap<>();
        while (in.nextToken() != JsonToken.END_OBJECT) {
            String name = in.currentName();
            in.nextToken();
            row.put(name, readValue(in, text));
        }
        return row;
    }

    private static List<String> readNames(JsonParser in) throws IOException {
        if (in.currentToken() == JsonToken.VALUE_NULL) {
            return null;
        }
        if (in.currentToken() != JsonToken.START_ARRAY) {
            throw new IllegalArgumentException("a JSON array of column names is expected");
        }
        List<String> names = new ArrayList<>();
        while (in.nextToken() != JsonToken.END_ARRAY) {
            names.add(in.getText());
        }
        return names;
    }

    /** Objects, arrays, and whatever would be written otherwise than it stands here, keep their text. */
    private static Object readValue(JsonParser in, char[] text) throws IOException {
        return switch (in.currentToken()) {
            case VALUE_NULL -> null;
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_STRING -> stringOrRaw(in, text);
            case VALUE_NUMBER_INT -> longOrRaw(in.getText());
            case VALUE_NUMBER_FLOAT -> doubleOrRaw(in.getText());
            default -> {
                int from = (int) in.currentTokenLocation().getCharOffset();
                in.skipChildren();
                yield raw(in, text, from);
            }
        };
    }

    /** A string inside of json may have escapes of its own: "\\/", "\\u00e9". */
    private static Object stringOrRaw(JsonParser in, char[] text) throws IOException {
        int from = (int) in.currentTokenLocation().getCharOffset();
        String value = in.getText();
        int length = (int) in.currentLocation().getCharOffset() - from - 2;
        if (length == value.length()) {
            return value;
        }
        char[] written = JsonStringEncoder.getInstance().quoteAsString(value);
        return Arrays.equals(written, 0, written.length, text, from + 1, from + 1 + length)
                ? value
                : raw(in, text, from);
    }

    private static RawJson raw(JsonParser in, char[] text, int from) {
        int to = (int) in.currentLocation().getCharOffset();
        return new RawJson(new String(text, from, to - from));
    }

    private static Object longOrRaw(String digits) {
        try {
            Long number = Long.valueOf(digits);
            return number.toString().equals(digits) ? (Object) number : new RawJson(digits);
        } catch (NumberFormatException beyondLong) {
            return new RawJson(digits);
        }
    }

    private static Object doubleOrRaw(String digits) {
        double number = Double.parseDouble(digits);
        return KeyText.text(number).equals(digits) ? (Object) number : new RawJson(digits);
    }
}
