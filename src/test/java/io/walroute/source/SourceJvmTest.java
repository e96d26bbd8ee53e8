package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeEvent;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What depends on the JVM or on the session that the source runs in. */
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class SourceJvmTest {
    private WalRig rig;

    @AfterEach
    void stop() {
        rig.close();
    }

    @Test
    void fifty_kilobyte_rows_and_a_slow_route_fit_into_256_megabytes() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, v text)", "ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
        rig.db.execute("INSERT INTO t SELECT g, repeat('x', 50000) FROM generate_series(1, 5000) g");
        assertThat(ChildSource.run(rig, 5_000, 2_000, "-Xmx256m", "-Duser.timezone=UTC", "-XX:+ExitOnOutOfMemoryError"))
                .containsExactly("received 5000 in zone UTC");
    }

    @Test
    void values_do_not_depend_on_the_zone_that_the_jvm_was_started_in() throws Exception {
        rig = new WalRig(
                "CREATE TABLE t(id int PRIMARY KEY, z timestamptz, a timestamptz[], r tstzrange, l timestamp)");
        rig.db.execute("INSERT INTO t VALUES (1, '2026-01-31 12:00:00.123456+00', '{2026-07-01 00:30:00+00}',"
                + " '[2026-01-31 12:00:00+00,)', '2026-03-29 02:30:00')");
        List<String> lines = ChildSource.run(rig, 1, 0, "-Duser.timezone=America/New_York");
        assertThat(lines.get(1)).isEqualTo("received 1 in zone America/New_York");
        var row = ChangeEvent.fromJson(lines.get(0).getBytes(StandardCharsets.UTF_8))
                .newRow();
        assertThat(row.get("z")).isEqualTo("2026-01-31T12:00:00.123456Z");
        assertThat(row.get("a")).hasToString("[\"2026-07-01T00:30:00.000000Z\"]");
        assertThat(row.get("r").toString()).contains("12:00:00+00");
        assertThat(row.get("l").toString()).startsWith("2026-03-29T02:30:00");
    }

    @Test
    void what_the_role_sets_for_its_sessions_changes_no_value() throws Exception {
        rig = new WalRig("CREATE TABLE t(id int PRIMARY KEY, b bytea, f float8, i interval[], d date)");
        rig.db.execute(
                "CREATE ROLE odd_" + rig.db.name() + " SUPERUSER LOGIN PASSWORD 'odd'",
                "ALTER ROLE odd_" + rig.db.name() + " SET bytea_output = escape",
                "ALTER ROLE odd_" + rig.db.name() + " SET extra_float_digits = -5",
                "ALTER ROLE odd_" + rig.db.name() + " SET IntervalStyle = sql_standard",
                "ALTER ROLE odd_" + rig.db.name() + " SET DateStyle = 'German'");
        rig.start("odd_" + rig.db.name(), "odd", rig::collect);
        var made = rig.make(
                1, "INSERT INTO t VALUES (1, '\\x00ff10', 1.1, ARRAY['1 year 2 days 03:00'::interval], '2026-02-01')");
        assertThat(made.get(0).newRow())
                .isEqualTo(Map.of("id", 1L, "b", "AP8Q", "f", 1.1, "i", List.of("P1Y2DT3H"), "d", "2026-02-01"));
    }
}
