package io.walroute.bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What one part of the bench found, ready to be written down. Kept as JSON, so that parts run by themselves still make one report.
 *
 * @param raw every single result
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Section(
        String name,
        String title,
        String measuredAt,
        List<String> notes,
        List<Table> tables,
        List<Chart> charts,
        List<String> faults,
        Object raw) {
    record Table(String title, List<String> columns, List<List<String>> rows) {
        static Table of(String title, String... columns) {
            return new Table(title, List.of(columns), new ArrayList<>());
        }

        void row(Object... cells) {
            List<String> row = new ArrayList<>();
            for (Object cell : cells) {
                row.add(cell == null ? "–" : cell.toString());
            }
            rows.add(row);
        }
    }

    /**
     * @param bars whether each series is one bar (its only point's y) rather than a curve
     * @param xUnit what the curves' x is
     */
    record Chart(String title, boolean bars, String xUnit, List<Series> series) {
        static Chart bars(String title) {
            return new Chart(title, true, "", new ArrayList<>());
        }

        static Chart curves(String title, String xUnit) {
            return new Chart(title, false, xUnit, new ArrayList<>());
        }

        void bar(String name, double value) {
            series.add(new Series(name, List.of(new double[] {0, value})));
        }

        void curve(String name, List<double[]> points) {
            series.add(new Series(name, points));
        }
    }

    record Series(String name, List<double[]> points) {}

    static Section of(String name, String title, Object raw) {
        return new Section(
                name,
                title,
                java.time.Instant.now()
                        .truncatedTo(java.time.temporal.ChronoUnit.SECONDS)
                        .toString(),
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>(),
                raw);
    }

    Section note(String line) {
        notes.add(line);
        return this;
    }

    static String whole(double value) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%,.0f", value);
    }

    static String tenths(double value) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%,.1f", value);
    }

    static String hundredths(double value) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%.2f", value);
    }
}
