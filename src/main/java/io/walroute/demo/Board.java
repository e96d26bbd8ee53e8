package io.walroute.demo;

import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Shows the links once, then the demo's state: on a terminal it redraws itself in place, elsewhere it is a line every few
 * seconds. One thread shows; any may close.
 */
final class Board implements AutoCloseable {
    private static final Duration BETWEEN_LINES = Duration.ofSeconds(5);
    private static final String TO_LINE_START_AND_CLEAR = "\r\u001b[J";

    private final PrintStream out;
    private final Terminal terminal;
    private int drawn;
    private Duration nextLine = Duration.ZERO;
    private boolean firstChangeShown;
    private boolean closed;

    Board(PrintStream out, Terminal terminal, Map<String, String> links) {
        this.out = out;
        this.terminal = terminal;
        // Outside what is redrawn: long lines may wrap there, and can be copied whole.
        BoardText.linkLines(links).forEach(out::println);
        out.println();
        out.flush();
    }

    /** Does nothing once the board is closed: it would paint over what is printed since. */
    synchronized void show(BoardState state) {
        if (closed) {
            return;
        }
        if (terminal.interactive()) {
            redraw(state);
        } else {
            print(state);
        }
        out.flush();
    }

    @Override
    public synchronized void close() {
        closed = true;
        out.println("Stopping …");
    }

    private void redraw(BoardState state) {
        List<String> lines = BoardText.lines(state, terminal.width() - 1);
        // One row stays free for the cursor: writing in the last one would scroll and shift everything.
        List<String> fitting = lines.subList(0, Math.min(lines.size(), terminal.height() - 1));
        String up = drawn == 0 ? "" : "\u001b[" + drawn + "A";
        out.print(up + TO_LINE_START_AND_CLEAR + String.join("\n", fitting) + "\n");
        drawn = fitting.size();
    }

    private void print(BoardState state) {
        if (state.firstChange() != null && !firstChangeShown) {
            firstChangeShown = true;
            out.println(BoardText.firstChange(state.firstChange()));
        }
        if (state.uptime().compareTo(nextLine) >= 0) {
            out.println(BoardText.line(state));
            nextLine = state.uptime().plus(BETWEEN_LINES);
        }
    }
}
