package io.walroute.bench;

import io.walroute.demo.Marketplace;
import io.walroute.demo.Simulator;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** How the rate goes with the rows' width, the transactions' size, the requests under way, a slow sink and a long backlog. */
final class ScalingPart implements Part {
    private final BenchOptions options;
    private final Map<String, List<Drain>> drains = new LinkedHashMap<>();
    private final List<String> faults = new ArrayList<>();

    ScalingPart(BenchOptions options) {
        this.options = options;
    }

    @Override
    public Section run() throws Exception {
        Section section = Section.of("scaling", "Scaling", drains);
        section.note("Rows and transactions: " + Section.whole(options.changes)
                + " inserts into one table of text columns of 16 characters"
                + " beside the key, cache only, medians of " + options.rounds
                + " rounds; no row is changed twice. There is no"
                + " setting for a number of lanes: what runs side by side is bounded by the receiver's concurrency.");
        section.tables().add(rows());
        section.tables().add(transactions());
        section.tables().add(receivers());
        if (options.longBacklog > 0) {
            longBacklog(section);
        }
        section.faults().addAll(faults);
        return section;
    }

    // ---------------------------------------------------------------- rows and transactions

    private Section.Table rows() throws Exception {
        var table = Section.Table.of(
                "Columns a row (transactions of 100 rows)",
                "columns",
                "changes/s",
                "processor µs a change",
                "the limit",
                "share");
        for (int columns : List.of(3, 10, 50)) {
            int wide = columns;
            bulk(table, columns + " columns", wide, 100);
        }
        return table;
    }

    private Section.Table transactions() throws Exception {
        var table = Section.Table.of(
                "Rows a transaction (10 columns)", "rows", "changes/s", "processor µs a change", "the limit", "share");
        for (int rows : List.of(1, 100, 100_000)) {
            bulk(table, rows + " rows", 10, rows);
        }
        return table;
    }

    private void bulk(Section.Table table, String what, int columns, int perTransaction) throws Exception {
        String definition = IntStream.range(1, columns)
                .mapToObj(i -> ", c" + i + " text")
                .collect(Collectors.joining("", "CREATE TABLE bulk(id bigint PRIMARY KEY", ")"));
        try (Ground ground =
                Ground.of(List.of("bulk"), c -> insert(c, columns, perTransaction, options.changes), definition)) {
            double limit = limit(ground);
            List<Drain> of = turns(ground, WalrouteReader.cache(options.jvm()), what, options.rounds);
            double rate = median(of);
            table.row(
                    what,
                    Section.whole(rate),
                    Section.tenths(
                            Medians.of(of.stream().mapToDouble(Drain::cpuMicros).toArray())),
                    Section.whole(limit),
                    Section.hundredths(rate / limit));
        }
    }

    private static void insert(Connection c, int columns, int perTransaction, long changes) throws SQLException {
        String values = IntStream.range(1, columns)
                .mapToObj(i -> ", substr(md5(g::text || '" + i + "'), 1, 16)")
                .collect(Collectors.joining());
        c.setAutoCommit(true);
        try (var s = c.createStatement()) {
            s.execute("SET synchronous_commit = off");
        }
        try (var insert = c.prepareStatement(
                "INSERT INTO bulk SELECT g" + values + " FROM generate_series(?::bigint, ?::bigint) g")) {
            for (long from = 1; from <= changes; from += perTransaction) {
                insert.setLong(1, from);
                insert.setLong(2, Math.min(changes, from + perTransaction - 1));
                insert.executeUpdate();
            }
        }
    }

    private double limit(Ground ground) throws Exception {
        Reader limit = new RecvLogical().missing() == null ? new RecvLogical() : new BareStream();
        return median(turns(ground, limit, null, options.rounds));
    }

    // ---------------------------------------------------------------- receivers

    private Section.Table receivers() throws Exception {
        var table = Section.Table.of(
                "Webhooks one by one, a receiver that takes its time",
                "receiver",
                "concurrency",
                "changes/s",
                "at most, by its time",
                "processor µs a change");
        // At 50 ms and 32 requests at once, 640 a second is all there can be.
        long changes = Math.min(options.changes, 20_000);
        try (Ground ground = Ground.marketplace(0, changes)) {
            for (int delay : List.of(0, 5, 50)) {
                receiver(table, ground, delay, 32);
            }
            for (int concurrency : List.of(1, 2, 4, 8, 16)) {
                receiver(table, ground, 5, concurrency);
            }
        }
        return table;
    }

