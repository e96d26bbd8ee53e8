package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class MatrixTableTest {
    private static final Verdict CLEAN = new Verdict(10, 0, 0, 3, new Verdict.Frames(7, 0, 0), List.of());

    @Test
    void the_readme_shows_every_cell_of_the_matrix_and_nothing_lost() throws Exception {
        String readme = Files.readString(Path.of("README.md"));
        for (Fault fault : Fault.values()) {
            for (Moment moment : Moment.values()) {
                var cell = new Cell(fault, moment);
                assertThat(MatrixTable.figures(readme, cell))
                        .as("%s; run: mvn verify -Pfaults -Dwalroute.matrix.write=true", cell.title())
                        .matches(cell.isRun() ? clean(moment) : cell.isPossible() ? "" : "n/a");
            }
        }
    }

    private static String clean(Moment moment) {
        return "0 / 0 " + (moment.part == Moment.Part.RESUMPTION ? "of" : "/") + " \\d+( \\(\\d+ runs\\))?";
    }

    @Test
    void what_cannot_be_is_not_run() {
        assertThat(Cell.all()).allMatch(Cell::isPossible);
    }

    @Test
    void the_table_is_written_between_its_marks_and_leaves_the_rest_alone(@TempDir Path folder) throws Exception {
        Path readme = Files.writeString(
                folder.resolve("README.md"),
                "before\n" + MatrixTable.BEGIN + "\nformer figures\n" + MatrixTable.END + "\nafter\n");
        Cell cell = Cell.all().get(0);
        Cell other = Cell.all().get(1);
        MatrixTable.write(readme, Map.of(other, MatrixTable.Row.of(other, CLEAN)));
        MatrixTable.write(readme, Map.of(cell, MatrixTable.Row.of(cell, CLEAN).plus(MatrixTable.Row.of(cell, CLEAN))));
        assertThat(MatrixTable.figures(Files.readString(readme), cell)).isEqualTo("0 / 0 / 6 (2 runs)");
        assertThat(MatrixTable.figures(Files.readString(readme), other))
                .as("what was not run this time")
                .isEqualTo("0 / 0 / 3");
        assertThat(readme)
                .content()
                .startsWith("before\n" + MatrixTable.BEGIN + "\n| lost")
                .doesNotContain("former figures")
                .endsWith(MatrixTable.END + "\nafter\n");
    }
}
