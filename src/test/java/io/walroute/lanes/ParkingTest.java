package io.walroute.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeProperties;
import io.walroute.change.ParkedKeys;
import io.walroute.change.RedriveTurn;
import io.walroute.change.Settlement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.camel.Exchange;
import org.hamcrest.Matchers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(60)
class ParkingTest {
    private final LaneContext context = new LaneContext();
    private final HeldSink sink = new HeldSink();
    /** Stands for the dead letters. */
    private final HeldSink parked = new HeldSink();

    private void start(String options) throws Exception {
        context.camel.getRegistry().bind("parked", parked);
        context.start(r -> {
            r.errorHandler(r.noErrorHandler());
            r.from("direct:dead-letters").process(parked);
            r.from("lanes:hook?parkUri=direct:dead-letters" + options).process(sink);
        });
    }

    @AfterEach
    void stop() {
        sink.pass();
        parked.pass();
        context.close();
    }

    @Test
    void a_full_lane_parks_at_once_and_releases_the_hold_when_that_is_done() throws Exception {
        start("&whenFull=park&size=1");
        context.send("hook", context.change("1", "kept"));
        var holds = new Holds();
        Exchange sent = context.send("hook", context.change("2", "spilled"), holds);
        assertThat(sent.getException()).isNull();
        parked.awaitOpen("spilled");
        assertThat(holds.released).hasValue(0);
        parked.end("spilled", exchange -> {
            assertThat(exchange.getProperty(ChangeProperties.LANE)).isEqualTo("hook");
            assertThat(exchange.getProperty(ChangeProperties.PARK_REASON)).isEqualTo("the lane was full");
        });
        LaneContext.await().untilAtomic(holds.released, Matchers.is(1));
        assertThat(context.count("walroute.parked", "hook")).isEqualTo(1);
        assertThat(context.count("walroute.delivered", "hook")).isZero();
    }

    @Test
    void a_change_that_cannot_be_parked_fails_its_hold() throws Exception {
        start("&whenFull=park&size=1");
        context.send("hook", context.change("1", "kept"));
        var holds = new Holds();
        context.send("hook", context.change("2", "spilled"), holds);
        parked.fail("spilled", new IllegalStateException("disk full"));
        LaneContext.await().untilAtomic(holds.failed, Matchers.is(1));
        assertThat(holds.released).hasValue(0);
        assertThat(holds.cause.get()).hasMessage("disk full");
    }

