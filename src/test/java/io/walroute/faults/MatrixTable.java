package io.walroute.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.function.ToLongFunction;

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

        private String figures() {
            return lost + " / " + reordered + " / " + repeated + (runs > 1 ? " (" + runs + " runs)" : "");
        }
    }

    private MatrixTable() {}

    /** Empty: not run. */
    static String markdown(Collection<Row> rows) {
        var text = new StringBuilder("| fault, moment: lost / reordered / repeated |");
        for (Moment moment : Moment.values()) {
            text.append(' ').append(moment.title).append(" |");
        }
        text.append("\n|---|").append("---|".repeat(Moment.values().length)).append('\n');
        for (Fault fault : Fault.values()) {
            text.append("| ").append(fault.title).append(" |");
            for (Moment moment : Moment.values()) {
                text.append(figures(new Cell(fault, moment), rows));
            }
            text.append('\n');
        }
        return text.append('\n').append(sum(rows)).append('\n').toString();
    }

    private static String figures(Cell cell, Collection<Row> rows) {
        return rows.stream()
                .filter(row -> row.cell.equals(cell))
                .findFirst()
                .map(row -> " " + row.figures() + " |")
                .orElse(cell.isPossible() ? " |" : " n/a |");
    }

    private static String sum(Collection<Row> rows) {
        return String.format(
                Locale.ROOT,
                "In all: %,d cells, %,d runs, %,d changes, %,d lost, %,d reordered. n/a: the moment is made of that fault.",
                rows.size(),
                sum(rows, Row::runs),
                sum(rows, Row::changes),
                sum(rows, Row::lost),
                sum(rows, Row::reordered));
    }

    private static long sum(Collection<Row> rows, ToLongFunction<Row> figure) {
        return rows.stream().mapToLong(figure).sum();
    }

    /** What a README says of a cell. */
    static String figures(String readme, Cell cell) {
        String table = readme.substring(readme.indexOf(BEGIN), readme.indexOf(END));
        return table.lines()
                .filter(line -> line.startsWith("| " + cell.fault().title + " |"))
                .map(line -> line.split("\\|", -1)[cell.moment().ordinal() + 2].strip())
                .findFirst()
                .orElse("no line");
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
