package io.walroute.service;

import io.micrometer.core.instrument.MeterRegistry;
import io.walroute.demo.Demo;
import io.walroute.demo.DemoSettings;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.slot.Setup;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the commands of the command line start. */
public final class Commands {
    private static final Logger LOG = LoggerFactory.getLogger(Commands.class);

    private Commands() {}

    /**
     * Runs the service until the process is asked to end (Ctrl-C, SIGTERM); then drains it and ends the process with exit code
     * 0, so that it never returns once the service runs.
     *
     * @throws SettingsException if the service can't start; in one line, why
     */
    public static int run(Settings settings, boolean reload) throws InterruptedException {
        Service service;
        try {
            service = Service.start(settings, reload);
        } catch (ServiceException e) {
            var failure = new SettingsException(List.of(e.getMessage()));
            failure.initCause(e);
            throw failure;
        }
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            LOG.info("Stopping: finishing what is in flight");
                            service.close();
                            LOG.info("Stopped");
                            // A signal's exit code is 143; a stop that lost nothing is a success.
                            Runtime.getRuntime().halt(0);
                        },
                        "stop"));
        LOG.info("walroute runs; routes from {}", settings.routes());
        new CountDownLatch(1).await();
        return 0;
    }

    /** Blocks until the demo ends. */
    public static int demo(Path home, DemoSettings demo, PrintStream out) throws Exception {
        Demo.run(
                demo,
                values -> {
                    Settings settings = Settings.of(home, values);
                    try (var connection = settings.replicationTarget().connect()) {
                        var setup = new Setup(connection, settings.replicationTarget());
                        setup.apply(setup.plan(settings.wantedSetup()));
                    }
                },
                values -> new Running(Service.start(Settings.of(home, values), false)),
                out);
        return 0;
    }

    private record Running(Service service) implements Demo.Service {
        @Override
        public MeterRegistry meters() {
            return service.meters();
        }

        @Override
        public void close() {
            service.close();
        }
    }

    /** What is parked or dead, oldest first, as {@code dead-letters list} shows it; works while the service runs, and without. */
    public static List<Map<String, Object>> deadLetters(Settings settings) throws Exception {
        return DeadLetterList.read(settings.auditUrl());
    }
}
