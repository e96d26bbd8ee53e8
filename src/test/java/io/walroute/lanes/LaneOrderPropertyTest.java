package io.walroute.lanes;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntUnaryOperator;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.statistics.Statistics;

/** Whatever happens when: per key in commit order, never two at once, keys side by side, and everything ends. */
class LaneOrderPropertyTest {
    /** Draws from what jqwik chose; when that is used up, the rest is the same each time. */
    private static IntUnaryOperator choices(List<Integer> drawn) {
        var used = new AtomicInteger();
        return bound -> {
            int i = used.getAndIncrement();
            return (i < drawn.size() ? drawn.get(i) : i * 7 + i / 5) % bound;
        };
    }

    @Property(tries = 400)
    void nothing_overtakes_an_earlier_change_of_its_key_and_each_is_delivered_once(
            @ForAll @Size(min = 50, max = 600) List<@IntRange(min = 0, max = 9999) Integer> drawn) {
        live(drawn, false);
    }

    @Property(tries = 800)
    void nothing_overtakes_through_failures_restarts_and_crashes_either(
            @ForAll @Size(min = 50, max = 600) List<@IntRange(min = 0, max = 9999) Integer> drawn) {
        live(drawn, true);
    }

    private static void live(List<Integer> drawn, boolean breakable) {
        var world = new LaneWorld(choices(drawn), breakable, Math.min(40, drawn.size() / 6));
        for (int i = 0; i < drawn.size() / 2; i++) {
            world.step();
        }
        world.finish();
        Statistics.label("most at once").collect(world.mostRunning());
    }
}
