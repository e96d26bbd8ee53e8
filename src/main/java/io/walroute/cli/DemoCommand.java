package io.walroute.cli;

import io.walroute.demo.DemoSettings;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "demo",
        description =
                "Shows everything at once, with nothing installed: PostgreSQL, Redis, all routes, a webhook receiver, a"
                        + " WebSocket client and a marketplace's traffic. Ctrl-C ends it and leaves nothing behind.",
        footer = {"", "Example: walroute demo --rate 200"})
final class DemoCommand implements Callable<Integer> {
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
            description = "Stop after this time, as 30s or 5m (default: at Ctrl-C).")
    private Duration duration;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "What the traffic's chances start from (default: ${DEFAULT-VALUE}).")
    private long seed;

    DemoCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        DurationConverter.requireRate(rate);
        var defaults = DemoSettings.DEFAULTS;
        var settings = new DemoSettings(rate, duration, seed, defaults.webSocketPort(), defaults.managementPort());
        return session.entryPoints().demo().run(session.home(), settings, session.out());
    }
}
