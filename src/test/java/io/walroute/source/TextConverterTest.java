package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.spi.OffsetCommitPolicy;
import io.walroute.change.ChangeJson;
import io.walroute.change.PgType;
import io.walroute.testing.Postgres;
import io.walroute.testing.Postgres.Database;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** The converter inside a real Debezium engine on a real server: what was inserted must come out as the contract's JSON. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class TextConverterTest {
    /** A column: its type, the value as SQL, and the JSON that must come of it. */
    private record Sample(String type, String sql, String json) {}

    private static final List<Sample> SAMPLES = List.of(
            new Sample("int2", "-32768", "-32768"),
            new Sample("int4", "2147483647", "2147483647"),
            new Sample("int8", "9223372036854775807", "9223372036854775807"),
            new Sample("oid", "4294967295", "4294967295"),
            new Sample("float4", "1.1", "1.1"),
            new Sample("float8", "1.1", "1.1"),
            new Sample("float8", "-1.7976931348623157e308", "-1.7976931348623157E308"),
            new Sample("float8", "'NaN'", "\"NaN\""),
            new Sample("float4", "'-Infinity'", "\"-Infinity\""),
            new Sample("bool", "true", "true"),
            new Sample("bool", "false", "false"),
            new Sample(
                    "numeric(78,0)",
                    "1234567890123456789012345678901234567890123456789012345678901234567890",
                    "\"1234567890123456789012345678901234567890123456789012345678901234567890\""),
            new Sample("numeric(20,5)", "1", "\"1.00000\""),
            new Sample("numeric", "0.0000000000000001", "\"0.0000000000000001\""),
            new Sample("numeric", "1e30", "\"1000000000000000000000000000000\""),
            new Sample("numeric", "'NaN'", "\"NaN\""),
            new Sample("numeric", "'Infinity'", "\"Infinity\""),
            new Sample("numeric", "'-Infinity'", "\"-Infinity\""),
            new Sample("numeric[]", "'{NaN,1.0,NULL,Infinity}'", "[\"NaN\",\"1.0\",null,\"Infinity\"]"),
            new Sample("timestamptz", "'2026-01-31 17:30:00.123456+05:30'", "\"2026-01-31T12:00:00.123456Z\""),
            new Sample("timestamptz", "'2026-01-31 12:00:00+00'", "\"2026-01-31T12:00:00.000000Z\""),
            new Sample("timestamptz", "'0044-03-15 12:00:00+00 BC'", "\"-0043-03-15T12:00:00.000000Z\""),
            new Sample("timestamptz", "'0001-12-31 12:00:00+00 BC'", "\"0000-12-31T12:00:00.000000Z\""),
            new Sample("timestamptz", "'294276-12-31 23:59:59.999999+00'", "\"+294276-12-31T23:59:59.999999Z\""),
            new Sample("timestamptz", "'4714-11-24 00:00:00+00 BC'", "\"-4713-11-24T00:00:00.000000Z\""),
            new Sample("timestamptz", "'infinity'", "\"infinity\""),
            new Sample("timestamptz", "'-infinity'", "\"-infinity\""),
            new Sample(
                    "timestamptz[]",
                    "array['2026-01-31 12:00:00+00'::timestamptz, 'infinity']",
                    "[\"2026-01-31T12:00:00.000000Z\",\"infinity\"]"),
            new Sample("timestamp", "'2026-01-31 12:00:00.1'", "\"2026-01-31T12:00:00.100000\""),
            new Sample("timestamp", "'4714-11-24 00:00:00 BC'", "\"-4713-11-24T00:00:00.000000\""),
            new Sample("timestamp", "'294276-12-31 23:59:59.999999'", "\"+294276-12-31T23:59:59.999999\""),
            new Sample("timestamp", "'infinity'", "\"infinity\""),
            new Sample("timestamp", "'-infinity'", "\"-infinity\""),
            new Sample("timestamp(0)", "'2026-01-31 12:00:00.9'", "\"2026-01-31T12:00:01.000000\""),
            new Sample("date", "'2026-01-31'", "\"2026-01-31\""),
            new Sample("date", "'4714-11-24 BC'", "\"-4713-11-24\""),
            new Sample("date", "'5874897-12-31'", "\"+5874897-12-31\""),
            new Sample("date", "'infinity'", "\"infinity\""),
            new Sample("date", "'-infinity'", "\"-infinity\""),
            new Sample("time", "'24:00:00'", "\"24:00:00\""),
            new Sample("time", "'12:00:00.500'", "\"12:00:00.5\""),
            new Sample("timetz", "'12:00:00.5+05:30'", "\"06:30:00.5+00\""),
            new Sample("timetz", "'01:00:00+02'", "\"23:00:00+00\""),
            new Sample("timetz", "'24:00:00+00'", "\"00:00:00+00\""),
            new Sample("interval", "'-1 years +2 mons -3 days +04:05:06.7'", "\"P-10M-3DT4H5M6.7S\""),
            new Sample("interval", "'1 year 2 mons 3 days 4:05:06.789012'", "\"P1Y2M3DT4H5M6.789012S\""),
            new Sample("interval", "'-0.000001 seconds'", "\"PT-0.000001S\""),
            new Sample("interval", "'-4:05:06.7'", "\"PT-4H-5M-6.7S\""),
            new Sample("interval", "'100000000 hours'", "\"PT100000000H\""),
            new Sample("interval", "'0'", "\"PT0S\""),
            new Sample("interval", "'2147483647 hours'::interval + '10 hours'", "\"PT2147483657H\""),
            new Sample("interval", "'infinity'", "\"infinity\""),
            new Sample("timetz", "'12:00:00+01:02:03'", "\"10:57:57+00\""),
            new Sample("interval[]", "array['1 day 02:00'::interval, '-1 mon']", "[\"P1DT2H\",\"P-1M\"]"),
            new Sample("json", "'{\"b\" :  1, \"b\": 2}'", "{\"b\" :  1, \"b\": 2}"),
            new Sample(
                    "jsonb",
                    "'1.0000000000000000000000000000000000000001'",
                    "1.0000000000000000000000000000000000000001"),
            new Sample("jsonb", "'null'", "null"),
            new Sample("jsonb[]", "array['{\"a\":[1,\"x,\\\"y\"]}'::jsonb, null]", "[{\"a\": [1, \"x,\\\"y\"]},null]"),
            new Sample("bytea", "'\\x00ff10'", "\"AP8Q\""),
            new Sample("bytea", "''", "\"\""),
            new Sample("bytea[]", "array['\\x00ff10'::bytea, null, '']", "[\"AP8Q\",null,\"\"]"),
            new Sample("uuid", "'0924e3b8-22fe-4bbb-b575-125c1b3b85fc'", "\"0924e3b8-22fe-4bbb-b575-125c1b3b85fc\""),
            new Sample("mood", "'so \"so\", {x}'", "\"so \\\"so\\\", {x}\""),
            new Sample("mood[]", "array['so \"so\", {x}']::mood[]", "[\"so \\\"so\\\", {x}\"]"),
            new Sample("\"Öther\".\"_Mööd\"", "'ä'", "\"ä\""),
            new Sample("int4range", "'[1,5)'", "\"[1,5)\""),
            new Sample("tstzrange", "'[2020-01-01 00:00+00,)'", "\"[\\\"2020-01-01 00:00:00+00\\\",)\""),
            new Sample("int4multirange", "'{[1,5)}'", "\"{[1,5)}\""),
            new Sample("inet", "'1.2.3.4'", "\"1.2.3.4\""),
            new Sample("cidr", "'1.2.3.0/24'", "\"1.2.3.0/24\""),
            new Sample("macaddr", "'08:00:2b:01:02:03'", "\"08:00:2b:01:02:03\""),
            new Sample("bit(5)", "B'00101'", "\"00101\""),
            new Sample("varbit", "B'001'", "\"001\""),
            new Sample("money", "'92233720368547758.07'", "\"$92,233,720,368,547,758.07\""),
            new Sample("money", "'-1234.5'", "\"-$1,234.50\""),
            new Sample("xml", "'<a>1</a>'", "\"<a>1</a>\""),
            new Sample("point", "'(1,2.5e20)'", "\"(1,2.5e+20)\""),
            new Sample("point", "'(0.0001,0.00001)'", "\"(0.0001,1e-05)\""),
            new Sample(
                    "point", "'(-123456789012345,1234567890123456)'", "\"(-123456789012345,1.234567890123456e+15)\""),
            new Sample("point", "'(0.1,-0)'", "\"(0.1,-0)\""),
            new Sample("point", "'(NaN,Infinity)'", "\"(NaN,Infinity)\""),
            new Sample("box", "'(1,2),(3,4.1)'", "\"(3,4.1),(1,2)\""),
            new Sample("box[]", "'{(1,2),(3,4.1);(1,1),(0,0)}'", "[\"(3,4.1),(1,2)\",\"(1,1),(0,0)\"]"),
            new Sample("line", "'{1,2,3}'", "\"{1,2,3}\""),
            new Sample("lseg", "'[(1,2),(3,4)]'", "\"[(1,2),(3,4)]\""),
            new Sample("path", "'((1,2),(3,4))'", "\"((1,2),(3,4))\""),
            new Sample("path", "'[(1,2),(3,4)]'", "\"[(1,2),(3,4)]\""),
            new Sample("polygon", "'((1,2),(3,4))'", "\"((1,2),(3,4))\""),
            new Sample("circle", "'<(1,2),3>'", "\"<(1,2),3>\""),
            new Sample("positive", "5", "\"5\""),
            new Sample("moment", "'2026-01-31 12:00:00.50+00'", "\"2026-01-31 12:00:00.5+00\""),
            new Sample("span", "'-1 mons +4 days'", "\"-1 mons +4 days\""),
            new Sample("bytes", "'\\x00ff'", "\"\\\\x00ff\""),
            new Sample("comp", "'(1,\"a,b\")'", "\"(1,\\\"a,b\\\")\""),
            new Sample("comp[]", "array['(1,\"a,b\")']::comp[]", "[\"(1,\\\"a,b\\\")\"]"),
            new Sample("hstore", "'a=>1,b=>NULL'", "\"\\\"a\\\"=>\\\"1\\\", \\\"b\\\"=>NULL\""),
            new Sample("citext", "'Abc'", "\"Abc\""),
            new Sample("ltree", "'a.b'", "\"a.b\""),
            new Sample("tsvector", "'a b'", "\"'a' 'b'\""),
            new Sample("tsquery", "'a & b'", "\"'a' & 'b'\""),
            new Sample("pg_lsn", "'0/16B'", "\"0/16B\""),
            new Sample("regclass", "'pg_class'", "\"pg_class\""),
            new Sample("xid8", "'5'", "\"5\""),
            new Sample("char(5)", "'ab'", "\"ab   \""),
            new Sample("\"char\"", "'x'", "\"x\""),
            new Sample("text", "''", "\"\""),
            new Sample("text", "NULL", "null"),
            new Sample("text DEFAULT 'default'", "NULL", "null"),
            new Sample("text", "E'\\u2028 \\U0001F600 \\\\ \"'", "\"\u2028 \uD83D\uDE00 \\\\ \\\"\""),
            new Sample(
                    "text[]",
                    "array['a\"b', 'c\\d', '', NULL, 'NULL', 'x,y', '{z}', ' ']",
                    "[\"a\\\"b\",\"c\\\\d\",\"\",null,\"NULL\",\"x,y\",\"{z}\",\" \"]"),
            new Sample("text[]", "'{}'", "[]"),
            new Sample("int4[]", "'{{1,2},{NULL,4}}'", "[[1,2],[null,4]]"),
            new Sample("int4[]", "'[0:2]={1,2,3}'", "[1,2,3]"),
            new Sample("int2vector", "'1 2 3'", "\"1 2 3\""),
            new Sample("bool[]", "array[true, false]", "[true,false]"),
            new Sample("float8[]", "'{1e300,NaN,1.5}'", "[1.0E300,\"NaN\",1.5]"),
            new Sample("date[]", "'{0044-03-15 BC}'", "[\"-0043-03-15\"]"));

    private static final String[] TYPES = {
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION citext",
        "CREATE EXTENSION ltree",
        "CREATE TYPE mood AS ENUM ('so \"so\", {x}')",
        "CREATE SCHEMA \"Öther\"",
        "CREATE TYPE \"Öther\".\"_Mööd\" AS ENUM ('ä')",
        "CREATE DOMAIN positive AS int",
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE DOMAIN span AS interval",
        "CREATE DOMAIN bytes AS bytea",
        "CREATE TYPE comp AS (a int, b text)"
    };

    @Test
    void every_types_value_comes_out_as_the_contracts_json() throws Exception {
        Database database = Postgres.newDatabase();
        database.execute(TYPES);
        try (var stream = new Stream(database, "postgres", TextConverter.DRIVER_OPTIONS, wideTable())) {
            database.execute(insert());
            assertThat(json(stream.rows(1).get(0))).isEqualTo(expected());
        }
    }

    @Test
    void settings_of_the_role_do_not_reach_the_values() throws Exception {
        Database database = Postgres.newDatabase();
        database.execute(TYPES);
        String role = "odd_" + database.name();
        database.execute(
                "CREATE ROLE " + role + " SUPERUSER REPLICATION LOGIN PASSWORD 'postgres'",
                "ALTER ROLE " + role + " SET bytea_output = 'escape'",
                "ALTER ROLE " + role + " SET extra_float_digits = -5",
                "ALTER ROLE " + role + " SET IntervalStyle = 'sql_standard'",
                "ALTER ROLE " + role + " SET DateStyle = 'SQL, DMY'",
                "ALTER ROLE " + role + " SET TimeZone = 'Asia/Kolkata'",
                "ALTER ROLE " + role + " SET xmlbinary = 'hex'");
        try (var stream = new Stream(database, role, TextConverter.DRIVER_OPTIONS, wideTable())) {
            database.execute(insert());
            assertThat(json(stream.rows(1).get(0))).isEqualTo(expected());
        }
    }

    @Test
    void without_the_drivers_options_the_roles_settings_would_change_values() throws Exception {
        Database database = Postgres.newDatabase();
        String role = "plain_" + database.name();
        database.execute(
                "CREATE ROLE " + role + " SUPERUSER REPLICATION LOGIN PASSWORD 'postgres'",
                "ALTER ROLE " + role + " SET extra_float_digits = -5",
                "ALTER ROLE " + role + " SET IntervalStyle = 'sql_standard'");
        String table = "CREATE TABLE t (id int PRIMARY KEY, f float8[], i interval[])";
        try (var stream = new Stream(database, role, "", table)) {
            database.execute("INSERT INTO t VALUES (1, '{0.1234567890123456}', '{1 day}')");
            Struct row = stream.rows(1).get(0);
            assertThat(value(row, "f")).isNotEqualTo(List.of(0.1234567890123456));
            assertThatThrownBy(() -> value(row, "i")).hasMessageContaining("IntervalStyle must be postgres");
        }
    }

    @Test
    void a_toasted_value_that_the_wal_left_out_is_marked_absent() throws Exception {
        Database database = Postgres.newDatabase();
        Map<String, String> big = new LinkedHashMap<>();
        big.put("text", "x");
        big.put("varchar", "x");
        big.put("jsonb", "\"x\"");
        big.put("bytea", "x");
        big.put("text[]", "{x}");
        big.put("int4[]", "{1}");
        big.put("int8[]", "{1}");
        big.put("uuid[]", "{0924e3b8-22fe-4bbb-b575-125c1b3b85fc}");
        big.put("bytea[]", "{x}");
        big.put("hstore", "a=>b");
        big.put("numeric", "1");
        big.put("bit varying", "1");
        big.put("comp", "(1,x)");
        List<String> columns = new ArrayList<>();
        List<String> values = new ArrayList<>();
        List<String> external = new ArrayList<>();
        big.forEach((type, value) -> {
            columns.add("c" + columns.size() + " " + type);
            values.add(filled(type, value));
            external.add("ALTER TABLE t ALTER c" + external.size() + " SET STORAGE EXTERNAL");
        });
        database.execute("CREATE EXTENSION hstore", "CREATE TYPE comp AS (a int, b text)");
        String table = "CREATE TABLE t (id int PRIMARY KEY, n int, " + String.join(", ", columns) + ")";
        try (var stream = new Stream(database, "postgres", TextConverter.DRIVER_OPTIONS, table)) {
            database.execute(external.toArray(String[]::new));
            database.execute("INSERT INTO t VALUES (1, 1, " + String.join(", ", values) + ")", "UPDATE t SET n = 2");
            Struct updated = stream.rows(2).get(1);
            assertThat(updated.getString("n")).isEqualTo("2");
            for (int i = 0; i < columns.size(); i++) {
                assertThat(updated.getString("c" + i)).as(columns.get(i)).isEqualTo(TextConverter.ABSENT);
            }
        }
    }

    /** A value of some 20 kB, which goes to TOAST and, stored EXTERNAL, is not compressed away. */
    private static String filled(String type, String value) {
        return switch (type) {
            case "numeric" -> "repeat('123456789', 3000)::numeric";
            case "bit varying" -> "repeat('10', 100000)::varbit";
            case "comp" -> "row(1, repeat('x', 20000))::comp";
            case "hstore" -> "hstore('a', repeat('x', 20000))";
            case "jsonb" -> "to_jsonb(repeat('x', 20000))";
            case "bytea" -> "repeat('x', 20000)::bytea";
            case "text", "varchar" -> "repeat('x', 20000)";
            default ->
                "array_fill('" + value.substring(1, value.length() - 1) + "'::" + type.substring(0, type.length() - 2)
                        + ", ARRAY[20000])";
        };
    }

    private static String wideTable() {
        var sql = new StringBuilder("CREATE TABLE wide (id int PRIMARY KEY");
        for (int i = 0; i < SAMPLES.size(); i++) {
            sql.append(", ").append(column(i)).append(' ').append(SAMPLES.get(i).type());
        }
        return sql.append(')').toString();
    }

    private static String insert() {
        var sql = new StringBuilder("INSERT INTO wide VALUES (1");
        SAMPLES.forEach(sample -> sql.append(", ").append(sample.sql()));
        return sql.append(')').toString();
    }

    private static String column(int i) {
        return "c" + i;
    }

    private static String expected() {
        var lines = new StringBuilder();
        for (int i = 0; i < SAMPLES.size(); i++) {
            lines.append(SAMPLES.get(i).type())
                    .append(" ")
                    .append(SAMPLES.get(i).sql())
                    .append(": ")
                    .append(SAMPLES.get(i).json())
                    .append('\n');
        }
        return lines.toString();
    }

    private static String json(Struct row) {
        var lines = new StringBuilder();
        for (int i = 0; i < SAMPLES.size(); i++) {
            Map<String, Object> value = new LinkedHashMap<>();
            value.put("", value(row, column(i)));
            String json = ChangeJson.writeRow(value);
            lines.append(SAMPLES.get(i).type())
                    .append(" ")
                    .append(SAMPLES.get(i).sql())
                    .append(": ")
                    .append(json, 4, json.length() - 1)
                    .append('\n');
        }
        return lines.toString();
    }

    private static Object value(Struct row, String column) {
        Field field = row.schema().field(column);
        assertThat(field.schema().name()).startsWith(TextConverter.SCHEMA_PREFIX);
        return PgType.of(field.schema().name().substring(TextConverter.SCHEMA_PREFIX.length()))
                .convert((String) row.getWithoutDefault(column));
    }

    /** One engine on one slot, and the {@code after} of each row that it handed over. */
    private static final class Stream implements AutoCloseable {
        private final List<Struct> rows = new CopyOnWriteArrayList<>();
        private final ExecutorService thread = Executors.newSingleThreadExecutor();
        private final DebeziumEngine<ChangeEvent<SourceRecord, SourceRecord>> engine;
        private volatile Throwable failure;

        Stream(Database database, String user, String driverOptions, String... tables) {
            database.execute(tables);
            database.execute(
                    "CREATE PUBLICATION p FOR ALL TABLES",
                    "SELECT pg_create_logical_replication_slot('slot_" + database.name() + "', 'pgoutput')");
            engine = DebeziumEngine.create(Connect.class)
                    .using(settings(database, user, driverOptions))
                    .using(OffsetCommitPolicy.always())
                    .using((ok, message, error) -> failure = error)
                    .notifying(this::take)
                    .build();
            thread.execute(engine);
        }

        private static Properties settings(Database database, String user, String driverOptions) {
            var settings = new Properties();
            settings.putAll(Map.ofEntries(
                    Map.entry("name", database.name()),
                    Map.entry("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
                    Map.entry("topic.prefix", database.name() + "_" + user),
                    Map.entry("database.hostname", database.host()),
                    Map.entry("database.port", Integer.toString(database.port())),
                    Map.entry("database.user", user),
                    Map.entry("database.password", "postgres"),
                    Map.entry("database.dbname", database.name()),
                    Map.entry("driver.options", driverOptions),
                    Map.entry("slot.name", "slot_" + database.name()),
                    Map.entry("publication.name", "p"),
                    Map.entry("publication.autocreate.mode", "disabled"),
                    Map.entry("plugin.name", "pgoutput"),
                    Map.entry("snapshot.mode", "no_data"),
                    Map.entry("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore"),
                    Map.entry("errors.max.retries", "0"),
                    Map.entry("slot.max.retries", "0"),
                    Map.entry("poll.interval.ms", "10"),
                    Map.entry("tombstones.on.delete", "false"),
                    Map.entry("include.unknown.datatypes", "true"),
                    Map.entry("converters", "text"),
                    Map.entry("text.type", TextConverter.class.getName())));
            return settings;
        }

        private void take(
                List<ChangeEvent<SourceRecord, SourceRecord>> records,
                RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer)
                throws InterruptedException {
            for (var each : records) {
                if (each.value().value() instanceof Struct change
                        && change.schema().field("after") != null) {
                    rows.add(change.getStruct("after"));
                }
                committer.markProcessed(each);
            }
            committer.markBatchFinished();
        }

        List<Struct> rows(int count) {
            await().atMost(Duration.ofSeconds(60)).until(() -> {
                assertThat(failure).isNull();
                return rows.size() >= count;
            });
            return rows;
        }

        @Override
        public void close() throws IOException {
            engine.close();
            thread.shutdown();
        }
    }
}
