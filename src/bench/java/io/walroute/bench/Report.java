package io.walroute.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.walroute.load.Plot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Sections as {@code report.md} and {@code report.html} (one file, no script, plots as SVG), and {@code results.json}. Parts that
 * were measured before, in the same folder, stay in it.
 */
final class Report {
    private static final List<String> PARTS = List.of("backlog", "latency", "fanout", "footprint", "scaling");
    private static final int COLOURS = 6;

    private static final String STYLE = """
            :root { color-scheme: light dark; --ink: #1d2530; --dim: #5b6675; --paper: #ffffff; --line: #d5dbe3; --bad: #b3261e;
              --c0: #0b6bcb; --c1: #b3540a; --c2: #1c7c3c; --c3: #7a3fb0; --c4: #a3195b; --c5: #5b6675; }
            @media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #a2adbb; --paper: #14181e; --line: #343d49;
              --bad: #ff8a80; --c0: #6cb2ff; --c1: #ffad66; --c2: #6fd08c; --c3: #c79bf0; --c4: #ff8fc0; --c5: #a2adbb; } }
            body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
              max-width: 960px; padding: 0 1rem; }
            h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
            p { margin: .3rem 0; } .dim { color: var(--dim); } .fault { color: var(--bad); font-weight: 600; }
            .scroll { overflow-x: auto; }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
            th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line); }
            th:first-child, td:first-child { text-align: left; padding-left: 0; }
            svg { width: 100%; height: auto; } svg text { fill: var(--dim); font-size: 12px; }
            .grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2; }
            .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
            .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); stroke-dasharray: 5 4; }
            .bar { fill: var(--c5); } .bar.own { fill: var(--c0); } svg .value { fill: var(--ink); }
            .key { display: inline-block; width: 1.6em; height: 0; border-top: 3px solid; margin: 0 .4em .25em 1.2em; }
            .key.c0 { border-color: var(--c0); } .key.c1 { border-color: var(--c1); } .key.c2 { border-color: var(--c2); }
            .key.c3 { border-color: var(--c3); } .key.c4 { border-color: var(--c4); } .key.c5 { border-color: var(--c5); }
            """;

    private final ObjectMapper json = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private final Path folder;

    Report(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
    }

    /** Adds a part, or replaces what an earlier run found, and writes everything anew. */
    void add(Section section, Map<String, Object> setup) throws IOException {
        Map<String, Object> kept = new LinkedHashMap<>();
        kept.put("setup", setup);
        kept.put("section", section);
        json.writeValue(folder.resolve(section.name() + ".json").toFile(), kept);
        write();
    }

    private void write() throws IOException {
        List<Map<String, Object>> setups = new ArrayList<>();
        List<Section> sections = new ArrayList<>();
        Map<String, Object> results = new LinkedHashMap<>();
        for (String part : PARTS) {
            Path file = folder.resolve(part + ".json");
            if (Files.exists(file)) {
                var kept = json.readTree(file.toFile());
                setups.add(
                        json.convertValue(kept.get("setup"), new com.fasterxml.jackson.core.type.TypeReference<>() {}));
                sections.add(json.treeToValue(kept.get("section"), Section.class));
                results.put(part, kept);
            }
        }
        Files.writeString(folder.resolve("report.md"), markdown(sections, setups));
        Files.writeString(folder.resolve("report.html"), html(sections, setups));
        json.writeValue(folder.resolve("results.json").toFile(), results);
    }

    private static String setup(Map<String, Object> setup) {
        return setup.entrySet().stream()
                .map(entry -> entry.getKey() + " " + entry.getValue())
                .collect(Collectors.joining("; "));
    }

    // ---------------------------------------------------------------- Markdown

    private static String markdown(List<Section> sections, List<Map<String, Object>> setups) {
        var text = new StringBuilder("# walroute bench\n");
        for (int i = 0; i < sections.size(); i++) {
            Section section = sections.get(i);
            text.append("\n## ").append(section.title()).append("\n\n");
            text.append(section.measuredAt())
                    .append(". ")
                    .append(setup(setups.get(i)))
                    .append("\n\n");
            text.append(text(section));
        }
        return text.toString();
    }

    /** A section without its heading, as Markdown. */
    static String text(Section section) {
        var text = new StringBuilder();
        section.faults()
                .forEach(fault -> text.append("**FAULT: ")
                        .append(fault.replace("\n", " "))
                        .append("**\n\n"));
        section.notes().forEach(note -> text.append(note).append("\n\n"));
        section.tables().forEach(table -> text.append(markdown(table)));
        return text.toString();
    }

