package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.testing.Receiver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** What {@code /observe/metrics} and {@code walroute metrics} say, against what was really sent. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class MetricsTest {
    private static final Pattern SERIES = Pattern.compile("^(\\w+)(?:\\{([^}]*)})? (\\S+)$", Pattern.MULTILINE);

    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WALROUTE_REDRIVE_HOOK_SCHEDULE", "1h,1h");
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private String scrape() throws Exception {
        return rig.management("/observe/metrics").body();
    }

    /** The value of the series whose labels are these, in the order in which they are written. */
    private double value(String name, String labels) throws Exception {
        Matcher series = SERIES.matcher(scrape());
        while (series.find()) {
            if (series.group(1).equals(name) && (series.group(2) == null ? "" : series.group(2)).equals(labels)) {
                return Double.parseDouble(series.group(3));
            }
        }
        return -1;
    }

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out();
    }

    private JsonNode report(String name) throws Exception {
        assertThat(walroute("metrics", name, "--json")).as(rig.cli.err()).isZero();
        return ServiceRig.JSON.readTree(out());
    }

    private static JsonNode row(JsonNode rows, String member, String value) {
        for (JsonNode each : rows) {
            if (each.path(member).asText().equals(value)) {
                return each;
            }
        }
        throw new AssertionError("no " + member + "=" + value + " in " + rows);
    }

    @Test
    void counts_and_latencies_are_those_of_what_was_sent_and_reports_say_the_same() throws Exception {
        rig.startReady();
        rig.db.execute(
                "INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(1, 40) g",
                "UPDATE listings SET price_wei = 5 WHERE id <= 7",
                "DELETE FROM listings WHERE id = 40");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> value("walroute_delivered_total", "sink=\"cache\"") == 48
                        && value("walroute_delivered_total", "sink=\"audit\"") == 48
                        && value("walroute_delivered_total", "sink=\"hook\"")
                                == rig.receiver.requests().size()
                        && value("walroute_in_flight", "") == 0);

        assertThat(value("walroute_received_total", "operation=\"insert\",table=\"listings\""))
                .isEqualTo(40);
        assertThat(value("walroute_received_total", "operation=\"update\",table=\"listings\""))
                .isEqualTo(7);
        assertThat(value("walroute_received_total", "operation=\"delete\",table=\"listings\""))
                .isEqualTo(1);
        assertThat(value("walroute_commit_to_received_seconds_count", "")).isEqualTo(48);
        for (String sink : Set.of("cache", "audit")) {
            assertThat(value("walroute_received_to_delivered_seconds_count", "sink=\"" + sink + "\""))
                    .isEqualTo(48);
            assertThat(value("walroute_commit_to_delivered_seconds_count", "sink=\"" + sink + "\""))
                    .isEqualTo(48);
            assertThat(value("walroute_commit_to_delivered_seconds_bucket", "sink=\"" + sink + "\",le=\"60.0\""))
                    .as("%s within a minute", sink)
                    .isEqualTo(48);
            assertThat(value("walroute_commit_to_delivered_seconds_sum", "sink=\"" + sink + "\""))
                    .as("%s: since the commit is since the receipt and more", sink)
                    .isGreaterThanOrEqualTo(
                            value("walroute_received_to_delivered_seconds_sum", "sink=\"" + sink + "\""));
        }
        await().atMost(Duration.ofSeconds(20))
                .until(() -> value("walroute_slot_lag_bytes", "") >= 0
                        && value("walroute_heartbeat_round_trip_seconds", "") > 0
                        && value("walroute_debezium_events", "") >= 48);
        assertThat(value("walroute_streaming", "")).isEqualTo(1);

        JsonNode stats = report("stats");
        assertThat(row(stats, "operation", "insert").path("count").asInt()).isEqualTo(40);
        assertThat(row(stats, "operation", "delete").path("table").asText()).isEqualTo("listings");
        await().atMost(Duration.ofSeconds(10))
                .until(() -> row(report("stats"), "operation", "insert")
                                .path("per_second")
                                .asDouble()
                        > 0);
        JsonNode handlers = report("handlers");
        assertThat(row(handlers, "route", "cache").path("count").asInt()).isEqualTo(48);
        assertThat(row(handlers, "route", "cache").path("p50_ms").asDouble())
                .isPositive()
                .isLessThanOrEqualTo(
                        row(handlers, "route", "cache").path("p99_ms").asDouble());
        assertThat(row(handlers, "route", "listings").path("count").asInt()).isEqualTo(48);
        JsonNode lag = report("lag");
        assertThat(lag.path("state").asText()).isEqualTo("STREAMING");
        assertThat(lag.path("slot").asText()).isEqualTo(rig.slot);
        assertThat(lag.path("lag_seconds").isNumber()).isTrue();
        assertThat(report("errors")).isEmpty();

        assertThat(walroute("metrics", "lag")).isZero();
        assertThat(out()).contains("state                    STREAMING").contains("heartbeat round trip ms");
        assertThat(walroute("metrics", "stats", "--watch", "--interval", "100ms", "--count", "2"))
                .isZero();
        assertThat(out().lines().filter(line -> line.startsWith("TABLE"))).hasSize(2);
        assertThat(walroute("metrics", "errors")).isZero();
        assertThat(out()).isEqualToIgnoringNewLines("Nothing went wrong.");
        assertThat(walroute("metrics", "lags")).isEqualTo(2);
        assertThat(walroute("metrics", "lag", "--count", "2")).isEqualTo(2);
        Set<String> expected = documented();
        expected.removeAll(Set.of(
                "walroute_dead_letters",
                "walroute_circuit_transitions_total",
                "walroute_notify_refused_total",
                "walroute_skipped_total")); // nothing happened
        assertThat(scraped()).as("names in docs/metrics.md").isEqualTo(expected);
    }

    @Test
    void backfills_are_counted() throws Exception {
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id) SELECT g FROM generate_series(1, 30) g");
        await().atMost(Duration.ofSeconds(30)).until(() -> value("walroute_delivered_total", "sink=\"cache\"") == 30);
        assertThat(value("walroute_backfill_rows_total", "")).isZero();
        assertThat(walroute("backfill", "--table", "listings"))
                .as(rig.cli.err())
                .isZero();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> value("walroute_backfill_rows_total", "") == 30
                        && value("walroute_backfill_rows_left", "") == 0);
    }

    @Test
    void dashboard_and_alerts_name_only_meters_that_exist() throws Exception {
        Set<String> named = new TreeSet<>();
        for (String file : Set.of("docker/grafana/dashboards/walroute.json", "docker/alerts.yml")) {
            String text = Files.readString(Path.of(file));
            if (file.endsWith(".json")) {
                assertThat(ServiceRig.JSON.readTree(text).path("panels")).isNotEmpty();
            }
            Matcher name = Pattern.compile("walroute_\\w+").matcher(text);
            while (name.find()) {
                named.add(name.group().replaceFirst("(?<=_seconds)_(bucket|count|sum|max)$", ""));
            }
        }
        assertThat(named).contains("walroute_streaming");
        assertThat(documented()).containsAll(named);
    }

    @Test
    void failures_are_told_by_sink_and_kind() throws Exception {
        rig.receiver.otherwise(Receiver.Answer.status(500));
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, seller_address) VALUES (1, '0xa')");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rig.deadLetters("hook").size() == 1);

        await().atMost(Duration.ofSeconds(10)).until(() -> report("errors").size() == 1);
        JsonNode error = report("errors").get(0);
        int sent = rig.receiver.requests().size();
        assertThat(error.path("sink").asText()).isEqualTo("hook");
        assertThat(error.path("failures").asInt()).isEqualTo(sent);
        assertThat(error.path("redeliveries").asInt()).isEqualTo(sent - 1).isPositive();
        assertThat(error.path("parked").asInt()).isEqualTo(1);
        assertThat(error.path("last_error").asText()).contains("500");
        String labels = "kind=\"" + error.path("kind").asText() + "\",sink=\"hook\"";
        assertThat(value("walroute_failures_total", labels)).isEqualTo(sent);
        assertThat(value("walroute_redeliveries_total", labels)).isEqualTo(sent - 1);
        assertThat(value("walroute_received_to_delivered_seconds_count", "sink=\"hook\""))
                .isZero();
        await().atMost(Duration.ofSeconds(10))
                .until(() -> value("walroute_dead_letters", "sink=\"hook\",state=\"parked\"") == 1);
        assertThat(documented()).containsAll(scraped());
        assertThat(walroute("metrics", "errors")).isZero();
        assertThat(out()).startsWith("SINK  KIND");
    }

    /** Without the endings of histograms. */
    private Set<String> scraped() throws Exception {
        Set<String> names = new TreeSet<>();
        Matcher series = SERIES.matcher(scrape());
        while (series.find()) {
            if (series.group(1).startsWith("walroute_")) {
                names.add(series.group(1).replaceFirst("(?<=_seconds)_(bucket|count|sum|max)$", ""));
            }
        }
        return names;
    }

    private static Set<String> documented() throws Exception {
        Set<String> names = new TreeSet<>();
        Matcher name = Pattern.compile("^\\| `(walroute_\\w+)", Pattern.MULTILINE)
                .matcher(Files.readString(Path.of("docs/metrics.md")));
        while (name.find()) {
            names.add(name.group(1));
        }
        return names;
    }
}
