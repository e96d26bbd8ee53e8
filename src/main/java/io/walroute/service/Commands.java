package io.walroute.service;

import io.micrometer.core.instrument.MeterRegistry;
import io.walroute.cli.EntryPoints;
import io.walroute.demo.Demo;
import io.walroute.demo.DemoSettings;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.slot.Setup;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.camel.CamelContext;
import org.apache.camel.support.LifecycleStrategySupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sun.misc.Signal;

/** What the commands of the command line start. */
public final class Commands {
    private static final Logger LOG = LoggerFactory.getLogger(Commands.class);

    private Commands() {}

    /**
     * Runs the service until the process is asked to end (Ctrl-C, SIGTERM), and drains it then.
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
        var stop = new CountDownLatch(1);
        // By signal handlers, not by a shutdown hook: after one the exit code would be the signal's (143), and a stop
        // that lost
        // nothing is a success.
        for (String name : List.of("INT", "TERM")) {
            Signal.handle(new Signal(name), signal -> stop.countDown());
        }
        endWith(service.camelContext(), stop);
        LOG.info("walroute runs; routes from {}", settings.routes());
        stop.await();
        LOG.info("Stopping: finishing what is in flight");
        service.close();
        LOG.info("Stopped");
        return 0;
    }

    /** As {@code camel stop} ends it in dev: a process whose routes are gone is of no use. */
    private static void endWith(CamelContext camel, CountDownLatch stop) {
        camel.addLifecycleStrategy(new LifecycleStrategySupport() {
            @Override
            public void onContextStopping(CamelContext context) {
                stop.countDown();
            }
        });
    }

    /** Blocks until the demo ends. */
    public static int demo(Path home, DemoSettings demo, PrintStream out) throws Exception {
        Demo.run(
                demo,
                values -> {
                    Settings settings = Settings.load(home, values);
                    try (var connection = settings.replicationTarget().connect()) {
                        var setup = new Setup(connection, settings.replicationTarget());
                        setup.apply(setup.plan(settings.wantedSetup()));
                    }
                },
                values -> new Running(Service.start(Settings.load(home, values), false)),
                out);
        return 0;
    }

    /** Starts the service in this process. */
    public static AutoCloseable beside(Settings settings) {
        return Service.start(settings, false)::close;
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

    public static EntryPoints.Slots slots() {
        return new SlotCommands();
    }
}
