package io.walroute.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Every reader on the same backlog, in turn, several rounds. */
final class BacklogPart implements Part {
    /** A ratio of two readers' medians, with what is aimed at. */
    private record Aim(String what, String reader, String peer, double least, double then) {}

    private static final List<Aim> AIMS = List.of(
            new Aim("cache ÷ Debezium Server to Redis streams", "walroute-cache", "debezium-server-redis", 1.5, 2.5),
            new Aim(
                    "cache and audit ÷ Debezium Server to Redis streams",
                    "walroute-audited",
                    "debezium-server-redis",
                    Double.NaN,
                    Double.NaN),
            new Aim(
                    "all four sinks ÷ Debezium Server to Redis streams",
                    "walroute-four",
                    "debezium-server-redis",
                    1,
                    1.5),
            new Aim("cache ÷ the limit (pg_recvlogical)", "walroute-cache", "pg_recvlogical", 0.4, 0.7),
            new Aim("cache ÷ the Debezium engine alone", "walroute-cache", "debezium-engine", Double.NaN, Double.NaN),
            new Aim("webhooks one by one ÷ Debezium Server's", "walroute-hook", "debezium-server-webhook", 4, 8),
            new Aim(
                    "webhooks in batches ÷ Debezium Server's one by one",
                    "walroute-hook-batch",
                    "debezium-server-webhook",
                    10,
                    20),
            new Aim(
                    "webhooks in batches ÷ Debezium Server's in batches",
                    "walroute-hook-batch",
                    "debezium-server-webhook-batch",
                    Double.NaN,
                    Double.NaN));

    private final BenchOptions options;
    private final List<Drain> drains = new ArrayList<>();
    private final List<String> faults = new ArrayList<>();

    BacklogPart(BenchOptions options) {
        this.options = options;
    }

    @Override
    public Section run() throws Exception {
        List<Reader> readers = readers();
        Tally tally;
        try (Ground ground = Ground.marketplace(options.warmUp, options.changes)) {
            tally = ground.tally();
            for (int round = 1; round <= options.rounds; round++) {
                for (Reader reader : readers) {
                    turn(ground, reader, round);
                }
            }
        }
        return section(readers, tally);
    }

    private void turn(Ground ground, Reader reader, int round) throws Exception {
        Progress.say("round " + round + " of " + options.rounds + ": " + reader.name() + " …");
        ground.emptyRedis();
        ground.offer();
        try {
            Drain drain = reader.drain(ground, round);
            drains.add(drain);
            if (drain.fault() != null) {
                faults.add(reader.name() + ", round " + round + ": " + drain.fault());
            }
            Progress.say(drain.line());
        } catch (IOException e) {
            faults.add(reader.name() + ", round " + round + ": " + e.getMessage());
            Progress.say(reader.name() + " FAILED: " + e.getMessage());
        }
        ground.withdraw();
    }

    private Section section(List<Reader> readers, Tally tally) {
        Section section = Section.of("backlog", "Backlog: every reader on the same changes", drains);
        section.note(String.format(
                        Locale.ROOT,
                        "%,d mixed changes of the marketplace's tables (%s), committed before anyone reads. Each reader gets its own"
                                + " copy of the slot, in turn, %d rounds; each time it is a new process, whose first %,d changes"
                                + " are its warm-up: the time begins after them. PostgreSQL 18, Redis, the receiver and the reader"
                                + " share the machine.",
                        tally.changes(),
                        tally.byKind(),
                        options.rounds,
                        options.warmUp))
                .note(
                        "From the first change delivered after the warm-up to the last; for walroute, until its slot is past the backlog's end, which is"
                                + " when the sinks have answered for every change (then cache and tables are compared row for row, webhooks and"
                                + " audited changes counted); for Debezium Server, until Redis or the receiver has every event. Write-backs"
                                + " and the seller's lookup are left out of walroute's routes: the next reader must find the same tables.");
        section.faults().addAll(faults);
        Map<String, Double> medians = medians();
        var table = Section.Table.of(
                "Changes a second",
                "reader",
                "median",
                "least",
                "most",
                "until the sink has the last",
                "processor µs a change",
                "start to first s",
                "peak RSS MB",
                "peak heap MB",
                "what it is");
        var chart = Section.Chart.bars("Changes a second, median of " + options.rounds);
        for (Reader reader : readers) {
            List<Drain> of = counted(reader.name());
            if (!of.isEmpty()) {
                double[] rates = of.stream().mapToDouble(Drain::rate).sorted().toArray();
                table.row(
                        reader.name(),
                        Section.whole(medians.get(reader.name())),
                        Section.whole(rates[0]),
                        Section.whole(rates[rates.length - 1]),
                        Section.whole(untilHeld(of)),
                        Section.tenths(zeroIsUnknown(Medians.of(
                                of.stream().mapToDouble(Drain::cpuMicros).toArray()))),
                        Section.tenths(zeroIsUnknown(Medians.of(
                                of.stream().mapToDouble(Drain::startSeconds).toArray()))),
                        Section.whole(figure(of, "peak_rss_mb")),
                        Section.whole(figure(of, "peak_heap_mb")),
                        reader.description());
                chart.bar(reader.name(), medians.get(reader.name()));
            }
        }
        section.tables().add(table);
        section.charts().add(chart);
        section.charts().add(progress(readers));
        section.tables().add(ratios(medians));
        return section;
    }

