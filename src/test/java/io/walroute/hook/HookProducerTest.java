package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HookProducerTest {
    private final Receiver receiver = Receiver.start();
    private HookRig rig;

    @AfterEach
    void close() {
        if (rig != null) {
            rig.close();
        }
        receiver.close();
    }

    private HookRig rig(String... more) {
        rig = HookRig.to(receiver.url(), more);
        return rig;
    }

    @Test
    void a_change_is_posted_as_the_contract_says() throws Exception {
        assertThat(rig("header.X-Tenant", "seven").attempt(change(42))).isNull();

        var request = receiver.requests().get(0);
        assertThat(request.method()).isEqualTo("POST");
        assertThat(request.uri()).isEqualTo("/hooks?tenant=7");
        assertThat(request.header("content-type")).isEqualTo("application/json");
        assertThat(request.header("user-agent")).isEqualTo("walroute");
        assertThat(request.header("host")).isEqualTo("127.0.0.1:" + receiver.port());
        assertThat(request.header("x-tenant")).isEqualTo("seven");
        assertThat(request.header("webhook-id")).isEqualTo(change(42).id());
        assertThat(request.text())
                .isEqualTo("{\"type\":\"listings.update\",\"timestamp\":\"2026-01-31T12:00:00.123456Z\",\"data\":"
                        + change(42) + "}");
        assertThat(new ObjectMapper()
                        .readTree(request.body())
                        .at("/data/new/id")
                        .asLong())
                .isEqualTo(42);
        assertThat(HookRig.signed(request, HookRig.SECRET)).isTrue();
        assertThat(rig.attempts("delivered")).isEqualTo(1);
        assertThat(rig.registry.get("walroute.hook.attempt").timer().count()).isEqualTo(1);
    }

    @Test
    void during_a_rotation_either_secret_verifies() {
        String other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assertThat(rig("secret", other + "," + HookRig.SECRET).attempt(change(1)))
                .isNull();

        var request = receiver.requests().get(0);
        assertThat(HookRig.signed(request, HookRig.SECRET)).isTrue();
        assertThat(HookRig.signed(request, other)).isTrue();
        assertThat(HookRig.signed(request, "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"))
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {200, 201, 202, 204, 299})
    void any_2xx_is_delivered(int status) {
        receiver.otherwise(Answer.status(status).body(status == 204 ? "" : "thanks"));

        assertThat(rig().attempt(change(1))).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "400, 4xx, true",
        "401, 4xx, true",
        "404, 4xx, true",
        "408, 4xx, false",
        "422, 4xx, true",
        "429, 4xx, false",
        "500, 5xx, false",
        "502, 5xx, false",
        "503, 5xx, false"
    })
    void any_other_status_fails_with_status_and_answer(int status, String outcome, boolean permanent) {
        receiver.otherwise(Answer.status(status).body("no\r\n\u001b[31mthanks\u0000"));

        HookException failure = rig().attempt(change(1));

        assertThat(failure).hasMessage("hook:partner answered " + status + ": no [31mthanks");
        assertThat(failure.getStatus()).isEqualTo(status);
        assertThat(failure.getEndpoint()).isEqualTo("partner");
        assertThat(failure.getAnswer()).isEqualTo("no [31mthanks");
        assertThat(failure.isPermanent()).isEqualTo(permanent);
        assertThat(failure.getRetryAfter()).isNull();
        assertThat(rig.attempts(outcome)).isEqualTo(1);
    }

    @Test
    void a_redirect_is_a_failure_and_not_followed() {
        receiver.otherwise(request -> request.uri().startsWith("/hooks")
                ? Answer.status(303).with("Location", "http://127.0.0.1:" + receiver.port() + "/elsewhere")
                : Answer.status(200));

        assertThat(rig().attempt(change(1)))
                .hasMessage("hook:partner answered 303, a redirect, which is not followed. "
                        + "Set walroute.hook.partner.url to the final URL");
        assertThat(receiver.requests()).hasSize(1);
    }

    @Test
    void what_a_receiver_echoes_of_our_secrets_is_not_passed_on() {
        receiver.otherwise(request -> Answer.status(500).body("you sent " + request.header("authorization")));

        assertThat(rig("header.Authorization", "Bearer topsecret").attempt(change(1)))
                .hasMessage("hook:partner answered 500: you sent ***");
    }

    @Test
    void a_long_answer_is_shown_cut() {
        receiver.otherwise(Answer.status(500).body("x".repeat(3000)));

        HookException failure = rig().attempt(change(1));

        assertThat(failure.getAnswer()).hasSize(500).endsWith("x…");
    }

    @Test
    void an_endless_answer_is_read_to_a_bound_only() {
        String megabytes = "x".repeat(8 * 1024 * 1024);
        receiver.answer(Answer.status(500).body(megabytes), Answer.status(200).body(megabytes));

        assertThat(rig().attempt(change(1)).getStatus()).isEqualTo(500);
        assertThat(rig.attempt(change(2))).isNull();
        assertThat(rig.attempt(change(3))).isNull();
        assertThat(receiver.connections())
                .as("a connection whose answer was not read to its end is not used again")
                .isEqualTo(3);
    }

    @Test
    void an_answer_in_drops_is_cut_by_the_time_limit_and_its_status_counts() {
        receiver.answer(
                Answer.status(503).in(Answer.Manner.DRIP), Answer.status(200).in(Answer.Manner.DRIP));
        rig("timeout", "300ms");

        Instant before = Instant.now();
        assertThat(rig.attempt(change(1)).getStatus()).isEqualTo(503);
        assertThat(rig.attempt(change(2))).isNull();
        assertThat(Duration.between(before, Instant.now())).isBetween(Duration.ofMillis(550), Duration.ofSeconds(5));
    }

    @Test
    void an_answer_that_is_cut_in_its_body_has_its_status_all_the_same() {
        receiver.answer(
                Answer.status(200).body("beginning").in(Answer.Manner.CUT_IN_BODY),
                Answer.status(500).body("beginning").in(Answer.Manner.CUT_IN_BODY));

        assertThat(rig().attempt(change(1))).isNull();
        assertThat(rig.attempt(change(2)).getStatus()).isEqualTo(500);
    }

    @Test
    void no_answer_within_the_time_limit_is_a_failure() {
        receiver.otherwise(Answer.never());

        assertThat(rig("timeout", "200ms").attempt(change(1)))
                .hasMessage("hook:partner timed out: no answer from 127.0.0.1:" + receiver.port() + " within 200 ms");
        assertThat(rig.attempts("timeout")).isEqualTo(1);
    }

    @Test
    void each_attempt_has_its_whole_time_whatever_became_of_those_before() {
        receiver.answer(Answer.status(204).after(Duration.ofMillis(300)));
        receiver.otherwise(Answer.never());
        rig("timeout", "500ms");

        assertThat(rig.attempt(change(1))).isNull();
        for (int i = 2; i <= 3; i++) {
            Instant before = Instant.now();
            assertThat(rig.attempt(change(i))).hasMessageContaining("timed out");
            assertThat(Duration.between(before, Instant.now()))
                    .isBetween(Duration.ofMillis(495), Duration.ofSeconds(5));
        }
    }

    @Test
    void a_cut_connection_is_a_failure() {
        receiver.otherwise(Answer.cut());

        assertThat(rig().attempt(change(1)))
                .hasMessage("hook:partner got no answer: 127.0.0.1:" + receiver.port() + " closed the connection");
        assertThat(rig.attempts("connection")).isEqualTo(1);
    }

    @Test
    void a_refused_connection_is_a_failure() throws IOException {
        int port;
        try (var socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }
        rig = HookRig.to(URI.create("http://127.0.0.1:" + port));

        assertThat(rig.attempt(change(1)).getMessage())
                .isEqualTo("hook:partner could not connect to 127.0.0.1:" + port + ": Connection refused");
        assertThat(rig.attempts("connection")).isEqualTo(1);
    }

    @Test
    void a_receiver_that_speaks_no_http_is_a_failure() throws IOException {
        try (var socket = new ServerSocket(0)) {
            var talker = new Thread(() -> {
                try (var client = socket.accept()) {
                    client.getOutputStream().write("220 mail.example ESMTP\r\n\r\n".getBytes());
                    client.getInputStream().read();
                } catch (IOException closed) {
                    // The test is over.
                }
            });
            talker.start();
            rig = HookRig.to(URI.create("http://127.0.0.1:" + socket.getLocalPort()));

            assertThat(rig.attempt(change(1)).getMessage())
                    .startsWith("hook:partner got no answer")
                    .doesNotContain("\n");
        }
    }

    @Test
    void an_unknown_host_is_a_failure() {
        rig = HookRig.to(
                URI.create("https://partner.example"),
                host -> {
                    throw new java.net.UnknownHostException(host);
                },
                new io.vertx.core.http.HttpClientOptions());

        assertThat(rig.attempt(change(1))).hasMessage("hook:partner was not sent: the host partner.example is unknown");
    }

    @Test
    void each_attempt_for_a_change_has_the_same_id_and_its_own_time() {
        receiver.answer(Answer.status(500), Answer.cut());
        rig();

        rig.attempt(change(1));
        rig.attempt(change(1));
        await().until(() -> Instant.now().getEpochSecond()
                > Long.parseLong(receiver.requests().get(0).header("webhook-timestamp")));
        assertThat(rig.attempt(change(1))).isNull();

        assertThat(receiver.requests())
                .hasSize(3)
                .extracting(request -> request.header("webhook-id"))
                .containsOnly(change(1).id());
        assertThat(receiver.requests())
                .allMatch(request -> HookRig.signed(request, HookRig.SECRET))
                .extracting(request -> request.header("webhook-timestamp"))
                .satisfies(times -> assertThat(times.get(2)).isGreaterThan(times.get(0)));
    }

    @Test
    void retry_after_is_read_as_seconds_and_as_a_date() {
        String date = DateTimeFormatter.RFC_1123_DATE_TIME.format(
                Instant.now().plusSeconds(3600).atZone(ZoneOffset.UTC));
        Instant now = Instant.parse("2026-01-31T12:00:00Z");

        assertThat(Failures.retryAfter("7", now)).isEqualTo(Duration.ofSeconds(7));
        assertThat(Failures.retryAfter(date, Instant.now())).isBetween(Duration.ofSeconds(3590), Duration.ofHours(1));
        assertThat(Failures.retryAfter("Sat, 31 Jan 2026 11:00:00 GMT", now)).isEqualTo(Duration.ZERO);
        assertThat(Failures.retryAfter("Saturday, 31-Jan-26 12:00:09 GMT", now)).isEqualTo(Duration.ofSeconds(9));
        assertThat(Failures.retryAfter("Sat Jan 31 12:00:08 2026", now)).isEqualTo(Duration.ofSeconds(8));
        assertThat(Failures.retryAfter("Sun Feb  1 12:00:00 2026", now)).isEqualTo(Duration.ofHours(24));
        assertThat(Failures.retryAfter("999999999", now)).isEqualTo(Duration.ofHours(24));
        assertThat(Failures.retryAfter("soon", now)).isNull();
        assertThat(Failures.retryAfter("-1", now)).isNull();
        assertThat(Failures.retryAfter(null, now)).isNull();
    }

    @Test
    void a_short_retry_after_holds_back_every_change_for_that_endpoint() {
        receiver.answer(Answer.status(429).with("Retry-After", "1"));
        rig();
        Instant before = Instant.now();

        assertThat(rig.attempt(change(1)).getRetryAfter()).isEqualTo(Duration.ofSeconds(1));
        assertThat(rig.attempt(change(2))).isNull();
        assertThat(Duration.between(before, Instant.now())).isGreaterThanOrEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void a_long_retry_after_fails_further_changes_at_once() {
        receiver.answer(Answer.status(503).with("Retry-After", "600"));
        rig();

        rig.attempt(change(1));
        HookException second = rig.attempt(change(2));

        assertThat(second).isInstanceOf(HookUnavailableException.class).hasMessageContaining("is paused until");
        assertThat(second.getRetryAfter()).isBetween(Duration.ofSeconds(590), Duration.ofSeconds(600));
        assertThat(receiver.requests()).hasSize(1);
        assertThat(rig.component.degraded()).get().asString().contains("hook:partner is paused until");
    }

    @Test
    void after_410_nothing_more_is_sent() {
        receiver.answer(Answer.status(410));
        rig();

        assertThat(rig.attempt(change(1)).getStatus()).isEqualTo(410);
        assertThat(rig.attempt(change(2)))
                .isInstanceOf(HookUnavailableException.class)
                .hasMessageStartingWith("hook:partner is disabled: its receiver answered 410 Gone, changes are parked. "
                        + "If it is there again: walroute resume hook:partner.");
        assertThat(receiver.requests()).hasSize(1);
        assertThat(rig.component.degraded()).get().asString().startsWith("hook:partner is disabled");
        assertThat(rig.component.problem("partner")).isEqualTo(rig.component.degraded());
        assertThat(disabledGauge()).isEqualTo(1);
    }

    @Test
    void a_receiver_that_was_gone_is_tried_again_once_somebody_says_so() {
        receiver.answer(Answer.status(410));
        rig().attempt(change(1));

        assertThat(rig.component.resume("partner")).get().asString().contains("410 Gone");

        assertThat(rig.attempt(change(2))).isNull();
        assertThat(disabledGauge()).isZero();
        assertThat(rig.component.degraded()).isEmpty();
        assertThat(rig.component.resume("partner")).isEmpty();
        assertThatThrownBy(() -> rig.component.resume("partnr"))
                .hasMessage("no route sends to hook:partnr. Receivers in use: partner");
    }

    @Test
    void a_long_pause_and_an_open_circuit_end_when_somebody_says_so() {
        receiver.answer(Answer.status(503).with("Retry-After", "600"));
        rig("circuit-wait", "60s").attempt(change(1));
        rig.component.resume("partner");
        assertThat(rig.attempt(change(2))).isNull();

        receiver.otherwise(Answer.status(500));
        for (int i = 0; rig.component.degraded().isEmpty(); i++) {
            rig.attempt(change(i));
        }
        receiver.otherwise(Answer.status(204));
        rig.component.resume("partner");
        assertThat(rig.attempt(change(3))).isNull();
    }

    @Test
    void a_short_pause_does_not_end_a_longer_one() {
        receiver.answer(
                Answer.status(503).with("Retry-After", "600").after(Duration.ofMillis(700)),
                Answer.status(503).with("Retry-After", "30").after(Duration.ofMillis(1400)));
        rig();
        var first = rig.start(change(1));
        var second = rig.start(change(2));
        first.join();
        second.join();
        assertThat(receiver.requests()).hasSize(2);

        assertThat(rig.attempt(change(3)).getRetryAfter()).isGreaterThan(Duration.ofSeconds(500));
    }

    private double disabledGauge() {
        return rig.registry
                .get("walroute.hook.disabled")
                .tag("endpoint", "partner")
                .gauge()
                .value();
    }

    @Test
    void one_connection_serves_many_changes() {
        rig();
        for (int i = 0; i < 20; i++) {
            assertThat(rig.attempt(change(i))).isNull();
        }

        assertThat(receiver.requests()).hasSize(20);
        assertThat(receiver.connections()).isEqualTo(1);
    }

    @Test
    void no_more_attempts_run_at_once_than_allowed_and_all_are_made() {
        receiver.otherwise(Answer.status(200).after(Duration.ofMillis(30)));
        rig("concurrency", "4");

        all(40).forEach(each -> assertThat(each.getException()).isNull());

        assertThat(receiver.mostAtOnce()).isEqualTo(4);
        assertThat(receiver.connections()).isLessThanOrEqualTo(4);
        assertThat(receiver.requests()).hasSize(40);
    }

    @Test
    void a_rate_holds_and_delays_instead_of_failing() {
        rig("rate", "20");
        Instant before = Instant.now();

        all(12).forEach(each -> assertThat(each.getException()).isNull());

        // Two go at once (a tenth of a second's worth), ten more at 20 per second.
        assertThat(Duration.between(before, Instant.now())).isBetween(Duration.ofMillis(500), Duration.ofSeconds(3));
    }

    @Test
    void a_slow_receiver_holds_no_thread_of_the_caller() {
        receiver.otherwise(Answer.status(200).after(Duration.ofMillis(1500)));
        rig("concurrency", "100");
        rig.start(change(-1)).join();

        Instant before = Instant.now();
        List<CompletableFuture<Exchange>> started = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            started.add(rig.start(change(i)));
        }
        assertThat(Duration.between(before, Instant.now())).isLessThan(Duration.ofMillis(1000));

        started.forEach(each -> assertThat(each.join().getException()).isNull());
        assertThat(receiver.mostAtOnce()).isEqualTo(100);
        assertThat(Duration.between(before, Instant.now())).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void a_route_goes_on_outside_the_event_loop() throws Exception {
        rig();
        rig.camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                from("direct:in")
                        .to("hook:partner")
                        .process(exchange -> exchange.getMessage()
                                .setBody(Thread.currentThread().getName()));
            }
        });

        Object thread = rig.camel.createProducerTemplate().requestBody("direct:in", change(1));

        assertThat(thread).asString().contains("hook").doesNotContain("eventloop");
    }

    @Test
    void a_change_that_a_route_turned_into_text_is_taken_and_anything_else_is_not() {
        rig();

        assertThat(rig.attempt(change(1).toString())).isNull();
        assertThat(rig.attempt(change(1).toJson())).isNull();
        assertThat(receiver.requests().get(0).text())
                .isEqualTo(receiver.requests().get(1).text());
        assertThat(rig.start(7).join().getException())
                .hasMessage("hook: takes a change event, found a body of java.lang.Integer");
    }

    @Test
    void an_endpoint_without_settings_stops_the_start() {
        rig();

        assertThatThrownBy(() -> rig.camel.addRoutes(new RouteBuilder() {
                    @Override
                    public void configure() {
                        from("direct:in").to("hook:partnr");
                    }
                }))
                .rootCause()
                .hasMessage("routes name hook:partnr, but no walroute.hook.partnr.url is set. Known: partner. "
                        + "Did you mean hook:partner?");
    }

    @Test
    void stopping_fails_what_is_under_way_and_what_waits() {
        receiver.otherwise(Answer.never());
        rig("concurrency", "1", "timeout", "60s");
        var underWay = rig.start(change(1));
        var waits = rig.start(change(2));
        await().until(() -> receiver.requests().size() == 1);

        rig.close();

        assertThat(underWay.join().getException()).isInstanceOf(HookUnavailableException.class);
        assertThat(waits.join().getException()).hasMessage("hook:partner is stopping");
    }

    private List<Exchange> all(int count) {
        List<CompletableFuture<Exchange>> started = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            started.add(rig.start(change(i)));
        }
        return started.stream().map(CompletableFuture::join).toList();
    }
}
