package io.walroute.load;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Collectors;
import org.HdrHistogram.Histogram;

/** A load report as one HTML page that needs nothing else: no script, no style sheet, no image; it follows light and dark. */
public final class LoadPage {
    private static final List<String> SINKS = List.of("cache", "websocket", "webhook");

    private static final String STYLE = """
            :root { color-scheme: light dark; --ink: #1d2530; --dim: #5b6675; --paper: #ffffff; --line: #d5dbe3;
              --committed: #5b6675; --cache: #0b6bcb; --websocket: #b3540a; --webhook: #1c7c3c; --bad: #b3261e; }
            @media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #a2adbb; --paper: #14181e; --line: #343d49;
              --committed: #a2adbb; --cache: #6cb2ff; --websocket: #ffad66; --webhook: #6fd08c; --bad: #ff8a80; } }
            body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
              max-width: 900px; padding: 0 1rem; }
            h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
            p { margin: .2rem 0; } .dim { color: var(--dim); } .failed { color: var(--bad); font-weight: 600; }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
            th, td { text-align: right; padding: .25rem .8rem; border-bottom: 1px solid var(--line); }
            th:first-child, td:first-child { text-align: left; padding-left: 0; }
            svg { width: 100%; height: auto; } svg text { fill: var(--dim); font-size: 12px; }
            .grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2; }
            .committed { stroke: var(--committed); stroke-dasharray: 5 4; } .cache { stroke: var(--cache); }
            .websocket { stroke: var(--websocket); } .webhook { stroke: var(--webhook); }
            .key { display: inline-block; width: 1.6em; height: 0; border-top: 3px solid; margin: 0 .4em .25em 1.2em; }
            .key.committed { border-color: var(--committed); border-top-style: dashed; } .key.cache { border-color: var(--cache); }
            .key.websocket { border-color: var(--websocket); } .key.webhook { border-color: var(--webhook); }
            """;

    private final LoadReport report;
    private final Map<?, ?> document;

    private LoadPage(LoadReport report) {
        this.report = report;
        this.document = report.toMap();
    }

    public static String of(LoadReport report) {
        return new LoadPage(report).html();
    }

    private String html() {
        return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
                + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
                + "<title>walroute load: " + document.get("result") + "</title><style>" + STYLE
                + "</style></head><body>\n<h1>walroute load: <span class=\"" + document.get("result") + "\">"
                + document.get("result") + "</span></h1>\n"
                + "<p class=\"dim\">" + escape(document.get("started_at")) + ", seed "
                + escape(((Map<?, ?>) document.get("options")).get("seed")) + "</p>\n"
                + paragraphs(report.headline())
                + "<h2>Latency from commit until seen, milliseconds</h2>\n" + table()
                + "<h2>Latency by percentile</h2>\n" + legend(false) + percentiles()
                + "<h2>Latency over time, 99th percentile</h2>\n" + legend(false) + overTime()
                + "<h2>Throughput, changes a second</h2>\n" + legend(true) + throughput()
                + "<h2>Check</h2>\n" + paragraphs(report.checkLines())
                + "<h2>Traffic</h2>\n" + kinds()
                + "</body></html>\n";
    }

    private static String paragraphs(List<String> lines) {
        return lines.stream()
                .map(line ->
                        "<p" + (line.contains("FAILED") ? " class=\"failed\"" : "") + ">" + escape(line) + "</p>\n")
                .collect(Collectors.joining());
    }

    private String table() {
        var html = new StringBuilder(
                "<table><tr><th>sink</th><th>arrived</th><th>per s</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>\n");
        Map<?, ?> sinks = (Map<?, ?>) document.get("sinks");
        for (String name : SINKS) {
            Map<?, ?> sink = (Map<?, ?>) sinks.get(name);
            html.append("<tr><td>").append(name).append("</td>");
            if (sink.get("latency") instanceof Map<?, ?> latency) {
                html.append(cell("%,d", sink.get("arrived"))).append(cell("%,.0f", sink.get("arrived_per_second")));
                for (String member : List.of("p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms")) {
                    html.append(cell("%,.1f", latency.get(member)));
                }
            } else {
                html.append("<td colspan=\"7\" class=\"dim\">not measured: ")
                        .append(escape(sink.get("reason")))
                        .append("</td>");
            }
            html.append("</tr>\n");
        }
        return html.append("</table>\n").toString();
    }

