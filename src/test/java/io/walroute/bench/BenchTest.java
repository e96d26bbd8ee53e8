package io.walroute.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.walroute.hook.WebhookSignature;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the bench's figures rest on. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class BenchTest {
    @TempDir
    Path folder;

    @Test
    void the_receiver_counts_the_members_of_a_batch_whatever_they_hold_and_however_it_is_cut() {
        assertThat(members("{\"a\":[{},{}]}")).isEqualTo(1);
        assertThat(members("[{\"a\":[{},{}]}, {\"b\":\"},{ \\\" [\"},{}]")).isEqualTo(3);
        assertThat(members("[]")).isZero();
    }

    private static int members(String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        var whole = new WebhookSink.Members();
        whole.add(bytes, 0, bytes.length);
        int members = whole.take();
        var cut = new WebhookSink.Members();
        for (int i = 0; i < bytes.length; i++) {
            cut.add(bytes, i, 1);
        }
        assertThat(cut.take()).isEqualTo(members);
        return members;
    }

    @Test
    void the_receiver_counts_requests_and_finds_a_wrong_signature() throws Exception {
        try (WebhookSink sink = WebhookSink.start(folder, 0)) {
            post(sink, "[{},{}]", "[{},{}]");
            assertThat(sink.counts()).containsExactly(1, 2, 1, 0);
            assertThat(sink.fault()).isNull();
        }
        try (WebhookSink sink = WebhookSink.start(folder, 0)) {
            post(sink, "{}", "{} ");
            post(sink, "{}", "{}");
            assertThat(sink.counts()).containsExactly(2, 2, 1, 1);
            assertThat(sink.fault()).isEqualTo("1 of 1 signatures that were verified are wrong");
        }
    }

    private static void post(WebhookSink sink, String body, String signed) throws Exception {
        long now = Instant.now().getEpochSecond();
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + sink.port() + "/"))
                .header(WebhookSignature.ID, "one")
                .header(WebhookSignature.TIMESTAMP, Long.toString(now))
                .header(
                        WebhookSignature.SIGNATURE,
                        WebhookSignature.sign(
                                WalrouteProcess.SECRET, "one", now, signed.getBytes(StandardCharsets.UTF_8)))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        assertThat(HttpClient.newHttpClient()
                        .send(request, HttpResponse.BodyHandlers.discarding())
                        .statusCode())
                .isEqualTo(204);
    }

    @Test
    void collections_are_read_from_the_log_of_the_JVM() throws Exception {
        Path log = Files.writeString(folder.resolve("gc.log"), """
                [0.005s][info][gc] Using G1
                [0.2s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->6M(256M) 4.500ms
                [0.3s][info][gc] GC(1) Concurrent Mark Cycle
                [0.4s][info][gc] GC(2) Pause Young (Concurrent Start) (Metadata GC Threshold) 56M->10M(256M) 9.250ms
                """);
        GcLog read = GcLog.read(log);
        assertThat(read.peakMb()).isEqualTo(56);
        assertThat(read.afterMb()).isEqualTo(10);
        assertThat(read.allocatedMb()).isEqualTo(50);
        assertThat(read.pausesMs()).containsExactly(4.5, 9.25);
    }

    @Test
    void the_median_of_an_even_number_lies_between_the_middle_two() {
        assertThat(Medians.of(3, 1, 2)).isEqualTo(2);
        assertThat(Medians.of(4, 1, 3, 2)).isEqualTo(2.5);
        assertThat(Medians.of()).isNaN();
    }

    @Test
    void the_rate_over_time_comes_from_what_was_acknowledged_between_two_times() {
        List<double[]> progress = List.of(new double[] {1, 100}, new double[] {2, 300}, new double[] {4, 400});
        List<double[]> rates = ScalingPart.rates(progress, 2);
        assertThat(rates).hasSize(2);
        assertThat(rates.get(0)).containsExactly(1, 150);
        assertThat(rates.get(1)[1]).isEqualTo(50, within(1e-9));
    }

    @Test
    void a_part_run_by_itself_joins_the_report_that_is_there() throws Exception {
        var report = new Report(folder);
        Section backlog = Section.of("backlog", "Backlog", List.of());
        var chart = Section.Chart.bars("Changes a second");
        chart.bar("walroute-<cache>", 1234);
        backlog.charts().add(chart);
        report.add(backlog, Map.of("cores", 2));
        Section latency = Section.of("latency", "Latency", List.of());
        var table = Section.Table.of("Milliseconds", "sink", "p50");
        table.row("cache", "4.2");
        latency.tables().add(table);
        latency.faults().add("something is missing");
        report.add(latency, Map.of("cores", 2));

        assertThat(folder.resolve("report.md"))
                .content()
                .contains("## Backlog", "## Latency", "| cache | 4.2 |", "**FAULT: something is missing**");
        assertThat(folder.resolve("report.html"))
                .content()
                .contains("<svg", "walroute-&lt;cache&gt;", ">1,234<", "<td>4.2</td>")
                .doesNotContain("<script");
        assertThat(folder.resolve("results.json")).content().contains("\"backlog\"", "\"latency\"");
    }
}
