package io.walroute.bench;

import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** What the parts of the bench are told. */
final class BenchOptions {
    @Option(
            names = "--changes",
            paramLabel = "N",
            defaultValue = "440000",
            description = "How many changes the backlog has (default: ${DEFAULT-VALUE}).")
    long changes;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "5",
            description = "How often each reader takes its turn; medians are reported (default: ${DEFAULT-VALUE}).")
    int rounds;

    @Option(
            names = "--readers",
            split = ",",
            paramLabel = "NAME",
            description = "backlog: only these readers, in this order (default: all).")
    List<String> readers = List.of();

    @Option(
            names = "--jvm",
            paramLabel = "OPTION",
            description = "One more option of walroute's JVM, as --jvm=-Xmx128m; may be repeated. BENCH_JVM does"
                    + " the same, with spaces between them.")
    private List<String> jvm = List.of();

    @Option(
            names = "--out",
            paramLabel = "FOLDER",
            defaultValue = "target/bench",
            description = "Where reports and downloads go (default: ${DEFAULT-VALUE}).")
    Path out;

    List<String> jvm() {
        String more = System.getenv().getOrDefault("BENCH_JVM", "").strip();
        List<String> all = new java.util.ArrayList<>(jvm);
        all.addAll(more.isEmpty() ? List.of() : List.of(more.split("\\s+")));
        return all;
    }
}
