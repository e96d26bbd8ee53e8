package io.walroute.cli;

import java.io.PrintStream;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Rows under their column names, for a terminal. */
final class TextTable {
    // What is longer is for --json. The last column, mostly a cause or a reason, pushes no other one aside.
    private static final int MAX_WIDTH = 60;
    private static final int MAX_LAST_WIDTH = 200;
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ssX").withZone(ZoneOffset.UTC);

    private TextTable() {}

    /** @param rows at least one; the first one's members are the columns */
    static void print(PrintStream out, List<Map<String, Object>> rows) {
        List<String> columns = new ArrayList<>(rows.get(0).keySet());
        int[] widths = new int[columns.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = columns.get(i).length();
            for (var row : rows) {
                widths[i] = Math.max(
                        widths[i],
                        text(row.get(columns.get(i)), maxWidth(columns, i)).length());
            }
        }
        var header = new ArrayList<String>();
        columns.forEach(column -> header.add(column.toUpperCase(Locale.ROOT)));
        out.println(line(header, widths));
        for (var row : rows) {
            var cells = new ArrayList<String>();
            for (int i = 0; i < widths.length; i++) {
                cells.add(text(row.get(columns.get(i)), maxWidth(columns, i)));
            }
            out.println(line(cells, widths));
        }
    }

    private static String line(List<String> cells, int[] widths) {
        var line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            line.append(cells.get(i)).append(" ".repeat(widths[i] - cells.get(i).length() + 2));
        }
        return line.toString().stripTrailing();
    }

    /** Without control characters: a cause may hold what a receiver answered. */
    static String oneLine(Object value) {
        return value.toString().replaceAll("[\\p{Cntrl}\\s]+", " ");
    }

    private static int maxWidth(List<String> columns, int column) {
        return column == columns.size() - 1 ? MAX_LAST_WIDTH : MAX_WIDTH;
    }

    /** As people read it, to the second. @param iso null for none */
    static String time(String iso) {
        return iso == null ? null : TIME.format(Instant.parse(iso));
    }

    private static String text(Object value, int maxWidth) {
        if (value == null) {
            return "";
        }
        String text = oneLine(value);
        return text.length() <= maxWidth ? text : text.substring(0, maxWidth - 1) + "…";
    }
}
