package io.walroute.cli;

import picocli.CommandLine.Option;

/** How the marketplace's traffic is made. */
final class TrafficOptions {
    @Option(
            names = "--connections",
            paramLabel = "N",
            defaultValue = "4",
            description = "How many connections work side by side (default: ${DEFAULT-VALUE}).")
    private int connections;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "The same seed and one connection make the same changes (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--large-every",
            paramLabel = "N",
            defaultValue = "100",
            description =
                    "Each Nth transaction of a connection changes hundreds of rows; 0 for none (default: ${DEFAULT-VALUE}).")
    private int largeEvery;

    /** @throws Failure if they can't be meant */
    void check() {
        if (connections < 1 || largeEvery < 0) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "--connections " + connections + " must be 1 or more, --large-every " + largeEvery + " 0 or more");
        }
    }

    int connections() {
        return connections;
    }

    long seed() {
        return seed;
    }

    int largeEvery() {
        return largeEvery;
    }
}
