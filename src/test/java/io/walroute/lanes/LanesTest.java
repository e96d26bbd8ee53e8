package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Settlement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.management.ObjectName;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.impl.engine.PooledExchangeFactory;
import org.apache.camel.support.AsyncProcessorSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(60)
class LanesTest {
    private final LaneContext context = new LaneContext();
    private final HeldSink sink = new HeldSink();

    @AfterEach
    void stop() {
        sink.pass();
        context.close();
    }

    @Test
    void keys_run_side_by_side_and_one_key_in_order() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        context.send("cache", context.change("1", "a1"));
        context.send("cache", context.change("1", "a2"));
        context.send("cache", context.change("2", "b1"));
        sink.awaitOpen("a1", "b1");
        assertThat(sink.begun()).doesNotContain("a2");
        sink.end("b1");
        sink.end("a1");
        sink.end("a2");
        assertThat(sink.begun()).containsExactly("a1", "b1", "a2");
    }

    @Test
    void in_a_lane_without_order_changes_of_a_key_and_a_truncate_run_side_by_side() throws Exception {
        context.start(r -> r.from("lanes:cache?ordered=false").process(sink));
        context.send("cache", context.change("1", "a1"));
        context.send("cache", context.change("1", "a2"));
        context.send("cache", context.truncate());
        context.send("cache", context.change("log", null, "1"));
        context.send("cache", context.change("log", null, "2"));
        sink.awaitOpen("a1", "a2", "TRUNCATE", "1", "2");
        sink.pass();
        LaneContext.await().until(() -> context.lane("cache").isIdle());
    }

    @Test
    void a_lane_without_order_can_not_park_behind() {
        assertThatThrownBy(
                        () -> context.start(r -> r.from("lanes:cache?ordered=false&parkBehind=true&parkUri=mock:parked")
                                .process(sink)))
                .rootCause()
                .hasMessageContaining("parkBehind=true needs ordered=true");
    }

    @Test
    void a_truncate_waits_for_its_table_and_holds_it() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        context.send("cache", context.change("1", "before"));
        context.send("cache", context.truncate());
        context.send("cache", context.change("2", "after"));
        context.send("cache", context.change("offers", "1", "other table"));
        sink.awaitOpen("before", "other table");
        sink.end("before");
        sink.awaitOpen("TRUNCATE");
        assertThat(sink.begun()).doesNotContain("after");
        sink.end("TRUNCATE");
        sink.awaitOpen("after");
    }

    @Test
    void changes_of_a_table_without_key_keep_their_order() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        context.send("cache", context.change("log", null, "1"));
        context.send("cache", context.change("log", null, "2"));
        sink.awaitOpen("1");
        assertThat(sink.open()).containsExactly("1");
        sink.end("1");
        sink.awaitOpen("2");
    }

    @Test
    void a_changed_body_keeps_the_order_of_its_table() throws Exception {
        List<Object> seen = Collections.synchronizedList(new ArrayList<>());
        context.start(
                r -> r.from("lanes:cache").process(e -> seen.add(e.getMessage().getBody())));
        var template = context.camel.createProducerTemplate();
        for (int i = 0; i < 50; i++) {
            template.sendBodyAndHeader("lanes:cache", "body " + i, "table", "listings");
        }
        LaneContext.await().until(() -> seen.size() == 50);
        assertThat(seen).first().isEqualTo("body 0");
        assertThat(seen).last().isEqualTo("body 49");
    }

    @Test
    void a_delivered_change_releases_its_hold_and_is_counted() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        var holds = new Holds();
        context.send("cache", context.change("1", "a1"), holds);
        sink.awaitOpen("a1");
        assertThat(holds.taken).hasValue(1);
        assertThat(holds.released).hasValue(0);
        sink.end("a1");
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(1));
        assertThat(context.count("walroute.delivered", "cache")).isEqualTo(1);
        LaneContext.await().until(() -> context.lane("cache").isIdle());
    }

    @Test
    void a_failed_change_fails_its_hold_and_what_is_behind_it_fails_without_being_tried() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        var first = new Holds();
        var second = new Holds(first);
        var third = new Holds(first);
        var other = new Holds(first);
        context.send("cache", context.change("1", "a1"), first);
        context.send("cache", context.change("1", "a2"), second);
        context.send("cache", context.change("1", "a3"), third);
        context.send("cache", context.change("2", "b1"), other);
        sink.fail("a1", new IllegalStateException("dead letters can't be written"));
        LaneContext.await().untilAtomic(third.failed, org.hamcrest.Matchers.is(1));
        assertThat(first.cause.get()).hasMessage("dead letters can't be written");
        assertThat(second.failed).hasValue(1);
        assertThat(sink.begun()).doesNotContain("a2", "a3");
        sink.end("b1");
        LaneContext.await().untilAtomic(other.released, org.hamcrest.Matchers.is(1));
        // sent again, they run
        context.send("cache", context.change("1", "a1 again"), new Holds());
        sink.end("a1 again");
        LaneContext.await().until(() -> context.lane("cache").isIdle());
        assertThat(context.count("walroute.delivered", "cache")).isEqualTo(2);
    }

    @Test
    void a_failed_change_that_nobody_sends_again_lets_its_followers_run() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        context.send("cache", context.change("1", "replayed"), Settlement.NONE);
        context.send("cache", context.change("1", "a2"), new Holds());
        sink.fail("replayed", new IllegalStateException("broken"));
        sink.awaitOpen("a2");
    }

    @Test
    void a_route_that_throws_at_once_fails_the_hold() throws Exception {
        context.start(r -> {
            r.errorHandler(r.noErrorHandler());
            r.from("lanes:cache").process(e -> {
                throw new IllegalArgumentException("no");
            });
        });
        var holds = new Holds();
        context.send("cache", context.change("1", "a1"), holds);
        LaneContext.await().untilAtomic(holds.failed, org.hamcrest.Matchers.is(1));
        assertThat(holds.cause.get()).hasMessage("no");
    }

    @Test
    void the_consumer_has_what_was_sent_and_shares_nothing_of_the_sender() throws Exception {
        context.start(r -> r.from("lanes:cache").routeId("cache").process(sink));
        var event = context.change("1", "a1");
        var holds = new Holds();
        Exchange sent = context.send("cache", event, Map.of(Settlement.PROPERTY, holds, "mine", "x"));
        sent.getMessage().setHeader("table", "changed by the sender");
        sink.end("a1", exchange -> {
            assertThat(exchange.getMessage().getBody()).isSameAs(event);
            assertThat(exchange.getMessage().getHeader("table")).isEqualTo("listings");
            assertThat(exchange.getProperty("mine")).isEqualTo("x");
            assertThat(exchange.getProperty(Settlement.PROPERTY)).isSameAs(holds);
            assertThat(exchange.getProperty(ChangeProperties.LANE)).isEqualTo("cache");
            assertThat(exchange.getFromRouteId()).isEqualTo("cache");
            assertThat(exchange.getUnitOfWork()).isNotNull();
        });
    }

    @Test
    void the_unit_of_work_ends_with_the_delivery() throws Exception {
        var done = new AtomicInteger();
        context.start(r -> r.from("lanes:cache")
                .onCompletion()
                .process(e -> done.incrementAndGet())
                .end()
                .process(sink));
        context.send("cache", context.change("1", "a1"));
        sink.awaitOpen("a1");
        assertThat(context.camel.getInflightRepository().size()).isEqualTo(1);
        sink.end("a1");
        LaneContext.await().until(() -> context.camel.getInflightRepository().size() == 0 && done.get() == 1);
    }

    @Test
    void no_more_than_max_in_flight_run_at_once() throws Exception {
        context.start(r -> r.from("lanes:cache?maxInFlight=2").process(sink));
        for (int i = 0; i < 5; i++) {
            context.send("cache", context.change("" + i, "c" + i));
        }
        sink.awaitOpen("c0", "c1");
        assertThat(context.lane("cache").inFlight()).isEqualTo(2);
        sink.end("c1");
        sink.awaitOpen("c0", "c2");
        assertThat(sink.begun()).containsExactly("c0", "c1", "c2");
    }

    @Test
    void a_full_lane_lets_its_sender_wait_and_goes_on() throws Exception {
        context.start(r -> r.from("lanes:cache?size=2").process(sink));
        context.send("cache", context.change("1", "c1"));
        context.send("cache", context.change("2", "c2"));
        var third = CompletableFuture.supplyAsync(() -> context.send("cache", context.change("3", "c3")));
        sink.awaitOpen("c1", "c2");
        assertThat(third).isNotDone();
        sink.end("c2");
        assertThat(third.get(10, TimeUnit.SECONDS).getException()).isNull();
        sink.awaitOpen("c3");
    }

    @Test
    void a_lane_is_full_by_bytes_too_but_takes_one_large_change() throws Exception {
        context.start(r -> r.from("lanes:cache?maxBytes=10000").process(sink));
        context.send("cache", context.change("1", "x".repeat(20_000)));
        var second = CompletableFuture.supplyAsync(() -> context.send("cache", context.change("2", "c2")));
        sink.awaitOpen("x".repeat(20_000));
        assertThat(second).isNotDone();
        sink.end("x".repeat(20_000));
        second.get(10, TimeUnit.SECONDS);
    }

    @Test
    void while_its_stream_ends_a_change_is_left_out_and_never_looks_settled() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        var holds = new Holds();
        holds.streamFailed = true;
        Exchange sent = context.send("cache", context.change("1", "c1"), holds);
        assertThat(sent.isFailed()).isFalse();
        assertThat(holds.failed).hasValue(1);
        assertThat(holds.released).hasValue(0);
        assertThat(sink.begun()).isEmpty();
    }

    @Test
    void a_sender_that_is_interrupted_while_it_waits_gets_a_failed_exchange_and_a_failed_hold() throws Exception {
        context.start(r -> r.from("lanes:cache?size=1").process(sink));
        context.send("cache", context.change("1", "c1"));
        var holds = new Holds();
        var result = new CompletableFuture<Exchange>();
        var sender = new Thread(() -> result.complete(context.send("cache", context.change("2", "c2"), holds)));
        sender.start();
        LaneContext.await().until(() -> sender.getState() == Thread.State.TIMED_WAITING);
        sender.interrupt();
        assertThat(result.get(10, TimeUnit.SECONDS).getException()).isInstanceOf(InterruptedException.class);
        assertThat(holds.failed).hasValue(1);
    }

    @Test
    void what_is_sent_to_a_disabled_lane_counts_as_filtered_and_holds_nothing() throws Exception {
        context.lanes.setDisabled("hook, cache");
        context.start(r -> r.from("direct:in").to("lanes:cache"));
        var holds = new Holds();
        Exchange sent = context.send("cache", context.change("1", "c1"), holds);
        assertThat(sent.getException()).isNull();
        assertThat(holds.taken.get()).isEqualTo(holds.released.get());
        assertThat(context.count("walroute.filtered", "cache")).isEqualTo(1);
    }

    @Test
    void a_route_to_a_lane_that_no_route_reads_stops_the_start_and_names_the_known_ones() {
        assertThatThrownBy(() -> context.start(r -> {
                    r.from("direct:in").to("lanes:cahce");
                    r.from("lanes:cache").process(sink);
                    r.from("lanes:hook").process(sink);
                }))
                .rootCause()
                .hasMessageContaining("lanes:cahce")
                .hasMessageContaining("cache, hook");
    }

    @Test
    void a_second_route_for_a_lane_stops_the_start() {
        assertThatThrownBy(() -> context.start(r -> {
                    r.from("lanes:cache").routeId("one").process(sink);
                    r.from("lanes:cache?threads=2").routeId("two").process(sink);
                }))
                .hasMessageContaining("route two reads lanes:cache, which route one reads already");
    }

    @Test
    void options_at_the_sender_are_an_error() {
        assertThatThrownBy(() -> context.start(r -> {
                    r.from("direct:in").to("lanes:cache?size=5");
                    r.from("lanes:cache").process(sink);
                }))
                .rootCause()
                .hasMessageContaining("size")
                .hasMessageContaining("from: lanes:cache");
    }

    @Test
    void wrong_options_are_all_named() {
        assertThatThrownBy(() -> context.start(r ->
                        r.from("lanes:cache?size=0&threads=-1&whenFull=park").process(sink)))
                .rootCause()
                .hasMessageContaining(
                        "size=0 must be at least 1; threads=-1 must be at least 1; whenFull=park needs parkUri");
    }

    @Test
    void a_stop_waits_until_the_lane_is_empty() throws Exception {
        context.start(r -> r.from("lanes:cache").process(sink));
        var holds = new Holds();
        for (int i = 0; i < 3; i++) {
            context.send("cache", context.change("1", "c" + i), holds);
        }
        var stopped = CompletableFuture.runAsync(context::close);
        for (int i = 0; i < 3; i++) {
            sink.end("c" + i);
        }
        stopped.get(20, TimeUnit.SECONDS);
        assertThat(holds.released).hasValue(3);
        assertThat(holds.failed).hasValue(0);
    }

    @Test
    void what_a_stop_cannot_wait_for_is_not_acknowledged_and_waiting_senders_are_freed() throws Exception {
        context.camel.getShutdownStrategy().setTimeout(1);
        context.start(r -> r.from("lanes:cache?size=2").process(sink));
        var begun = new Holds();
        var waiting = new Holds();
        context.send("cache", context.change("1", "c1"), begun);
        context.send("cache", context.change("1", "c2"), waiting);
        var sender = CompletableFuture.supplyAsync(() -> context.send("cache", context.change("2", "c3"), waiting));
        sink.awaitOpen("c1");
        context.close();
        assertThat(sender.get(10, TimeUnit.SECONDS).getException()).isNotNull();
        assertThat(waiting.failed).hasValue(2);
        assertThat(begun.released).hasValue(0);
    }

    @Test
    void a_stopped_route_leaves_its_changes_in_the_lane_until_it_starts_again() throws Exception {
        context.start(r -> r.from("lanes:cache").routeId("cache").process(sink));
        context.camel.getRouteController().stopRoute("cache");
        var holds = new Holds();
        context.send("cache", context.change("1", "c1"), holds);
        assertThat(context.lane("cache").held()).isEqualTo(1);
        context.camel.getRouteController().startRoute("cache");
        sink.end("c1");
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(1));
    }

    @Test
    void a_route_that_is_taken_out_and_put_back_finds_the_changes_that_came_meanwhile() throws Exception {
        context.start(r -> {
            r.from("direct:in").routeId("in").to("lanes:cache");
            r.from("lanes:cache").routeId("cache").process(sink);
        });
        context.camel.getRouteController().stopRoute("cache");
        context.camel.removeRoute("cache");
        var template = context.camel.createProducerTemplate();
        template.sendBody("direct:in", context.change("1", "c1"));
        context.add(r -> r.from("lanes:cache?threads=2").routeId("cache").process(sink));
        sink.end("c1");
        LaneContext.await().until(() -> context.lane("cache").isIdle());
    }

    @Test
    void pooled_exchanges_carry_nothing_over_from_one_change_to_the_next() throws Exception {
        context.camel.getCamelContextExtension().setExchangeFactory(new PooledExchangeFactory());
        List<Object> seen = Collections.synchronizedList(new ArrayList<>());
        context.start(r -> r.from("lanes:cache").process(e -> {
            seen.add(LaneContext.label(e)
                    + e.getProperty("mine")
                    + e.getMessage().getHeader("extra"));
            e.setProperty("mine", "left behind");
            e.getMessage().setHeader("extra", "left behind");
        }));
        var holds = new Holds();
        for (int i = 0; i < 100; i++) {
            context.send("cache", context.change("1", "c" + i), holds);
        }
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(100));
        assertThat(seen).hasSize(100).startsWith("c0nullnull", "c1nullnull").endsWith("c99nullnull");
    }

    @Test
    void what_a_lane_holds_shows_in_jmx_and_in_the_meters() throws Exception {
        context.start(r -> r.from("lanes:cache?maxInFlight=1").process(sink));
        context.send("cache", context.change("1", "c1"));
        context.send("cache", context.change("2", "c2"));
        sink.awaitOpen("c1");
        var server = java.lang.management.ManagementFactory.getPlatformMBeanServer();
        var name = server
                .queryNames(
                        new ObjectName("org.apache.camel:context=" + context.camel.getName()
                                + ",type=endpoints,name=\"lanes://cache*\""),
                        null)
                .stream()
                .filter(n -> n.getCanonicalName().contains("maxInFlight"))
                .findFirst()
                .orElseThrow();
        assertThat(server.getAttribute(name, "Held")).isEqualTo(2);
        assertThat(server.getAttribute(name, "InFlight")).isEqualTo(1);
        assertThat(server.getAttribute(name, "ParkedKeys")).isEqualTo(0);
        assertThat((long) server.getAttribute(name, "OldestHeldMs")).isBetween(0L, 60_000L);
        assertThat(context.meters
                        .get("walroute.lane.held")
                        .tag("sink", "cache")
                        .gauge()
                        .value())
                .isEqualTo(2);
    }

    @Test
    void a_lane_can_feed_another() throws Exception {
        context.start(r -> {
            r.from("lanes:lookup").to("lanes:cache");
            r.from("lanes:cache").process(sink);
        });
        var holds = new Holds();
        context.send("lookup", context.change("1", "c1"), holds);
        sink.awaitOpen("c1");
        assertThat(holds.taken).hasValue(2);
        sink.end("c1");
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(2));
    }

    @Test
    void thousands_of_changes_of_one_key_that_complete_at_once_do_not_nest() throws Exception {
        var depth = new AtomicInteger();
        context.start(r -> r.from("lanes:cache")
                .process(e -> depth.accumulateAndGet(Thread.currentThread().getStackTrace().length, Math::max)));
        var holds = new Holds();
        for (int i = 0; i < 20_000; i++) {
            context.send("cache", context.change("1", "c"), holds);
        }
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(20_000));
        assertThat(depth.get()).isLessThan(200);
    }

    /** Per key, the changes must arrive in the order sent, and never two at a time. */
    @Test
    void with_several_threads_and_completions_in_any_order_each_key_keeps_its_order() throws Exception {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        var random = new Random(seed);
        var timer = Executors.newScheduledThreadPool(3);
        var wrong = Collections.synchronizedList(new ArrayList<String>());
        var last = new HashMap<String, Integer>();
        Set<String> running = new HashSet<>();
        var shaky = new AsyncProcessorSupport() {
            @Override
            public boolean process(Exchange exchange, AsyncCallback callback) {
                ChangeEvent event = HeldSink.event(exchange);
                String key = event.table() + event.keyText();
                int number = Integer.parseInt(LaneContext.label(exchange));
                int pause;
                synchronized (last) {
                    if (!running.add(key) || last.getOrDefault(key, -1) >= number) {
                        wrong.add("seed " + seed + ": " + key + " " + number + " after " + last.get(key));
                    }
                    last.put(key, number);
                    pause = random.nextInt(4);
                }
                if (pause == 0) {
                    end(key, callback, true);
                    return true;
                }
                timer.schedule(() -> end(key, callback, false), pause * 100L, TimeUnit.MICROSECONDS);
                return false;
            }

            private void end(String key, AsyncCallback callback, boolean sync) {
                synchronized (last) {
                    running.remove(key);
                }
                callback.done(sync);
            }
        };
        context.start(
                r -> r.from("lanes:cache?threads=3&size=500&maxInFlight=50").process(shaky));
        var holds = new Holds();
        for (int i = 0; i < 20_000; i++) {
            context.send("cache", context.change("t" + i % 3, "" + random.nextInt(40) * 3, "" + i), holds);
        }
        LaneContext.await().untilAtomic(holds.released, org.hamcrest.Matchers.is(20_000));
        assertThat(wrong).isEmpty();
        LaneContext.await().until(() -> context.lane("cache").isIdle());
        timer.shutdown();
    }
}