    private static String markdown(Section.Table table) {
        var text = new StringBuilder(table.title().isEmpty() ? "" : "### " + table.title() + "\n\n");
        text.append("| ").append(String.join(" | ", table.columns())).append(" |\n");
        text.append("|---|").append("---:|".repeat(table.columns().size() - 1)).append('\n');
        for (List<String> row : table.rows()) {
            text.append("| ").append(String.join(" | ", row).replace("\n", " ")).append(" |\n");
        }
        return text.append('\n').toString();
    }

    // ---------------------------------------------------------------- HTML

    private static String html(List<Section> sections, List<Map<String, Object>> setups) {
        var html = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
                + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><title>walroute bench</title><style>"
                + STYLE + "</style></head><body>\n<h1>walroute bench</h1>\n");
        for (int i = 0; i < sections.size(); i++) {
            Section section = sections.get(i);
            html.append("<h2>").append(escape(section.title())).append("</h2>\n<p class=\"dim\">");
            html.append(escape(section.measuredAt() + ". " + setup(setups.get(i))))
                    .append("</p>\n");
            section.faults()
                    .forEach(fault -> html.append("<p class=\"fault\">FAULT: ")
                            .append(escape(fault))
                            .append("</p>\n"));
            section.notes()
                    .forEach(note -> html.append("<p>").append(escape(note)).append("</p>\n"));
            section.charts().forEach(chart -> html.append(chart.bars() ? bars(chart) : curves(chart)));
            section.tables().forEach(table -> html.append(html(table)));
        }
        return html.append("</body></html>\n").toString();
    }

    private static String html(Section.Table table) {
        var html = new StringBuilder(table.title().isEmpty() ? "" : "<h3>" + escape(table.title()) + "</h3>\n");
        html.append("<div class=\"scroll\"><table><tr>");
        table.columns()
                .forEach(column -> html.append("<th>").append(escape(column)).append("</th>"));
        html.append("</tr>\n");
        for (List<String> row : table.rows()) {
            html.append("<tr>");
            row.forEach(cell -> html.append("<td>").append(escape(cell)).append("</td>"));
            html.append("</tr>\n");
        }
        return html.append("</table></div>\n").toString();
    }

    private static String bars(Section.Chart chart) {
        double most = chart.series().stream()
                .mapToDouble(each -> each.points().get(0)[1])
                .max()
                .orElse(1);
        var svg = new StringBuilder("<h3>" + escape(chart.title()) + "</h3>\n<svg viewBox=\"0 0 860 "
                + (chart.series().size() * 26 + 8) + "\" role=\"img\"><title>" + escape(chart.title()) + "</title>\n");
        int y = 4;
        for (Section.Series each : chart.series()) {
            double value = each.points().get(0)[1];
            double width = most == 0 ? 0 : value / most * 500;
            svg.append(String.format(
                    Locale.ROOT,
                    "<text x=\"225\" y=\"%d\" text-anchor=\"end\">%s</text><rect class=\"bar%s\" x=\"235\" y=\"%d\""
                            + " width=\"%.1f\" height=\"18\"/><text class=\"value\" x=\"%.1f\" y=\"%d\">%s</text>\n",
                    y + 14,
                    escape(each.name()),
                    each.name().startsWith("walroute") ? " own" : "",
                    y,
                    width,
                    241 + width,
                    y + 14,
                    value < 10 ? Section.hundredths(value) : Section.whole(value)));
            y += 26;
        }
        return svg.append("</svg>\n").toString();
    }

    private static String curves(Section.Chart chart) {
        double mostX = 0;
        double mostY = 0;
        for (Section.Series each : chart.series()) {
            for (double[] point : each.points()) {
                mostX = Math.max(mostX, point[0]);
                mostY = Math.max(mostY, point[1]);
            }
        }
        var plot = new Plot(escape(chart.title()), Math.max(mostX, 1e-9), mostY);
        for (int i = 0; i <= 4; i++) {
            double x = mostX * i / 4;
            plot.xLabel(x, (mostX < 10 ? Section.tenths(x) : Section.whole(x)) + " " + escape(chart.xUnit()));
        }
        var legend = new StringBuilder("<p>");
        for (int i = 0; i < chart.series().size(); i++) {
            Section.Series each = chart.series().get(i);
            String colour = "c" + i % COLOURS;
            plot.curve(
                    colour,
                    each.points().stream()
                            .map(point -> new Plot.Point(point[0], point[1]))
                            .toList());
            legend.append("<span class=\"key ")
                    .append(colour)
                    .append("\"></span>")
                    .append(escape(each.name()));
        }
        return "<h3>" + escape(chart.title()) + "</h3>\n" + legend + "</p>\n" + plot.svg();
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
