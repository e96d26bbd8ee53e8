package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(ReplaceUnderscores.class)
class MatrixTableTest {
    private static final Verdict CLEAN = new Verdict(10, 0, 0, 3, List.of());

    @Test
    void the_readme_shows_every_cell_of_the_matrix_and_nothing_lost() throws Exception {
        String readme = Files.readString(Path.of("README.md"));
        String table = readme.substring(readme.indexOf(MatrixTable.BEGIN), readme.indexOf(MatrixTable.END));
        for (Cell cell : Cell.all()) {
            assertThat(table)
                    .as("run: mvn verify -Pfaults -Dwalroute.matrix.write=true")
                    .containsPattern("\\| \\Q" + cell.title() + "\\E \\| \\d+ \\| \\d+ \\| 0 \\| 0 \\|");
        }
        assertThat(table.lines().filter(line -> line.startsWith("| ")).count())
                .isEqualTo(Cell.all().size() + 1);
    }

    @Test
    void the_table_is_written_between_its_marks_and_leaves_the_rest_alone(@TempDir Path folder) throws Exception {
        Path readme = Files.writeString(
                folder.resolve("README.md"),
                "before\n" + MatrixTable.BEGIN + "\nold\n" + MatrixTable.END + "\nafter\n");
        Cell cell = Cell.all().get(0);
        MatrixTable.write(readme, List.of(MatrixTable.Row.of(cell, CLEAN).plus(MatrixTable.Row.of(cell, CLEAN))));
        assertThat(readme)
                .content()
                .startsWith("before\n" + MatrixTable.BEGIN + "\n| fault |")
                .contains("| " + cell.title() + " | 2 | 20 | 0 | 0 | 6 |\n")
                .doesNotContain("old")
                .endsWith(MatrixTable.END + "\nafter\n");
    }
}
