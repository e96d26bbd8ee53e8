package io.walroute.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** The matrix's results as a table of the README, between two marks. */
final class MatrixTable {
    static final String BEGIN = "<!-- kill matrix: written by KillMatrixTest -->";
    static final String END = "<!-- end of kill matrix -->";

    /** Results of one cell. */
    record Row(Cell cell, int runs, long changes, long lost, long reordered, long repeated, Verdict.Frames frames) {
        static Row of(Cell cell, Verdict verdict) {
            return new Row(
                    cell,
                    1,
                    verdict.changes(),
                    verdict.lost(),
                    verdict.reordered(),
                    verdict.repeated(),
                    verdict.frames());
        }

        Row plus(Row other) {
            return new Row(
                    cell,
                    runs + other.runs,
                    changes + other.changes,
                    lost + other.lost,
                    reordered + other.reordered,
                    repeated + other.repeated,
                    frames.plus(other.frames));
        }

        private String figures() {
            return said() + (runs > 1 ? " (" + runs + " runs)" : "");
        }

        private String said() {
            return cell.moment().part == Moment.Part.RESUMPTION
                    ? frames.holes() + " / " + frames.repeats() + " of " + frames.wanted()
                    : lost + " / " + reordered + " / " + repeated;
        }
    }

    private MatrixTable() {}

    /** Empty: not run. */
    static String markdown(Function<Cell, String> figures) {
        return markdown("lost / reordered / repeated", Moment.Part.STREAM, figures)
                + "\nWhile a backfill goes on beside the stream, of tables with rows that only it knows:\n\n"
                + markdown("during a backfill", Moment.Part.BACKFILL, figures)
                + "\nWith " + Wish.MANY.size()
                + " WebSocket clients, with filters and without, one slow, that resume by"
                + " `since` after each break (holes / repeats of all frames that they had to get, none of them told of a"
                + " gap):\n\n"
                + markdown("holes / repeats", Moment.Part.RESUMPTION, figures);
    }

    private static String markdown(String corner, Moment.Part part, Function<Cell, String> figures) {
        return markdown(corner, faults(part), Moment.all(part), figures);
    }

    private static List<Fault> faults(Moment.Part part) {
        return Stream.of(Fault.values())
                .filter(fault -> Moment.all(part).stream()
                        .map(moment -> new Cell(fault, moment))
                        .anyMatch(cell -> cell.isRun() || !cell.isPossible()))
                .toList();
    }

    private static String markdown(
            String corner, List<Fault> faults, List<Moment> moments, Function<Cell, String> figures) {
        var text = new StringBuilder("| " + corner + " |");
        for (Moment moment : moments) {
            text.append(' ').append(moment.title).append(" |");
        }
        text.append("\n|---|").append("---|".repeat(moments.size())).append('\n');
        for (Fault fault : faults) {
            text.append("| ").append(fault.title).append(" |");
            for (Moment moment : moments) {
                String said = figures.apply(new Cell(fault, moment));
                text.append(said.isEmpty() ? " |" : " " + said + " |");
            }
            text.append('\n');
        }
        return text.toString();
    }

    /** Of cells that weren't run this time the README goes on to say what it said. */
    private static String figures(Cell cell, Map<Cell, Row> rows, String readme) {
        if (rows.containsKey(cell)) {
            return rows.get(cell).figures();
        }
        return cell.isRun() ? figures(readme, cell) : cell.isPossible() ? "" : "n/a";
    }

    /** What a README says of a cell. */
    static String figures(String readme, Cell cell) {
        String table = readme.substring(readme.indexOf(BEGIN), readme.indexOf(END));
        int column = 0;
        for (String line : table.lines().toList()) {
            List<String> columns =
                    Stream.of(line.split("\\|", -1)).map(String::strip).toList();
            if (columns.contains(cell.moment().title)) {
                column = columns.indexOf(cell.moment().title);
            } else if (line.isBlank()) {
                column = 0;
            } else if (column > 0 && columns.get(1).equals(cell.fault().title)) {
                return columns.get(column);
            }
        }
        return "";
    }

    static void write(Path readme, Map<Cell, Row> rows) throws IOException {
        String text = Files.readString(readme);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IOException(readme + " has no marks for the kill matrix");
        }
        String table = markdown(cell -> figures(cell, rows, text));
        Files.writeString(readme, text.substring(0, begin + BEGIN.length()) + "\n" + table + text.substring(end));
    }
}
