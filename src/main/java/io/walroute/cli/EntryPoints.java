package io.walroute.cli;

import io.walroute.change.Lsn;
import io.walroute.demo.DemoSettings;
import io.walroute.doctor.Result;
import io.walroute.settings.Settings;
import io.walroute.slot.SlotTransaction;
import io.walroute.slot.TransactionSearch;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** What the commands start: given to them, so that the command line knows neither Camel nor the stores. */
public record EntryPoints(
        ServiceRun service, DemoRun demo, DeadLetters deadLetters, Slots slots, Diagnosis diagnosis, Beside beside) {
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

    /** The service beside a command, in the same process. */
    @FunctionalInterface
    public interface Beside {
        /** @return drains and ends it when closed */
        AutoCloseable start(Settings settings) throws Exception;
    }

    /** The checks of {@code doctor}. */
    @FunctionalInterface
    public interface Diagnosis {
        /** @param serviceRuns whether the service of these settings answers */
        List<Result> run(Settings settings, boolean serviceRuns);
    }

    /** What is done to the slot and noted in the store. */
    public interface Slots {
        /** Whether the service ever streamed: then a missing slot is a gap, else a setup that is yet to come. */
        boolean ranBefore(Settings settings) throws Exception;

        /** @param say is told what will be given up, before anything is */
        ResetResult reset(Settings settings, ResetOptions options, Consumer<ResetPlan> say) throws Exception;

        /** @return what was done, in the past tense, or would be; empty if there was nothing to do */
        List<String> drop(Settings settings, DropOptions options) throws Exception;

        /** @throws Exception if the slot doesn't hold it; says why */
        SlotTransaction find(Settings settings, TransactionSearch.Wanted wanted, TransactionSearch.Progress progress)
                throws Exception;

        /** Notes, while no service runs, that the transaction is passed over. @return the record, as {@code /api/skips} has it */
        Map<String, Object> skip(Settings settings, SlotTransaction transaction, String reason, String by)
                throws Exception;

        /** The newest records of transactions that were passed over, the newest first. */
        List<Map<String, Object>> skips(Settings settings) throws Exception;

        /** Empty if the service never ran. */
        Optional<Noted> noted(Settings settings) throws Exception;
    }

    /**
     * What the store says of the stream.
     *
     * @param gap the gap that is open, in one line; null if there is none
     * @param at when {@code position} was noted
     * @param skips transactions to be passed over, and the last one that was
     */
    public record Noted(String gap, Lsn position, Instant at, List<Map<String, Object>> skips) {}

    public record DropOptions(boolean force, boolean publication, boolean dryRun) {}

    public record ResetOptions(boolean acceptGap, boolean force, boolean dryRun) {}

    /**
     * @param bytes null where the two positions are not of one WAL
     * @param gap the gap in one line; null if none was found
     */
    public record ResetPlan(Lsn from, Lsn to, Long bytes, String gap) {}

    /**
     * @param gap as in {@link ResetPlan}
     * @param done in the past tense; empty for a dry run and where there was nothing to do
     */
    public record ResetResult(Lsn from, Lsn to, Long bytes, String gap, long epoch, List<String> done) {}

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