    private void receiver(Section.Table table, Ground ground, int delay, int concurrency) throws Exception {
        var reader = WalrouteReader.hook(options.jvm(), delay)
                .set("WALROUTE_HOOK_MARKETPLACE_CONCURRENCY", Integer.toString(concurrency));
        List<Drain> of = turns(ground, reader, "receiver " + delay + " ms, concurrency " + concurrency, 1);
        table.row(
                delay + " ms",
                concurrency,
                Section.whole(median(of)),
                delay == 0 ? "–" : Section.whole(concurrency * 1000.0 / delay),
                Section.tenths(
                        Medians.of(of.stream().mapToDouble(Drain::cpuMicros).toArray())));
    }

    // ---------------------------------------------------------------- a long backlog

    private void longBacklog(Section section) throws Exception {
        try (Ground ground = Ground.of(Marketplace.TABLES, c -> Simulator.backlog(c, options.longBacklog, 42))) {
            List<Drain> of = turns(ground, WalrouteReader.audited(options.jvm()), "long backlog", 1);
            for (Drain drain : of) {
                var chart = Section.Chart.curves(
                        "A backlog of " + Section.whole(drain.changes())
                                + " changes, cache and audit log: changes a second",
                        "s");
                List<double[]> rates = rates(drain.progress(), Math.max(2, drain.seconds() / 60));
                chart.curve("changes/s", rates);
                section.charts().add(chart);
                var table = Section.Table.of(
                        "A backlog of " + Section.whole(drain.changes()) + " changes, cache and audit log",
                        "",
                        "changes/s");
                table.row("whole", Section.whole(drain.rate()));
                for (int quarter = 0; quarter < 4; quarter++) {
                    table.row("quarter " + (quarter + 1) + " of the time", Section.whole(quarter(drain, quarter)));
                }
                table.row("peak heap, MB", drain.figures().get("peak_heap_mb"));
                table.row("most heap after a collection, MB", drain.figures().get("heap_after_gc_mb"));
                section.tables().add(table);
            }
        }
    }

    private static double quarter(Drain drain, int quarter) {
        double from = drain.seconds() * quarter / 4;
        double to = drain.seconds() * (quarter + 1) / 4;
        return (at(drain.progress(), to) - at(drain.progress(), from)) / (to - from);
    }

    /** Changes by then, between the nearest samples. */
    private static double at(List<double[]> progress, double seconds) {
        double[] before = {0, 0};
        for (double[] sample : progress) {
            if (sample[0] >= seconds) {
                return before[1]
                        + (sample[1] - before[1]) * (seconds - before[0]) / Math.max(1e-9, sample[0] - before[0]);
            }
            before = sample;
        }
        return before[1];
    }

    static List<double[]> rates(List<double[]> progress, double window) {
        List<double[]> rates = new ArrayList<>();
        double end = progress.get(progress.size() - 1)[0];
        for (double from = 0; from + window <= end; from += window) {
            rates.add(new double[] {from + window / 2, (at(progress, from + window) - at(progress, from)) / window});
        }
        return rates;
    }

    // ---------------------------------------------------------------- turns

    private List<Drain> turns(Ground ground, Reader reader, String what, int rounds) throws Exception {
        List<Drain> of = new ArrayList<>();
        for (int round = 1; round <= rounds; round++) {
            ground.emptyRedis();
            ground.offer();
            try {
                Drain drain = reader.drain(ground, round);
                of.add(drain);
                Progress.say((what == null ? "" : what + ": ") + drain.line());
                if (drain.fault() != null) {
                    faults.add(what + ": " + drain.fault());
                }
            } catch (IOException e) {
                faults.add(what + ": " + e.getMessage());
                Progress.say(what + " FAILED: " + e.getMessage());
            }
            ground.withdraw();
        }
        if (what != null) {
            drains.put(what, of);
        }
        return of;
    }

    private static double median(List<Drain> drains) {
        return Medians.of(drains.stream().mapToDouble(Drain::rate).toArray());
    }
}
