package io.walroute.bench;

import java.util.List;
import java.util.concurrent.Callable;
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
    private enum Part {
        backlog,
        all
    }

    @Parameters(
            arity = "0..*",
            paramLabel = "PART",
            description = "What to measure: ${COMPLETION-CANDIDATES} (default: all).")
    private List<Part> parts = List.of(Part.all);

    @Mixin
    private BenchOptions options;

    public static void main(String[] args) {
        System.exit(new CommandLine(new Bench()).execute(args));
    }

    @Override
    public Integer call() throws Exception {
        boolean sound = true;
        if (wants(Part.backlog)) {
            sound &= new BacklogPart(options).run();
        }
        return sound ? 0 : 1;
    }

    private boolean wants(Part part) {
        return parts.contains(part) || parts.contains(Part.all);
    }
}