    private static String cell(String format, Object value) {
        return "<td>" + (value == null ? "–" : String.format(Locale.ROOT, format, value)) + "</td>";
    }

    private String kinds() {
        var html = new StringBuilder("<table><tr><th>change</th><th>count</th></tr>\n");
        ((Map<?, ?>) ((Map<?, ?>) document.get("traffic")).get("by_kind"))
                .forEach((kind, count) -> html.append("<tr><td>")
                        .append(escape(kind))
                        .append("</td>")
                        .append(cell("%,d", count))
                        .append("</tr>\n"));
        return html.append("</table>\n").toString();
    }

    private String legend(boolean committed) {
        List<String> names = new ArrayList<>(report.measured().keySet());
        if (committed) {
            names.add(0, "committed");
        }
        return "<p>"
                + names.stream()
                        .map(name -> "<span class=\"key " + name + "\"></span>" + name)
                        .collect(Collectors.joining())
                + "</p>\n";
    }

    // ---------------------------------------------------------------- plots

    /** Each nine takes as much room as the one before. */
    private String percentiles() {
        double most = 0;
        for (Sink sink : report.measured().values()) {
            most = Math.max(most, sink.latency().getMaxValue() / 1e3);
        }
        var plot = new Plot("Latency by percentile", 4, most);
        String[] names = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %"};
        for (int i = 0; i < names.length; i++) {
            plot.xLabel(i, names[i]);
        }
        report.measured().forEach((name, sink) -> {
            Histogram micros = sink.latency();
            List<Plot.Point> points = new ArrayList<>();
            for (double nines = 0; nines <= 4.0001 && micros.getTotalCount() > 0; nines += 0.05) {
                double percentile = 100 * (1 - Math.pow(10, -nines));
                points.add(new Plot.Point(nines, micros.getValueAtPercentile(percentile) / 1e3));
            }
            plot.curve(name, points);
        });
        return plot.svg();
    }

    private String overTime() {
        return series(false, name -> name + "_p99_ms", "Latency over time", value -> value);
    }

    private String throughput() {
        List<?> parts = (List<?>) document.get("series");
        double partSeconds = parts.size() < 2 ? 1 : number(parts.get(1), "second");
        return series(true, name -> name, "Throughput", value -> value / Math.max(1e-3, partSeconds));
    }

    private String series(
            boolean committed,
            java.util.function.UnaryOperator<String> member,
            String title,
            DoubleUnaryOperator scale) {
        List<?> parts = (List<?>) document.get("series");
        List<String> names = new ArrayList<>(report.measured().keySet());
        if (committed) {
            names.add(0, "committed");
        }
        double most = 0;
        for (Object part : parts) {
            for (String name : names) {
                most = Math.max(most, scale.applyAsDouble(number(part, member.apply(name))));
            }
        }
        double end = parts.isEmpty() ? 1 : Math.max(1, number(parts.get(parts.size() - 1), "second"));
        var plot = new Plot(title, end, most);
        for (int i = 0; i <= 4; i++) {
            plot.xLabel(end * i / 4, String.format(Locale.ROOT, "%.0f s", end * i / 4));
        }
        for (String name : names) {
            plot.curve(
                    name,
                    parts.stream()
                            .filter(part -> ((Map<?, ?>) part).get(member.apply(name)) != null)
                            .map(part -> new Plot.Point(
                                    number(part, "second"), scale.applyAsDouble(number(part, member.apply(name)))))
                            .toList());
        }
        return plot.svg();
    }

    private static double number(Object part, String member) {
        return ((Map<?, ?>) part).get(member) instanceof Number number ? number.doubleValue() : 0;
    }

    private static String escape(Object text) {
        return String.valueOf(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
