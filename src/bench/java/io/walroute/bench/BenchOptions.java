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
            defaultValue = "3",
            description = "How often each reader takes its turn; medians are reported (default: ${DEFAULT-VALUE}).")
    int rounds;

    @Option(
            names = "--warm-up",
            paramLabel = "N",
            defaultValue = "1000000",
            description =
                    "backlog: how many changes each reader takes before its time counts (default: ${DEFAULT-VALUE}).")
    long warmUp;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            defaultValue = "60",
            description = "latency, fanout: how long each rate lasts, after a warm-up (default: ${DEFAULT-VALUE}).")
    int seconds;

    @Option(
            names = "--latency-warm-up",
            paramLabel = "N",
            defaultValue = "40",
            description = "latency: seconds of the same traffic before that don't count (default: ${DEFAULT-VALUE}).")
    int latencyWarmUp;

    @Option(
            names = "--routes",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "cache,audited,all",
            description = "latency: cache (alone), audited (cache and audit log), all (the product's own)"
                    + " (default: ${DEFAULT-VALUE}).")
    List<String> latencyOf;

    @Option(
            names = "--rates",
            split = ",",
            paramLabel = "N",
            defaultValue = "100,1000,5000",
            description = "latency: changes a second (default: ${DEFAULT-VALUE}).")
    List<Integer> rates;

    @Option(
            names = "--subscribers",
            paramLabel = "N",
            defaultValue = "1000",
            description = "fanout: clients that follow the one topic (default: ${DEFAULT-VALUE}).")
    int subscribers;

    @Option(
            names = "--clients",
            paramLabel = "N",
            defaultValue = "5000",
            description = "fanout: clients that are only connected (default: ${DEFAULT-VALUE}).")
    int clients;

    @Option(
            names = "--long-backlog",
            paramLabel = "N",
            defaultValue = "5000000",
            description = "scaling: changes of the long backlog, 0 for none (default: ${DEFAULT-VALUE}).")
    long longBacklog;

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
            description = "Where the reports go (default: ${DEFAULT-VALUE}).")
    Path out;

    @Option(
            names = "--peers",
            paramLabel = "FOLDER",
            defaultValue = ".bench",
            description = "Where Debezium Server and Node's library are, or are put (default: ${DEFAULT-VALUE}).")
    Path peers;

    @Option(
            names = "--java21",
            paramLabel = "FOLDER",
            defaultValue = "${env:BENCH_JAVA21:-}",
            description =
                    "Home of a Java of 21 or later, which Debezium Server needs (default: BENCH_JAVA21, this Java, or"
                            + " one in /usr/lib/jvm).")
    String java21;

    List<String> jvm() {
        String more = System.getenv().getOrDefault("BENCH_JVM", "").strip();
        List<String> all = new java.util.ArrayList<>(jvm);
        all.addAll(more.isEmpty() ? List.of() : List.of(more.split("\\s+")));
        return all;
    }
}
