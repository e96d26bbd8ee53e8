package io.walroute.bench;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** The bench: see docs/bench.md. */
@Command(
        name = "src/bench/run",
        mixinStandardHelpOptions = true,
        description = "Measures walroute beside what one would use instead, on this machine, and writes target/bench/.",
        footer = {
            "",
            "Example: src/bench/run backlog --changes 20000 --rounds 1 --readers walroute-cache,pg_recvlogical",
            "         src/bench/run backlog --readers walroute-cache --jvm=-XX:StartFlightRecording=filename=/tmp/w.jfr",
            "         src/bench/run all"
        })
public final class Bench implements Callable<Integer> {
    private enum Name {
        backlog(BacklogPart::new),
        latency(LatencyPart::new),
        fanout(FanOutPart::new),
        footprint(FootprintPart::new),
        scaling(ScalingPart::new),
        all(null);

        final Function<BenchOptions, Part> part;

        Name(Function<BenchOptions, Part> part) {
            this.part = part;
        }
    }

    @Parameters(
            arity = "0..*",
            paramLabel = "PART",
            description = "What to measure: ${COMPLETION-CANDIDATES} (default: all).")
    private List<Name> parts = List.of(Name.all);

    @Mixin
    private BenchOptions options;

    public static void main(String[] args) {
        System.exit(new CommandLine(new Bench()).execute(args));
    }

    @Override
    public Integer call() throws Exception {
        var report = new Report(options.out);
        boolean sound = true;
        for (Name name : Name.values()) {
            if (name.part != null && (parts.contains(name) || parts.contains(Name.all))) {
                Map<String, Object> setup = Setup.of(options);
                Section section = name.part.apply(options).run();
                report.add(section, setup);
                section.faults().forEach(fault -> Progress.say("FAULT: " + fault));
                sound &= section.faults().isEmpty();
                System.out.println(Report.text(section));
            }
        }
        Progress.say("written: " + options.out.resolve("report.md") + ", report.html, results.json");
        return sound ? 0 : 1;
    }
}
