package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.testing.Postgres;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Random values: what the server prints is converted, and the result compared with what the server says of the value. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class PgTypeServerTest {
    private static final int VALUES = 2_000;
    private static final long SEED = System.nanoTime();

    private static Connection connection;

    @BeforeAll
    static void connect() throws SQLException {
        System.out.println("seed " + SEED);
        connection = DriverManager.getConnection(Postgres.newDatabase().jdbcUrl() + "&preferQueryMode=simple");
    }

    @AfterAll
    static void disconnect() throws SQLException {
        connection.close();
    }

    @Test
    void a_timestamptz_means_the_same_instant() throws SQLException {
        forRandom("timestamptz", PgTypeServerTest::timestamptz, "extract(epoch FROM x)", (json, epoch) -> {
            Instant instant = Instant.parse((String) json);
            assertThat(seconds(instant)).isEqualByComparingTo(epoch);
            assertThat(PgTimes.iso(instant)).isEqualTo(json);
        });
    }

    @Test
    void a_timestamp_means_the_same_local_time() throws SQLException {
        forRandom(
                "timestamp",
                PgTypeServerTest::timestamp,
                "extract(epoch FROM x)",
                (json, epoch) -> assertThat(
                                seconds(LocalDateTime.parse((String) json).toInstant(ZoneOffset.UTC)))
                        .isEqualByComparingTo(epoch));
    }

    private static BigDecimal seconds(Instant instant) {
        return BigDecimal.valueOf(instant.getEpochSecond()).add(BigDecimal.valueOf(instant.getNano(), 9));
    }

    @Test
    void a_date_means_the_same_day() throws SQLException {
        forRandom(
                "date",
                random -> "(date '4714-11-24 BC' + " + random.nextInt(random.nextBoolean() ? 4_000_000 : 2_000_000_000)
                        + ")",
                "x - date '1970-01-01'",
                (json, days) ->
                        assertThat(LocalDate.parse((String) json).toEpochDay()).isEqualTo(Long.parseLong(days)));
    }

    @Test
    void an_interval_is_what_the_server_prints_in_its_iso_style() throws SQLException {
        try (Statement s = connection.createStatement()) {
            s.execute("CREATE FUNCTION iso(interval) RETURNS text LANGUAGE sql IMMUTABLE SET IntervalStyle = iso_8601"
                    + " AS 'SELECT $1::text'");
        }
        forRandom(
                "interval",
                PgTypeServerTest::interval,
                "iso(x)",
                (json, iso) -> assertThat(json).isEqualTo(iso));
    }

    @Test
    void a_timetz_is_the_same_moment_of_the_day() throws SQLException {
        forRandom(
                "timetz",
                random -> "timetz '" + random.nextInt(24) + ":" + random.nextInt(60) + ":" + random.nextInt(60) + "."
                        + random.nextInt(1_000_000) + (random.nextBoolean() ? "+" : "-") + random.nextInt(16) + ":"
                        + random.nextInt(60) + ":" + random.nextInt(60) + "'",
                "x AT TIME ZONE 'UTC'",
                (json, utc) -> assertThat(json).isEqualTo(utc));
    }

    @Test
    void a_float_is_the_same_number() throws SQLException {
        forRandom(
                "float8",
                random -> "'" + Double.longBitsToDouble(random.nextLong()) + "'::float8",
                "encode(float8send(x), 'hex')",
                (json, bits) -> assertThat(Double.doubleToLongBits(
                                json instanceof String special ? Double.parseDouble(special) : (Double) json))
                        .isEqualTo(Long.parseUnsignedLong(bits, 16)));
        forRandom(
                "float4",
                random -> "'" + Float.intBitsToFloat(random.nextInt()) + "'::float4",
                "encode(float4send(x), 'hex')",
                (json, bits) -> assertThat(Float.floatToIntBits(
                                json instanceof String special ? Float.parseFloat(special) : (Float) json))
                        .isEqualTo(Integer.parseUnsignedInt(bits, 16)));
    }

    @Test
    void a_numeric_is_the_same_number() throws SQLException {
        forRandom(
                "numeric",
                random -> new BigDecimal(new BigInteger(1 + random.nextInt(300), random), random.nextInt(60))
                                .toPlainString()
                        + "::numeric",
                "x",
                (json, text) -> assertThat(json).isEqualTo(text));
    }

    @Test
    void a_bytea_holds_the_same_bytes() throws SQLException {
        for (String output : List.of("hex", "escape")) {
            try (Statement s = connection.createStatement()) {
                s.execute("SET bytea_output = " + output);
            }
            forRandom(
                    "bytea",
                    PgTypeServerTest::bytes,
                    "replace(encode(x, 'base64'), E'\\n', '')",
                    (json, base64) -> assertThat(json).isEqualTo(base64));
        }
    }

    @Test
    void an_array_is_what_the_server_makes_of_it_as_json() throws SQLException {
        forRandom("_text", PgTypeServerTest::textArray, "to_json(x)", PgTypeServerTest::assertSameJson);
        forRandom("_jsonb", PgTypeServerTest::jsonArray, "array_to_json(x)", PgTypeServerTest::assertSameJson);
        forRandom(
                "_int8",
                random -> elements(random, r -> r.nextInt(5) == 0 ? "NULL" : Long.toString(r.nextLong())) + "::int8[]",
                "to_json(x)",
                PgTypeServerTest::assertSameJson);
    }

    /** {@code to_json} puts no blanks between an array's elements, and neither do we. */
    private static void assertSameJson(Object json, String expected) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("x", json);
        assertThat(ChangeJson.writeRow(row)).isEqualTo("{\"x\":" + expected + "}");
    }

    /** @param sql what the server is asked about the value x, as text */
    private static void forRandom(
            String type, Function<Random, String> value, String sql, BiConsumer<Object, String> check)
            throws SQLException {
        var random = new Random(SEED);
        var values = new ArrayList<String>();
        for (int i = 0; i < VALUES; i++) {
            values.add("(" + value.apply(random) + ")");
        }
        PgType pgType = PgType.of(type);
        String query = "SELECT x, (" + sql + ")::text FROM (VALUES " + String.join(", ", values) + ") AS v(x)";
        try (Statement s = connection.createStatement();
                var rows = s.executeQuery(query)) {
            int seen = 0;
            while (rows.next()) {
                String text = rows.getString(1);
                Object json = pgType.convert(text);
                assertThat(json)
                        .as("%s %s, seed %d", type, text, SEED)
                        .satisfies(it -> check.accept(it, rows.getString(2)));
                seen++;
            }
            assertThat(seen).isEqualTo(VALUES);
        }
    }

    /** Beyond about the year 290,000 the server's own extract(epoch …) rounds, and is no oracle any more. */
    private static final long LAST_EXACT_EPOCH_S = 9_000_000_000_000L;

    private static String timestamp(Random random) {
        // From 4714-11-24 BC to 294276 at most; half of them near our days.
        long seconds = random.nextBoolean()
                ? random.nextLong(-5_000_000_000L, 5_000_000_000L)
                : random.nextLong(-210_866_803_200L, LAST_EXACT_EPOCH_S);
        int micros = random.nextInt(3) == 0 ? 0 : random.nextInt(1_000_000);
        return "(timestamp 'epoch' + make_interval(days => " + seconds / 86_400 + ", secs => " + seconds % 86_400
                + ") + interval '" + micros + " microseconds')";
    }

    private static String timestamptz(Random random) {
        return timestamp(random) + " AT TIME ZONE 'UTC'";
    }

    private static String interval(Random random) {
        var text = new StringBuilder("interval '0'");
        for (String unit : List.of("years", "months", "days", "hours", "minutes", "seconds", "microseconds")) {
            if (random.nextInt(3) == 0) {
                text.append(" + interval '")
                        .append(random.nextInt(-5000, 5000))
                        .append(' ')
                        .append(unit)
                        .append('\'');
            }
        }
        return text.toString();
    }

    private static String bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(100)];
        random.nextBytes(bytes);
        return "'\\x" + HexFormat.of().formatHex(bytes) + "'::bytea";
    }

    private static String textArray(Random random) {
        return elements(random, r -> r.nextInt(6) == 0 ? "NULL" : literal(text(r))) + "::text[]";
    }

    private static String jsonArray(Random random) {
        return elements(
                        random,
                        r -> r.nextInt(6) == 0
                                ? "NULL"
                                : "jsonb_build_object(" + literal(text(r)) + ", ARRAY[" + literal(text(r)) + ", NULL])")
                + "::jsonb[]";
    }

    private static String elements(Random random, Function<Random, String> element) {
        int count = random.nextInt(4);
        if (random.nextInt(4) > 0 || count == 0) {
            return "ARRAY["
                    + IntStream.range(0, count)
                            .mapToObj(i -> element.apply(random))
                            .collect(Collectors.joining(", ")) + "]";
        }
        return "ARRAY["
                + IntStream.range(0, 2)
                        .mapToObj(row -> "ARRAY["
                                + IntStream.range(0, count)
                                        .mapToObj(i -> element.apply(random))
                                        .collect(Collectors.joining(", "))
                                + "]")
                        .collect(Collectors.joining(", "))
                + "]";
    }

    private static String text(Random random) {
        String alphabet = "ab\"\\,{}; \n\t'NUL\u00e4\u2028\uD83D\uDE00";
        return random.ints(random.nextInt(8), 0, alphabet.codePointCount(0, alphabet.length()))
                .map(i -> alphabet.codePointAt(alphabet.offsetByCodePoints(0, i)))
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
