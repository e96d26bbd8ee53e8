package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.demo.FreePort;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

/** The command {@code load}, through the real entry point, against a running service. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class LoadCommandTest {
    private ServiceRig rig;

    @TempDir
    private Path temp;

    @AfterEach
    void close() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    private ServiceRig measurable() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WEBSOCKET_PORT", Integer.toString(FreePort.any()));
        rig.environment.put("WEBHOOK_URL", "http://127.0.0.1:" + FreePort.any() + "/hooks");
        return rig;
    }

    @Test
    void it_measures_every_sink_and_finds_a_sound_service_sound_and_a_broken_entry_broken() throws Exception {
        measurable().startReady().asOwner(); // the service is README's role all the same
        rig.db.execute("INSERT INTO ens_names VALUES ('1:%', 'kept.eth', '0xa', now(), now())");
        Path page = temp.resolve("load.html");

        int code = rig.cli.run(
                "load",
                "--duration",
                "4s",
                "--rate",
                "300",
                "--large-every",
                "20",
                "--json",
                "--html",
                page.toString());

        JsonNode report = ServiceRig.JSON.readTree(rig.cli.out());
        assertThat(code).as("%s %s", rig.cli.err(), report.path("check")).isZero();
        assertThat(report.path("result").asText()).isEqualTo("passed");
        assertThat(report.at("/traffic/changes").asLong()).isGreaterThan(200);
        assertThat(report.at("/traffic/largest_transaction").asLong()).isGreaterThanOrEqualTo(50);
        assertThat(report.at("/check/audit/found")).isEqualTo(report.at("/traffic/changes"));
        assertThat(report.at("/check/cache/rows").asLong()).isGreaterThan(20);
        for (String sink : new String[] {"cache", "websocket", "webhook"}) {
            JsonNode latency = report.at("/sinks/" + sink + "/latency");
            assertThat(latency.path("samples").asLong()).as(sink).isGreaterThan(20);
            assertThat(latency.path("p99_ms").asDouble())
                    .as(sink)
                    .isGreaterThanOrEqualTo(latency.path("p50_ms").asDouble())
                    .isPositive()
                    .isLessThanOrEqualTo(latency.path("max_ms").asDouble());
            assertThat(latency.path("max_ms").asDouble())
                    .as("counted from when it was due")
                    .isGreaterThanOrEqualTo(
                            report.at("/sinks/" + sink + "/uncorrected/max_ms").asDouble());
        }
        assertThat(report.at("/sinks/gaps").asLong()).isZero();
        assertThat(report.at("/sinks/refused_webhooks").asLong()).isZero();
        everyMemberIsDocumented(report);
        standsAlone(Files.readString(page));

        try (var redis = rig.redis()) {
            String key = "listings:" + rig.db.query("SELECT max(id) FROM listings");
            redis.sync().set(key, redis.sync().get(key).replace("\"currency\":\"", "\"currency\":\"X"));
            redis.sync().set("offers:999999999", "{}");
            redis.sync().del("ens_names:1%3A%25"); // of before the next run: that isn't its doing
            assertThat(rig.cli.run(
                            "load", "--duration", "1s", "--rate", "20", "--large-every", "0", "--connections", "1"))
                    .isEqualTo(1);
            assertThat(rig.cli.out())
                    .contains(
                            "1 different, 1 stale.",
                            key + " holds another row than the table: currency is \"X",
                            "offers:999999999 is still there",
                            "1 rows of before the run aren't in the cache. Run: walroute backfill",
                            "The check FAILED.");
        }
    }

    private static void everyMemberIsDocumented(JsonNode report) throws Exception {
        String documented = Files.readString(Path.of("docs/load.md"));
        Set<String> members = new TreeSet<>();
        members(report, members);
        assertThat(members).allSatisfy(member -> assertThat(documented).contains("`" + member + "`"));
    }

    private static void members(JsonNode node, Set<String> into) {
        node.fields().forEachRemaining(member -> {
            into.add(member.getKey());
            if (!member.getKey().equals("by_kind")) {
                members(member.getValue(), into);
            }
        });
        if (node.isArray()) {
            node.forEach(each -> members(each, into));
        }
    }

    private static void standsAlone(String html) throws Exception {
        var factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
        var page = factory.newDocumentBuilder().parse(new InputSource(new StringReader(html)));
        assertThat(page.getElementsByTagName("svg").getLength()).isEqualTo(3);
        var curves = page.getElementsByTagName("polyline");
        assertThat(curves.getLength())
                .as("three sinks twice, and four with what was committed")
                .isEqualTo(10);
        for (int i = 0; i < curves.getLength(); i++) {
            assertThat(curves.item(i).getAttributes().getNamedItem("points").getNodeValue())
                    .matches("(\\d+\\.\\d,\\d+\\.\\d ?)+");
        }
        for (String outside : new String[] {"script", "link", "img", "iframe", "image", "use", "a"}) {
            assertThat(page.getElementsByTagName(outside).getLength())
                    .as(outside)
                    .isZero();
        }
        assertThat(html).doesNotContain("http:", "https:", "url(", "@import", "src=", "href=");
        assertThat(html).contains("prefers-color-scheme: dark");
    }

    @Test
    void without_a_service_it_says_so_in_one_line() throws Exception {
        measurable();
        assertThat(rig.cli.run("load")).isEqualTo(1);
        assertThat(rig.cli.err())
                .contains("The service does not answer at 127.0.0.1:" + rig.managementPort, "walroute load --demo")
                .hasLineCount(1);
        rig.environment.remove("DATABASE_URL");
        assertThat(rig.cli.run("load")).isEqualTo(2);
        assertThat(rig.cli.err())
                .startsWith("DATABASE_URL is not set")
                .contains("walroute load --demo")
                .hasLineCount(1);
        assertThat(rig.cli.run("load", "--rate", "fast")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("'fast' is not a rate").hasLineCount(1);
        assertThat(rig.cli.run("load", "--html", temp.resolve("nowhere/a.html").toString()))
                .isEqualTo(2);
        assertThat(rig.cli.err()).contains("can't be written").hasLineCount(1);
    }

    @Test
    void a_sink_that_cannot_be_measured_is_left_out_and_ctrl_c_ends_with_check_and_report() throws Exception {
        rig = new ServiceRig(); // somebody else listens at WEBHOOK_URL, and nobody knows the WebSocket's port
        rig.startReady().asOwner();
        Path out = temp.resolve("out");
        Process load = rig.process(out, "load", "--rate", "50", "--duration", "10m");
        try {
            await().atMost(Duration.ofSeconds(60)).until(() -> rig.count("audit_log") > 20 || !load.isAlive());
            load.destroy();
            assertThat(load.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(Files.readString(out))
                    .contains(
                            "Ended early, as asked.",
                            "websocket  not measured: WEBSOCKET_PORT is off, or 0",
                            "webhook    not measured: no receiver can listen at WEBHOOK_URL",
                            "The check passed.");
            assertThat(load.exitValue()).isZero();
        } finally {
            load.destroyForcibly().waitFor();
        }
        assertThat(rig.cli.run("load", "--no-audit-log", "--duration", "1s", "--rate", "20", "--json"))
                .isZero();
        JsonNode report = ServiceRig.JSON.readTree(rig.cli.out());
        assertThat(report.at("/check/audit").isNull()).isTrue();
    }

    @Test
    void the_demo_needs_nothing_installed_and_leaves_nothing_running() throws Exception {
        var cli = new InProcessCli(Map.of());
        int code = cli.run("load", "--demo", "--warm-up", "2s", "--duration", "2s", "--rate", "100", "--json");
        JsonNode report = ServiceRig.JSON.readTree(cli.out());
        assertThat(code).as("%s %s", cli.err(), report.path("check")).isZero();
        for (String sink : new String[] {"cache", "websocket", "webhook"}) {
            assertThat(report.at("/sinks/" + sink + "/measured").asBoolean())
                    .as(sink)
                    .isTrue();
        }
        assertThat(report.at("/traffic/seconds").asDouble()).isBetween(1.5, 3.9);
        assertThat(report.at("/check/audit/expected").asLong())
                .as("with those of the warm-up")
                .isGreaterThan(report.at("/traffic/changes").asLong() + 50);
    }

    @Test
    void a_simulation_ends_with_its_figures_when_asked_to() throws Exception {
        rig = new ServiceRig().asOwner();
        Path out = temp.resolve("out");
        Process simulate = rig.process(out, "simulate", "--rate", "max");
        try {
            await().atMost(Duration.ofSeconds(60))
                    .until(() ->
                            rig.db.query("SELECT count(*) > 100 FROM listings").equals("t") || !simulate.isAlive());
            simulate.destroy();
            assertThat(simulate.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(Files.readString(out)).contains("Committed ", "listings.INSERT");
            assertThat(simulate.exitValue()).isZero();
        } finally {
            simulate.destroyForcibly().waitFor();
        }
    }
}