    /** Each service's median round, as it went on. */
    private Section.Chart progress(List<Reader> readers) {
        var chart = Section.Chart.curves("Changes acknowledged to the slot, over time", "s");
        for (Reader reader : readers) {
            List<Drain> of = counted(reader.name()).stream()
                    .filter(drain -> reader instanceof WalrouteReader
                            && !drain.progress().isEmpty())
                    .sorted(java.util.Comparator.comparingDouble(Drain::rate))
                    .toList();
            if (!of.isEmpty()) {
                chart.curve(reader.name(), of.get(of.size() / 2).progress());
            }
        }
        return chart;
    }

    private static Section.Table ratios(Map<String, Double> medians) {
        var table = Section.Table.of("Ratios of the medians", "ratio", "measured", "aim", "then");
        for (Aim aim : AIMS) {
            if (medians.containsKey(aim.reader()) && medians.containsKey(aim.peer())) {
                table.row(
                        aim.what(),
                        Section.hundredths(medians.get(aim.reader()) / medians.get(aim.peer())),
                        Section.hundredths(aim.least()),
                        Section.hundredths(aim.then()));
            }
        }
        return table;
    }

    private List<Drain> counted(String reader) {
        return drains.stream()
                .filter(drain -> drain.reader().equals(reader) && drain.round() > 0)
                .toList();
    }

    private Map<String, Double> medians() {
        Map<String, Double> medians = new LinkedHashMap<>();
        for (Drain drain : drains) {
            double[] rates =
                    counted(drain.reader()).stream().mapToDouble(Drain::rate).toArray();
            if (rates.length > 0) {
                medians.put(drain.reader(), Medians.of(rates));
            }
        }
        return medians;
    }

    private static double figure(List<Drain> drains, String name) {
        return drains.stream()
                .filter(drain -> drain.figures().get(name) instanceof Number)
                .mapToDouble(drain -> ((Number) drain.figures().get(name)).doubleValue())
                .max()
                .orElse(Double.NaN);
    }

    /** The median rate without the wait until the slot is moved; unknown where the reader moves none. */
    private static double untilHeld(List<Drain> drains) {
        return Medians.of(drains.stream()
                .filter(drain -> drain.figures().get("sink_seconds") instanceof Number)
                .mapToDouble(
                        drain -> drain.changes() / ((Number) drain.figures().get("sink_seconds")).doubleValue())
                .toArray());
    }

    private static double zeroIsUnknown(double value) {
        return value == 0 ? Double.NaN : value;
    }

    private List<Reader> readers() throws Exception {
        List<Reader> all = new ArrayList<>(List.of(
                new RecvLogical(),
                new BareStream(),
                new EngineReader(),
                new NodeReader(options.peers, false),
                new NodeReader(options.peers, true)));
        all.addAll(DebeziumServerReader.all(options));
        all.addAll(WalrouteReader.all(options.jvm()));
        List<Reader> here = new ArrayList<>();
        for (Reader reader : options.readers.isEmpty() ? all : named(all)) {
            String missing = reader.missing();
            if (missing == null) {
                here.add(reader);
            } else {
                Progress.say(reader.name() + " is left out: " + missing);
            }
        }
        return here;
    }

    private List<Reader> named(List<Reader> all) {
        List<Reader> wanted = new ArrayList<>();
        for (String name : options.readers) {
            wanted.add(all.stream()
                    .filter(each -> each.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("--readers " + name + " is none of "
                            + all.stream().map(Reader::name).toList())));
        }
        return wanted;
    }
}
