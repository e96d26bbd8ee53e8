package io.walroute.load;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Curves between axes that begin at 0, as SVG: the classes {@code grid}, {@code curve} and each curve's name style it. */
public final class Plot {
    /** One point of a curve. */
    public record Point(double x, double y) {}

    private static final int WIDTH = 860;
    private static final int HEIGHT = 280;
    private static final int LEFT = 70;
    private static final int BOTTOM = 34;
    private static final int TOP = 12;

    private final StringBuilder svg = new StringBuilder();
    private final double mostX;
    private final double mostY;

    public Plot(String title, double mostX, double mostY) {
        this.mostX = mostX;
        this.mostY = nice(mostY);
        svg.append(format("<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>%s</title>\n", WIDTH, HEIGHT, title));
        for (int i = 0; i <= 4; i++) {
            double value = this.mostY * i / 4;
            svg.append(format(
                    "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                            + "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                    LEFT, WIDTH - 10, y(value), y(value), LEFT - 8, y(value) + 4, label(value)));
        }
    }

    /** The next of 1, 2, 4, 5, 10, 20 and so on. */
    private static double nice(double value) {
        double power = Math.pow(10, Math.floor(Math.log10(Math.max(value, 0.001))));
        for (double step : new double[] {1, 2, 4, 5}) {
            if (value <= step * power) {
                return step * power;
            }
        }
        return 10 * power;
    }

    private static String label(double value) {
        return value == Math.rint(value) ? format("%,.0f", value) : String.valueOf((float) value);
    }

    private double x(double value) {
        return LEFT + value / mostX * (WIDTH - 24 - LEFT);
    }

    private double y(double value) {
        return HEIGHT - BOTTOM - value / mostY * (HEIGHT - BOTTOM - TOP);
    }

    public void xLabel(double value, String text) {
        svg.append(format("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x(value), HEIGHT - 10, text));
    }

    public void curve(String name, List<Point> points) {
        String path = points.stream()
                .map(point -> format("%.1f,%.1f", x(point.x()), y(point.y())))
                .collect(Collectors.joining(" "));
        svg.append("<polyline class=\"curve ")
                .append(name)
                .append("\" points=\"")
                .append(path)
                .append("\"/>\n");
    }

    public String svg() {
        return svg + "</svg>\n";
    }

    private static String format(String pattern, Object... values) {
        return String.format(Locale.ROOT, pattern, values);
    }
}
