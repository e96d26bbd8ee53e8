package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Breaks everything that can break, at every moment that matters, and compares what arrived with the database afterwards.
 *
 * <p>{@code -Dwalroute.seed=N} repeats a run, {@code -Dwalroute.cell=TEXT;TEXT} runs the cells whose title contains one of
 * the texts,
 * {@code -Dwalroute.runs=N} each so many times, {@code -Dwalroute.matrix.write=true} writes the table into the README.
 */
@Tag("faults")
class KillMatrixTest {
    private static final Map<Cell, MatrixTable.Row> ROWS = new LinkedHashMap<>();
    private static World world;

    @BeforeAll
    static void start() throws IOException {
        world = new World(true);
    }

    @AfterAll
    static void close() throws IOException {
        world.close();
        if (Boolean.getBoolean("walroute.matrix.write")) {
            MatrixTable.write(Path.of("README.md"), ROWS);
        }
    }

    @TestFactory
    Stream<DynamicTest> nothing_is_lost_or_reordered() {
        String[] only = System.getProperty("walroute.cell", "").split(";");
        int runs = Integer.getInteger("walroute.runs", 1);
        return Cell.all().stream()
                .filter(cell -> Stream.of(only).anyMatch(cell.title()::contains))
                .map(cell -> DynamicTest.dynamicTest(cell.title(), () -> {
                    for (int run = 0; run < runs; run++) {
                        run(cell);
                    }
                }));
    }

    /** A second try, as CI gives to what its machine was too slow for, must not make a loss forgotten. */
    private static void remember(Cell cell, long seed, Verdict verdict) throws IOException {
        Path file = Path.of("target/faults/not-clean.txt");
        Files.createDirectories(file.getParent());
        Files.writeString(
                file,
                cell.title() + ", seed " + seed + ": " + verdict.details() + "\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    private static void run(Cell cell) throws Exception {
        long seed = Long.getLong("walroute.seed", System.nanoTime());
        long begun = System.nanoTime();
        System.out.println("Kill matrix, " + cell.title() + ", seed " + seed);
        try {
            world.begin(
                    seed,
                    Set.of(cell.fault()),
                    cell.moment().oldRows(),
                    cell.moment().wishes());
            world.workload.mixed(20);
            cell.moment().arrange(world);
            cell.fault().strike(world);
            cell.moment().release(world);
            world.heal();
            Verdict verdict = world.conclude();
            ROWS.merge(cell, MatrixTable.Row.of(cell, verdict), MatrixTable.Row::plus);
            System.out.printf(
                    "  %d changes, %d lost, %d reordered, %d repeated; %s, %d gap frames, %.1f s%n",
                    verdict.changes(),
                    verdict.lost(),
                    verdict.reordered(),
                    verdict.repeated(),
                    verdict.frames(),
                    world.gaps(),
                    (System.nanoTime() - begun) / 1e9);
            if (!verdict.isClean()) {
                remember(cell, seed, verdict);
            }
            assertThat(verdict.isClean())
                    .as("%s, seed %d: %s", cell.title(), seed, verdict.details())
                    .isTrue();
            if (cell.moment().part == Moment.Part.RESUMPTION) {
                assertThat(world.gaps()).as("gap frames, seed %d", seed).isZero();
            }
            if (!cell.fault().mayRepeat && cell.moment() != Moment.DURING_DRAIN) {
                assertThat(verdict.repeated()).as("repeated, seed %d", seed).isZero();
            }
        } catch (Exception | AssertionError e) {
            Path logs = Files.createDirectories(Path.of("target", "faults"))
                    .resolve(cell.fault() + "-" + cell.moment() + ".log");
            Files.writeString(logs, "seed " + seed + "\n" + world.logs());
            System.out.println("  FAILED, logs in " + logs + ": " + e.getMessage());
            throw e;
        } finally {
            world.end();
        }
    }
}
