package io.walroute.cli;

import io.walroute.demo.Simulator;
import io.walroute.demo.SimulatorSettings;
import io.walroute.settings.DatabaseUrl;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "simulate",
        description =
                "Makes a marketplace's traffic in the tables listings, offers, ens_names and opensea_events of DATABASE_URL,"
                        + " until Ctrl-C or one of the limits. For a database of your own: it inserts, changes and deletes rows.",
        footer = {"", "Example: walroute simulate --rate 100 --duration 5m"})
final class SimulateCommand implements Callable<Integer> {
    private final Session session;

    @Option(
            names = "--rate",
            paramLabel = "N",
            defaultValue = "40",
            description = "Changes per second; 0 for as many as the database takes (default: ${DEFAULT-VALUE}).")
    private double rate;

    @Option(
            names = "--duration",
            paramLabel = "TIME",
            converter = DurationConverter.class,
            description = "Stop after this time, as 30s or 5m.")
    private Duration duration;

    @Option(names = "--changes", paramLabel = "N", description = "Stop after this many committed changes.")
    private long changes;

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

    @Option(names = "--json", description = "Print one JSON document at the end.")
    private boolean json;

    SimulateCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        DurationConverter.requireRate(rate);
        if (changes < 0 || connections < 1) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "--changes " + changes + " and --connections " + connections + " must be positive");
        }
        var settings = session.settings();
        try (var connection = settings.replicationTarget().connect()) {
            requireTables(connection);
        }
        var simulator = new Simulator(
                new SimulatorSettings(jdbcUrl(settings.databaseUrl()), rate, duration, changes, seed, connections));
        runUntilStopped(simulator);
        return 0;
    }

    private void runUntilStopped(Simulator simulator) throws SQLException, InterruptedException {
        var printed = new CountDownLatch(1);
        // Ctrl-C: the transactions under way end, and what was done is printed, before the program does.
        var stop = new Thread(() -> {
            simulator.stop();
            try {
                printed.await(5, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(stop);
        try {
            print(simulator.run(progress -> {}));
        } finally {
            printed.countDown();
            removeShutdownHook(stop);
        }
    }

    private static void removeShutdownHook(Thread stop) {
        try {
            Runtime.getRuntime().removeShutdownHook(stop);
        } catch (IllegalStateException alreadyShuttingDown) {
            // It runs just now.
        }
    }

    private static void requireTables(java.sql.Connection connection) throws SQLException {
        String sql =
                "SELECT string_agg(name, ', ') FROM unnest(ARRAY['listings', 'offers', 'ens_names', 'opensea_events'])"
                        + " name WHERE to_regclass('public.' || name) IS NULL";
        try (var statement = connection.createStatement();
                var row = statement.executeQuery(sql)) {
            row.next();
            if (row.getString(1) != null) {
                throw new Failure(
                        Failure.MISCONFIGURED,
                        "Database " + connection.getCatalog() + " has no table " + row.getString(1)
                                + ". Create the marketplace's tables first: src/main/resources/io/walroute/demo/marketplace.sql");
            }
        }
    }

    /** The simulator opens its connections by a URL alone. */
    static String jdbcUrl(DatabaseUrl url) {
        return url.jdbcUrl() + "?"
                + url.properties().entrySet().stream()
                        .map(each -> each.getKey() + "=" + URLEncoder.encode(each.getValue(), StandardCharsets.UTF_8))
                        .collect(Collectors.joining("&"));
    }

    private void print(Simulator.Progress result) {
        PrintStream out = session.out();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("changes", result.changes());
            document.put("transactions", result.transactions());
            document.put("rollbacks", result.rollbacks());
            document.put("seconds", result.elapsed().toMillis() / 1000.0);
            document.put("by_kind", result.byKind());
            Json.print(out, document);
            return;
        }
        out.printf(
                "Committed %,d changes in %,d transactions (%,d rolled back) within %.1f s.%n",
                result.changes(),
                result.transactions(),
                result.rollbacks(),
                result.elapsed().toMillis() / 1000.0);
        result.byKind().forEach((kind, count) -> out.printf("  %-24s %,d%n", kind, count));
    }
}
