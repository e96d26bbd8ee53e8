package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.demo.EmbeddedServers;
import io.walroute.demo.FreePort;
import io.walroute.demo.Marketplace;
import io.walroute.load.LoadException;
import io.walroute.load.LoadOptions;
import io.walroute.load.LoadPage;
import io.walroute.load.LoadReport;
import io.walroute.load.LoadRun;
import io.walroute.load.ServiceView;
import io.walroute.logging.Terminal;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "load",
        description = {
            "Makes a marketplace's traffic in the tables listings, offers, ens_names and opensea_events of DATABASE_URL while the"
                    + " service runs, measures how long each change takes from its commit until it is seen in Redis, by a"
                    + " WebSocket client and by a webhook receiver, and at the end compares the cache with the tables and the"
                    + " audit log with what was committed. Exit code 1 if that check fails.",
            "For a database of your own: it inserts, changes and deletes rows. Ctrl-C ends the traffic; the check and the report"
                    + " still follow, unless it is pressed again."
        },
        footer = {
            "",
            "Example: walroute load --demo --duration 30s --html load.html",
            "         walroute load --rate 1000 --duration 5m --json"
        })
final class LoadCommand implements Callable<Integer> {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Session session;

    @Option(
            names = "--duration",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = DurationConverter.class,
            description = "How long the traffic lasts, as 30s or 5m (default: ${DEFAULT-VALUE}).")
    private Duration duration;

    @Option(
            names = "--warm-up",
            paramLabel = "TIME",
            converter = DurationConverter.class,
            description =
                    "How long the same traffic goes before it counts, as 30s: compilers take their time, in the service and"
                            + " here (default: not at all).")
    private Duration warmUp = Duration.ZERO;

    @Option(
            names = "--no-audit-log",
            description =
                    "The routes keep no audit log: it isn't compared, and rows of before the run must be in the cache, too.")
    private boolean noAuditLog;

    @Option(
            names = "--rate",
            paramLabel = "N",
            defaultValue = "200",
            converter = RateConverter.class,
            description = "Changes per second; max for as many as the database takes (default: ${DEFAULT-VALUE}).")
    private double rate;

    @Option(
            names = "--demo",
            description =
                    "On embedded servers with the service in this process: nothing needs to be installed or running.")
    private boolean demo;

    @Option(names = "--html", paramLabel = "FILE", description = "Also write the report with plots as one HTML page.")
    private Path html;

    @Mixin
    private TrafficOptions traffic;

    @Option(names = "--json", description = "Print one JSON document at the end.")
    private boolean json;

    LoadCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        DurationConverter.requireRate(rate);
        traffic.check();
        requireWritable();
        return demo ? runDemo() : runAgainst(session.settings());
    }

    /** Before the traffic: a minute of it that nobody can read would be a pity. */
    private void requireWritable() {
        Path folder = html == null ? null : html.toAbsolutePath().getParent();
        if (folder != null && (!Files.isWritable(folder) || Files.isDirectory(html))) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "--html " + html + " can't be written. Name a file in a folder that is there");
        }
    }

    private int runAgainst(Settings settings) throws Exception {
        if (settings.findDatabaseUrl().isEmpty()) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "DATABASE_URL is not set. Set it and start the service (walroute run), or try: walroute load --demo");
        }
        ServiceView service = () -> look(settings);
        requireService(service);
        try (var connection = settings.replicationTarget().connect()) {
            SimulateCommand.requireTables(connection);
        }
        return run(settings, service);
    }

    private static void requireService(ServiceView service) {
        try {
            service.look();
        } catch (LoadException e) {
            throw new Failure(
                    Failure.FAILED, e.getMessage().replaceFirst("\\.?$", "") + ", or try: walroute load --demo");
        }
    }

    private static ServiceView.State look(Settings settings) throws LoadException {
        StatusCommand.Service service = StatusCommand.askService(settings);
        if (service.answer() == null) {
            throw new LoadException(service.why());
        }
        JsonNode answer = service.answer();
        long parked = 0;
        long dead = 0;
        for (JsonNode sink : answer.path("sinks")) {
            parked += sink.path("parked").asLong();
            dead += sink.path("dead").asLong();
        }
        return new ServiceView.State(
                answer.path("source").path("state").asText().equals("STREAMING"),
                answer.path("source").path("in_flight").asLong(),
                parked,
                dead);
    }

    private int run(Settings settings, ServiceView service) throws Exception {
        var line = new ProgressLine(session.out(), Terminal.hasColours());
        var options = new LoadOptions(
                warmUp,
                duration,
                rate,
                traffic.seed(),
                traffic.connections(),
                traffic.largeEvery(),
                !noAuditLog,
                PATIENCE);
        var run = new LoadRun(
                settings, SimulateCommand.jdbcUrl(settings.databaseUrl()), options, service, (share, what) -> {
                    if (!json) {
                        line.show(share, what);
                    }
                });
        LoadReport report;
        try (var interrupts = new Interrupts(run::stop)) {
            report = run.run();
        } catch (LoadException e) {
            throw new Failure(Failure.FAILED, java.util.List.of(e.getMessage()), e);
        } catch (InterruptedException e) {
            throw new Failure(Failure.FAILED, "Interrupted: nothing was compared, and there is no report");
        } finally {
            line.end();
        }
        show(report);
        return report.passed() ? 0 : Failure.FAILED;
    }

    private void show(LoadReport report) throws IOException {
        if (html != null) {
            Files.writeString(html, LoadPage.of(report));
        }
        if (json) {
            Json.print(session.out(), report.toMap());
            return;
        }
        report.print(session.out());
        if (html != null) {
            session.out().println("Report with plots: " + html.toAbsolutePath());
        }
    }

    // ---------------------------------------------------------------- demo

    private int runDemo() throws Exception {
        if (!json) {
            session.out().println("Starting PostgreSQL, Redis and the service …");
        }
        try (var servers = new EmbeddedServers().start()) {
            Settings settings = Settings.load(session.home(), demoSettings(servers));
            try (Connection connection = DriverManager.getConnection(servers.jdbcUrl())) {
                Marketplace.create(connection);
            }
            SetupCommand.setUp(settings, false);
            try (AutoCloseable service = session.entryPoints().beside().start(settings)) {
                return run(settings, () -> look(settings));
            }
        }
    }

    private static Map<String, String> demoSettings(EmbeddedServers servers) {
        Map<String, String> map = new LinkedHashMap<>();
        map.put("DATABASE_URL", servers.databaseUrl());
        map.put("REPLICATION_SLOT", "grails_wal_slot");
        map.put("PUBLICATION_NAME", "grails_publication");
        map.put("REDIS_URL", servers.redis().url());
        map.put("WEBSOCKET_PORT", Integer.toString(FreePort.any()));
        map.put("MANAGEMENT_PORT", Integer.toString(FreePort.any()));
        map.put("WEBHOOK_URL", "http://127.0.0.1:" + FreePort.any() + "/webhooks");
        map.put(
                "WEBHOOK_SECRET",
                "whsec_"
                        + Base64.getEncoder()
                                .encodeToString("walroute demo, no secret".getBytes(StandardCharsets.UTF_8)));
        map.put("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
        map.put("WALROUTE_AUDIT_URL", "jdbc:sqlite:" + servers.folder().resolve("walroute.db"));
        return map;
    }
}