    @Test
    void a_waiting_lane_without_progress_parks_after_a_while_and_then_without_waiting() throws Exception {
        start("&size=1&parkAfter=300");
        parked.pass();
        context.send("hook", context.change("1", "kept"));
        long start = System.nanoTime();
        context.send("hook", context.change("2", "first"));
        assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(300));
        for (int i = 0; i < 50; i++) {
            context.send("hook", context.change("3", "another"));
        }
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(10));
        assertThat(context.count("walroute.parked", "hook")).isEqualTo(51);
        sink.pass();
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        context.send("hook", context.change("9", "room again"));
        LaneContext.await().until(() -> sink.begun().contains("room again"));
    }

    @Test
    void changes_behind_a_dead_lettered_one_of_their_key_park_too_and_other_keys_go_on() throws Exception {
        start("");
        context.send("hook", context.change("1", "a1"));
        context.send("hook", context.change("1", "a2"));
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", context.change("1", "a3"));
        context.send("hook", context.change("2", "b1"));
        parked.end("a2");
        parked.end("a3");
        sink.awaitOpen("b1");
        assertThat(sink.begun()).containsExactly("a1", "b1");
        assertThat(context.lane("hook").parkedKeys()).isEqualTo(1);
        LaneContext.await().until(() -> context.count("walroute.parked", "hook") == 3);
    }

    @Test
    void a_key_stays_parked_while_any_of_it_is_left() throws Exception {
        start("");
        var a1 = context.change("1", "a1");
        var a2 = context.change("1", "a2");
        context.send("hook", a1);
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", a2);
        parked.end("a2");
        context.send("hook", a1, LaneTestExchanges.redrive(1));
        sink.end("a1");
        context.send("hook", context.change("1", "a3"));
        parked.awaitOpen("a3");
        parked.end("a3");
        context.send("hook", a2, LaneTestExchanges.redrive(1));
        sink.end("a2");
        context.send("hook", context.change("1", "a4"));
        parked.end("a4");
        assertThat(sink.open()).isEmpty();
    }

    @Test
    void a_key_stays_parked_when_one_was_spilled_after_none_of_it_was_left() throws Exception {
        start("&whenFull=park&size=1");
        var a1 = context.change("1", "a1");
        context.send("hook", a1);
        sink.end("a1", LaneTestExchanges::deadLettered);
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        context.send("hook", a1, LaneTestExchanges.redrive(0));
        sink.awaitOpen("a1");
        context.send("hook", context.change("2", "b1"));
        context.send("hook", context.change("1", "a2"));
        parked.end("a2");
        sink.end("a1");
        sink.end("b1");
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        assertThat(context.lane("hook").parkedKeys()).isEqualTo(1);
        context.send("hook", context.change("1", "a3"));
        parked.awaitOpen("a3");
    }

    @Test
    void a_key_stays_parked_when_one_was_being_spilled_while_none_of_it_was_found() throws Exception {
        start("&whenFull=park&size=1");
        var a1 = context.change("1", "a1");
        context.send("hook", a1);
        context.send("hook", context.change("1", "a2"));
        parked.awaitOpen("a2");
        sink.end("a1", LaneTestExchanges::deadLettered);
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        context.send("hook", a1, LaneTestExchanges.redrive(0));
        sink.awaitOpen("a1");
        parked.end("a2");
        sink.end("a1");
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        assertThat(context.lane("hook").parkedKeys()).isEqualTo(1);
    }

    @Test
    void with_the_last_one_redriven_the_key_runs_again() throws Exception {
        start("");
        var a1 = context.change("1", "a1");
        context.send("hook", a1);
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", a1, LaneTestExchanges.redrive(0));
        sink.end("a1");
        LaneContext.await().until(() -> context.lane("hook").parkedKeys() == 0);
        context.send("hook", context.change("1", "a2"));
        sink.awaitOpen("a2");
    }

    @Test
    void a_redriven_change_that_fails_again_keeps_its_key_parked() throws Exception {
        start("");
        var a1 = context.change("1", "a1");
        context.send("hook", a1);
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", a1, LaneTestExchanges.redrive(0));
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", context.change("1", "a2"));
        parked.awaitOpen("a2");
    }

    @Test
    void a_parked_key_change_holds_both_keys_until_it_is_redriven() throws Exception {
        start("");
        var change = context.keyChange("1", "2", "1 to 2");
        context.send("hook", change);
        sink.end("1 to 2", LaneTestExchanges::deadLettered);
        context.send("hook", context.change("1", "a"));
        context.send("hook", context.change("3", "c"));
        parked.end("a");
        sink.end("c");
        assertThat(context.lane("hook").parkedKeys()).isEqualTo(2);
        context.send("hook", change, LaneTestExchanges.redrive(new RedriveTurn.Answer(true, false, true)));
        sink.end("1 to 2");
        LaneContext.await().until(() -> context.lane("hook").parkedKeys() == 1);
        context.send("hook", context.change("2", "b"));
        sink.end("b");
        context.send("hook", context.change("1", "a2"));
        parked.awaitOpen("a2");
    }

    @Test
    void a_truncate_parks_behind_any_key_of_its_table_and_everything_of_the_table_behind_it() throws Exception {
        start("");
        context.send("hook", context.change("1", "a1"));
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", context.truncate());
        parked.end("TRUNCATE");
        context.send("hook", context.change("2", "b1"));
        parked.end("b1");
        context.send("hook", context.change("offers", "1", "other table"));
        sink.awaitOpen("other table");
    }

    @Test
    void what_was_held_before_a_spilled_change_of_its_key_is_still_tried() throws Exception {
        start("&whenFull=park&size=2");
        context.send("hook", context.change("1", "a1"));
        context.send("hook", context.change("1", "a2"));
        context.send("hook", context.change("1", "a3"));
        parked.end("a3");
        sink.end("a1");
        sink.end("a2");
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        context.send("hook", context.change("1", "a4"));
        parked.awaitOpen("a4");
    }

    @Test
    void a_redriven_change_is_asked_about_when_its_turn_has_come_and_stays_if_it_is_told_to() throws Exception {
        start("&whenFull=park&size=2");
        var a3 = context.change("1", "a3");
        context.send("hook", context.change("1", "a1"));
        context.send("hook", context.change("2", "b1"));
        context.send("hook", a3);
        parked.end("a3");
        sink.end("b1");
        LaneContext.await().until(() -> context.lane("hook").held() == 1);
        var asked = new AtomicInteger();
        var holds = new Holds();
        RedriveTurn turn = asker -> {
            asked.incrementAndGet();
            asker.accept(RedriveTurn.Answer.STAY);
        };
        context.send(
                "hook",
                a3,
                Map.of(
                        Settlement.PROPERTY,
                        holds,
                        ChangeProperties.REDRIVE,
                        true,
                        ChangeProperties.REDRIVE_TURN,
                        turn));
        assertThat(asked).hasValue(0);
        sink.end("a1", LaneTestExchanges::deadLettered);
        LaneContext.await().untilAtomic(holds.failed, Matchers.is(1));
        assertThat(asked).hasValue(1);
        assertThat(sink.begun()).containsExactly("a1", "b1");
        assertThat(parked.begun()).containsExactly("a3");
    }

    @Test
    void what_follows_a_spilled_change_that_could_not_be_parked_fails_too_and_other_keys_go_on() throws Exception {
        start("&whenFull=park&size=2&parkBehind=false");
        var holds = new Holds();
        context.send("hook", context.change("1", "a1"), holds);
        context.send("hook", context.change("2", "b1"), holds);
        context.send("hook", context.change("1", "a2"), holds);
        parked.awaitOpen("a2");
        sink.end("b1");
        LaneContext.await().until(() -> context.lane("hook").held() == 1);
        context.send("hook", context.change("1", "a3"), holds);
        parked.fail("a2", new IllegalStateException("disk full"));
        LaneContext.await().untilAtomic(holds.failed, Matchers.is(1));
        sink.end("a1");
        LaneContext.await().untilAtomic(holds.failed, Matchers.is(2));
        assertThat(sink.begun()).containsExactly("a1", "b1");
        assertThat(holds.released).hasValue(2);
    }

    @Test
    void after_a_failed_change_a_parked_one_stays_until_the_stream_has_begun_anew() throws Exception {
        start("&whenFull=park&size=1");
        var first = new Holds();
        var a1 = context.change("1", "a1");
        var a2 = context.change("1", "a2");
        context.send("hook", a1, first);
        context.send("hook", a2, first);
        parked.end("a2");
        sink.fail("a1", new IllegalStateException("not even parked"));
        LaneContext.await().untilAtomic(first.failed, Matchers.is(1));
        LaneContext.await().until(() -> context.lane("hook").held() == 0);
        // a2 stands in the dead letters, a1 is still to come again
        var redrive = new Holds.OfRedrive();
        context.send("hook", a2, redriveWith(redrive));
        LaneContext.await().untilAtomic(redrive.failed, Matchers.is(1));
        var again = new Holds();
        context.send("hook", a1, again);
        parked.end("a1");
        context.send("hook", a1, redriveWith(new Holds.OfRedrive()));
        sink.end("a1");
        context.send("hook", a2, redriveWith(new Holds.OfRedrive()));
        sink.end("a2");
        assertThat(sink.begun()).containsExactly("a1", "a1", "a2");
    }

    private static Map<String, Object> redriveWith(Settlement settlement) {
        var properties = new HashMap<>(LaneTestExchanges.redrive(0));
        properties.put(Settlement.PROPERTY, settlement);
        return properties;
    }

    @Test
    void what_comes_by_a_stream_that_failed_while_it_waited_for_room_is_not_taken() throws Exception {
        start("&size=1&parkAfter=60000");
        var holds = new Holds();
        context.send("hook", context.change("1", "a1"), holds);
        var sender = new Thread(() -> context.send("hook", context.change("1", "a2"), holds));
        sender.start();
        LaneContext.await().until(() -> sender.getState() == Thread.State.TIMED_WAITING);
        sink.fail("a1", new IllegalStateException("not even parked"));
        LaneContext.await().untilAtomic(holds.failed, Matchers.is(2));
        sender.join(10_000);
        assertThat(sink.begun()).containsExactly("a1");
        assertThat(context.lane("hook").held()).isZero();
    }

    @Test
    void a_change_that_is_dead_lets_its_followers_go_on_at_once() throws Exception {
        start("");
        context.send("hook", context.change("1", "a1"));
        context.send("hook", context.change("1", "a2"));
        sink.end("a1", exchange -> exchange.setProperty(ChangeProperties.DEAD, true));
        sink.end("a2");
        assertThat(context.lane("hook").parkedKeys()).isZero();
        assertThat(context.count("walroute.parked", "hook")).isEqualTo(1);
    }

    @Test
    void a_key_whose_parked_changes_went_away_by_other_hands_runs_again() throws Exception {
        Set<String> store = ConcurrentHashMap.newKeySet();
        store.add(ParkedKeys.key("public", "listings", "1"));
        store.add(ParkedKeys.key("public", "listings", "2"));
        bindStore(store);
        start("");
        assertThat(context.lane("hook").parkedKeys()).isEqualTo(2);
        store.remove(ParkedKeys.key("public", "listings", "1"));
        LaneContext.await().until(() -> context.lane("hook").parkedKeys() == 1);
        context.send("hook", context.change("1", "a1"));
        sink.awaitOpen("a1");
        context.send("hook", context.change("2", "b1"));
        parked.awaitOpen("b1");
    }

    private void bindStore(Set<String> keys) {
        context.camel.getRegistry().bind("dead-letters", (ParkedKeys) (lane, most, taker) -> {
            keys.stream().limit(most).forEach(taker);
            return keys.size() <= most;
        });
    }

    @Test
    void keys_that_were_parked_before_the_start_are_asked_for() throws Exception {
        var asked = new AtomicInteger();
        context.camel.getRegistry().bind("dead-letters", (ParkedKeys) (lane, most, taker) -> {
            asked.incrementAndGet();
            if (lane.equals("hook")) {
                taker.accept(ParkedKeys.key("public", "listings", "1"));
            }
            return true;
        });
        start("");
        assertThat(asked).hasValue(1);
        var a2 = context.change("1", "a2");
        context.send("hook", a2);
        context.send("hook", context.change("2", "b1"));
        parked.end("a2");
        sink.awaitOpen("b1");
        context.send("hook", context.change("1", "a1"), LaneTestExchanges.redrive(1));
        sink.end("a1");
        context.send("hook", a2, LaneTestExchanges.redrive(0));
        sink.end("a2");
        LaneContext.await().until(() -> context.lane("hook").parkedKeys() == 0);
    }

    @Test
    void a_redriven_change_finds_room_in_a_lane_that_a_backlog_keeps_full_and_goes_before_it() throws Exception {
        start("&whenFull=park&size=2&maxInFlight=1");
        context.send("hook", context.change("1", "a1"));
        sink.awaitOpen("a1");
        context.send("hook", context.change("2", "b1"));
        context.send("hook", context.change("3", "c1"), LaneTestExchanges.redrive(0));
        sink.end("a1");
        sink.awaitOpen("c1");
        assertThat(sink.begun()).isEqualTo(List.of("a1", "c1"));
        assertThat(parked.begun()).isEmpty();
    }

    @Test
    void a_redriven_change_that_finds_no_room_beside_others_stays_where_it_is() throws Exception {
        start("&whenFull=park&size=1&parkAfter=50&maxInFlight=1");
        context.send("hook", context.change("1", "a1"));
        sink.awaitOpen("a1");
        context.send("hook", context.change("2", "b1"), LaneTestExchanges.redrive(0));
        var holds = new Holds();
        Exchange sent = context.send(
                "hook", context.change("3", "c1"), Map.of(Settlement.PROPERTY, holds, ChangeProperties.REDRIVE, true));
        assertThat(sent.getException()).hasMessageContaining("no room for a redriven change: 2 changes held (limit 1)");
        assertThat(holds.failed).hasValue(1);
        assertThat(parked.begun()).isEmpty();
    }

    @Test
    void without_park_behind_followers_of_a_dead_lettered_change_run() throws Exception {
        start("&parkBehind=false");
        context.send("hook", context.change("1", "a1"));
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("hook", context.change("1", "a2"));
        sink.awaitOpen("a2");
    }

    @Test
    void a_redrive_flag_from_another_lane_does_not_count() throws Exception {
        start("");
        context.add(r -> r.from("lanes:lookup").to("lanes:hook"));
        var a1 = context.change("1", "a1");
        context.send("hook", a1);
        sink.end("a1", LaneTestExchanges::deadLettered);
        context.send("lookup", context.change("1", "a2"), LaneTestExchanges.redrive(0));
        parked.awaitOpen("a2");
        assertThat(sink.begun()).isEqualTo(List.of("a1"));
    }
}
