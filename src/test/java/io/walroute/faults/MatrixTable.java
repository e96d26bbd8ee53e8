package io.walroute.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;

/** The matrix's results as a table of the README, between two marks. */
final class MatrixTable {
    static final String BEGIN = "<!-- kill matrix: written by KillMatrixTest -->";
    static final String END = "<!-- end of kill matrix -->";

    /** Results of one cell. */
    record Row(Cell cell, int runs, long changes, long lost, long reordered, long repeated) {
        static Row of(Cell cell, Verdict verdict) {
            return new Row(cell, 1, verdict.changes(), verdict.lost(), verdict.reordered(), verdict.repeated());
        }

        Row plus(Row other) {
            return new Row(
                    cell,
                    runs + other.runs,
                    changes + other.changes,
                    lost + other.lost,
                    reordered + other.reordered,
                    repeated + other.repeated);
        }

        private String line() {
            return "| " + cell.fault().title + " | " + cell.moment().title + " | " + runs + " | " + changes + " | "
                    + lost + " | " + reordered + " | " + repeated + " |\n";
        }
    }

    private MatrixTable() {}

    static String markdown(Collection<Row> rows) {
        var text = new StringBuilder("| fault | moment | runs | changes | lost | reordered | repeated webhooks |\n"
                + "|---|---|--:|--:|--:|--:|--:|\n");
        rows.forEach(row -> text.append(row.line()));
        return text.toString();
    }

    static void write(Path readme, Collection<Row> rows) throws IOException {
        String text = Files.readString(readme);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IOException(readme + " has no marks for the kill matrix");
        }
        Files.writeString(
                readme, text.substring(0, begin + BEGIN.length()) + "\n" + markdown(rows) + text.substring(end));
    }
}
