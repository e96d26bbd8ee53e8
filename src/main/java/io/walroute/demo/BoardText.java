package io.walroute.demo;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Lays the board out as text. Pure: the same state and width give the same lines, none wider than asked. */
final class BoardText {
    private BoardText() {}

    static List<String> lines(BoardState state, int width) {
        List<String> lines = new ArrayList<>();
        lines.add("walroute demo   up " + time(state.uptime()) + firstChange(state, "   "));
        lines.add("");
        lines.add("made  " + flow(state.made()) + "   seen  " + flow(state.seen()) + "   lag  " + lag(state.lag()));
        lines.add("");
        lines.add(row("sink", "delivered", "per second", "parked"));
        state.sinks()
                .forEach((name, sink) ->
                        lines.add(row(name, count(sink.delivered()), rate(sink.perSecond()), count(sink.parked()))));
        lines.add("");
        lines.add("webhook receiver   " + count(state.webhooks().verified()) + " verified, "
                + count(state.webhooks().refused()) + " refused");
        lines.add("WebSocket          " + (state.subscriberConnected() ? "connected" : "not connected") + ", "
                + count(state.gaps()) + (state.gaps() == 1 ? " gap" : " gaps"));
        state.frames().forEach((topic, frames) -> lines.add("  %-26s%12s".formatted(topic, count(frames))));
        if (state.warningCount() > 0) {
            lines.add("");
            lines.add(count(state.warningCount()) + (state.warningCount() == 1 ? " warning" : " warnings") + ", last:");
            state.warnings().forEach(warning -> lines.add("  " + warning));
        }
        return lines.stream().map(line -> cut(line, width)).toList();
    }

    /** The whole state in one line, for logs and pipes. */
    static String line(BoardState state) {
        String sinks = state.sinks().entrySet().stream()
                .map(sink -> sink.getKey() + " " + count(sink.getValue().delivered()))
                .collect(Collectors.joining(", "));
        long frames =
                state.frames().values().stream().mapToLong(Long::longValue).sum();
        return "up " + time(state.uptime()) + "; seen " + flow(state.seen()) + "; " + sinks + "; parked "
                + count(state.parked()) + "; lag " + lag(state.lag()) + "; webhooks "
                + count(state.webhooks().verified()) + " ok, "
                + count(state.webhooks().refused()) + " bad; frames "
                + count(frames) + "; warnings " + count(state.warningCount());
    }

    static List<String> linkLines(Map<String, String> links) {
        int widest = links.keySet().stream().mapToInt(String::length).max().orElse(0);
        return links.entrySet().stream()
                .map(link -> link.getKey() + " ".repeat(widest - link.getKey().length() + 3) + link.getValue())
                .toList();
    }

    private static String firstChange(BoardState state, String before) {
        return state.firstChange() == null
                ? before + "waiting for the first change in Redis"
                : before + firstChange(state.firstChange());
    }

    static String firstChange(Duration after) {
        return "first change in Redis after " + seconds(after) + " s";
    }

    private static String row(String name, String... numbers) {
        var row = new StringBuilder("%-10s".formatted(name));
        for (String number : numbers) {
            row.append("%13s".formatted(number));
        }
        return row.toString();
    }

    private static String flow(BoardState.Flow flow) {
        return count(flow.total()) + " (" + rate(flow.perSecond()) + "/s)";
    }

    private static String lag(BoardState.Lag lag) {
        if (lag == null) {
            return "unknown";
        }
        return bytes(lag.bytes()) + ", " + seconds(lag.behind()) + " s" + (lag.active() ? "" : ", slot not in use");
    }

    static String bytes(long bytes) {
        if (bytes < 1000) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = 0;
        while (value >= 999.95) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %sB", value, " kMGTPE".charAt(unit));
    }

    private static String count(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    private static String rate(double perSecond) {
        return String.format(Locale.ROOT, "%,.0f", perSecond);
    }

    private static String seconds(Duration duration) {
        return String.format(Locale.ROOT, "%.1f", duration.toMillis() / 1000.0);
    }

    static String time(Duration duration) {
        if (duration.toHours() > 0) {
            return duration.toHours() + " h " + duration.toMinutesPart() + " min";
        }
        return duration.toMinutes() > 0
                ? duration.toMinutes() + " min " + duration.toSecondsPart() + " s"
                : duration.toSeconds() + " s";
    }

    /** A line that wraps would break the redrawing, and control characters of a message the whole screen. */
    private static String cut(String line, int width) {
        String plain = line.replaceAll("\\p{Cntrl}", " ");
        if (plain.codePointCount(0, plain.length()) <= width) {
            return plain;
        }
        return plain.substring(0, plain.offsetByCodePoints(0, Math.max(0, width - 1))) + "…";
    }
}
