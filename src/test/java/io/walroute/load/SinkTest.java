package io.walroute.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.demo.Simulator;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SinkTest {
    private final Timeline timeline = Timeline.of(0, Duration.ofSeconds(60).toNanos());
    private final Sink sink = new Sink(timeline);

    @Test
    void what_a_late_writer_held_back_counts_from_when_it_was_due() {
        sink.seen(new Transactions.Entry(1_000_000_000, 500_000_000), 1_200_000_000);
        assertThat(sink.uncorrected().getMaxValue()).isBetween(199_000L, 201_000L);
        assertThat(sink.latency().getMaxValue()).isBetween(699_000L, 701_000L);
        assertThat(sink.latency(1).getTotalCount())
                .as("in the second of its commit")
                .isEqualTo(1);
    }

    @Test
    void what_is_seen_before_its_commit_is_confirmed_took_no_time() {
        sink.seen(new Transactions.Entry(Transactions.UNDER_WAY, 0), 1_000_000_000);
        sink.seen(new Transactions.Entry(1_000_000_500, 0), 1_000_000_000);
        assertThat(sink.latency().getMaxValue()).isZero();
        assertThat(sink.latency().getTotalCount()).isEqualTo(2);
    }

    @Test
    void what_arrives_long_after_the_traffic_is_counted_and_makes_no_burst() {
        sink.arrived(2_500_000_000L);
        sink.arrived(Duration.ofHours(1).toNanos());
        assertThat(sink.arrivals()).isEqualTo(2);
        assertThat(sink.arrivals(2)).isEqualTo(1);
        assertThat(sink.arrivals(timeline.parts() - 1)).isZero();
    }

    @Test
    void what_belongs_to_the_warm_up_is_left_out_of_every_figure_but_the_check() {
        var later = Timeline.of(10_000_000_000L, Duration.ofSeconds(60).toNanos());
        var warming = new Sink(later);
        warming.seen(new Transactions.Entry(9_999_999_999L, 0), 10_500_000_000L);
        warming.arrived(9_999_999_999L);
        assertThat(warming.latency().getTotalCount()).isZero();
        assertThat(warming.arrivals()).isZero();
        assertThat(warming.allArrivals()).isEqualTo(1);
        warming.seen(new Transactions.Entry(10_000_000_000L, 0), 10_500_000_000L);
        assertThat(warming.latency().getTotalCount()).isEqualTo(1);

        var traffic = new Traffic(later, false);
        for (long xid = 1; xid <= 2; xid++) {
            var transaction = new Simulator.Transaction(xid, (int) (9 / xid), List.of(), 0);
            traffic.committing(transaction);
            traffic.committed(transaction, 9_000_000_000L + (xid - 1) * 1_000_000_000L);
        }
        assertThat(traffic.committed(0)).isEqualTo(4);
        assertThat(traffic.largestTransaction()).isEqualTo(4);
        assertThat(traffic.transactions().changes(1)).as("for the check").isEqualTo(9);
    }

    @Test
    void transactions_are_found_by_xid_unless_they_were_rolled_back() {
        var transactions = new Transactions();
        for (long xid = 1; xid <= 50_000; xid++) {
            transactions.begin(xid, (int) (xid % 7), xid);
            transactions.committed(xid, 2 * xid);
        }
        transactions.begin(4_294_967_295L, 3, 0);
        transactions.rolledBack(17);
        assertThat(transactions.find(40_000)).isEqualTo(new Transactions.Entry(80_000, 40_000));
        assertThat(transactions.find(4_294_967_295L).committedAt()).isEqualTo(Transactions.UNDER_WAY);
        assertThat(transactions.find(17)).isNull();
        assertThat(transactions.changes(60_000)).isEqualTo(-1);
        assertThat(transactions.sum(xid -> 1)).isEqualTo(50_000);
    }

    @Test
    void a_row_is_awaited_from_before_its_commit_and_seen_once() {
        var traffic = new Traffic(timeline, true);
        var transaction = new Simulator.Transaction(7, 2, List.of("listings:1", "offers:2"), 0);
        traffic.committing(transaction);
        assertThat(traffic.firstSight("listings:1")).isNotNull();
        assertThat(traffic.firstSight("listings:1")).isNull();
        traffic.failed(transaction);
        assertThat(traffic.firstSight("offers:2")).isNull();
    }
}
