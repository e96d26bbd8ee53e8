package io.walroute.cli;

import io.walroute.demo.DemoSettings;
import io.walroute.settings.Settings;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the commands start: given to them, so that the command line knows neither Camel nor the stores. */
public record EntryPoints(ServiceRun service, DemoRun demo, DeadLetters deadLetters) {
    @FunctionalInterface
    public interface ServiceRun {
        /**
         * Blocks until the service ends.
         *
         * @param dev reload routes when they are saved
         * @return the exit code
         */
        int run(Settings settings, boolean dev) throws Exception;
    }

    @FunctionalInterface
    public interface DemoRun {
        /**
         * Blocks until the demo ends.
         *
         * @param home holds routes/
         * @param out where the board goes
         */
        int run(Path home, DemoSettings settings, PrintStream out) throws Exception;
    }

    /**
     * The dead letters without the service, by its database. Queries, bodies and answers are those of
     * {@code /api/dead-letters}.
     */
    public interface DeadLetters {
        /** Those that failed last first: each as members in the order they are shown, values as JSON knows them. */
        List<Map<String, Object>> list(Settings settings, Map<String, String> query) throws Exception;

        Optional<Map<String, Object>> show(Settings settings, long id) throws Exception;

        Map<String, Object> redrive(Settings settings, Map<String, Object> body) throws Exception;

        Map<String, Object> discard(Settings settings, Map<String, Object> body) throws Exception;
    }
}
