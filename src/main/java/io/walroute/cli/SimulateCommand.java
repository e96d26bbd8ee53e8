package io.walroute.cli;

import io.walroute.demo.Simulator;
import io.walroute.demo.SimulatorSettings;
import io.walroute.logging.Terminal;
import io.walroute.settings.DatabaseUrl;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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
            converter = RateConverter.class,
            description = "Changes per second; max for as many as the database takes (default: ${DEFAULT-VALUE}).")
    private double rate;

    @Option(
            names = "--duration",
            paramLabel = "TIME",
            converter = DurationConverter.class,
            description = "Stop after this time, as 30s or 5m.")
    private Duration duration;

    @Option(names = "--changes", paramLabel = "N", description = "Stop after this many committed changes.")
    private long changes;

    @Mixin
    private TrafficOptions traffic;

    @Option(names = "--json", description = "Print one JSON document at the end.")
    private boolean json;

    SimulateCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        DurationConverter.requireRate(rate);
        traffic.check();
        if (changes < 0) {
            throw new Failure(Failure.MISCONFIGURED, "--changes " + changes + " must be 0 or more");
        }
        var settings = session.settings();
        try (var connection = settings.replicationTarget().connect()) {
            requireTables(connection);
        }
        var simulator = new Simulator(new SimulatorSettings(
                jdbcUrl(settings.databaseUrl()),
                rate,
                duration,
                changes,
                traffic.seed(),
                traffic.connections(),
                traffic.largeEvery()));
        runUntilStopped(simulator);
        return 0;
    }

    private void runUntilStopped(Simulator simulator) throws SQLException, InterruptedException {
        var line = new ProgressLine(session.out(), Terminal.hasColours());
        Simulator.Progress made;
        // Ctrl-C: the transactions under way end, and what was done is printed.
        try (var interrupts = new Interrupts(simulator::stop)) {
            made = simulator.run(progress -> {
                if (!json) {
                    show(line, progress);
                }
            });
        } finally {
            line.end();
        }
        print(made);
    }

    private void show(ProgressLine line, Simulator.Progress made) {
        double byTime = duration == null ? -1 : made.elapsed().toNanos() / (double) duration.toNanos();
        double byChanges = changes == 0 ? -1 : made.changes() / (double) changes;
        double seconds = Math.max(1e-3, made.elapsed().toNanos() / 1e9);
        line.show(
                Math.max(byTime, byChanges),
                String.format(Locale.ROOT, "%,d changes, %,.0f/s", made.changes(), made.changes() / seconds));
    }

    static void requireTables(java.sql.Connection connection) throws SQLException {
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
