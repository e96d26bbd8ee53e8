package io.walroute.cli;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * How far something has come: on a terminal one line that is written over, with a bar and the time that is left; into a file or a
 * pipe a plain line every ten seconds.
 */
final class ProgressLine {
    private static final int WIDTH = 30;
    private static final Duration PLAIN_EVERY = Duration.ofSeconds(10);

    private final PrintStream out;
    private final boolean terminal;
    private final LongSupplier nanoTime;
    private long lastPlain;
    // The first call: what was done before it, as starting servers, says nothing of the speed.
    private long begun;
    private double firstShare = -1;
    private boolean open;

    /** @param terminal whether {@code out} is one */
    ProgressLine(PrintStream out, boolean terminal) {
        this(out, terminal, System::nanoTime);
    }

    ProgressLine(PrintStream out, boolean terminal, LongSupplier nanoTime) {
        this.out = out;
        this.terminal = terminal;
        this.nanoTime = nanoTime;
        lastPlain = nanoTime.getAsLong();
    }

    /** @param share from 0 to 1, negative where nobody knows; what lay behind at the first call isn't counted into the speed */
    void show(double share, String what) {
        if (share < 0) {
            print(what, what);
            return;
        }
        double done = Math.max(0, Math.min(1, share));
        if (firstShare < 0) {
            firstShare = done;
            begun = nanoTime.getAsLong();
        }
        String line = String.format(Locale.ROOT, "%3.0f %%  %s%s", done * 100, what, left(done, nanoTime.getAsLong()));
        int filled = (int) Math.round(done * WIDTH);
        print("[" + "#".repeat(filled) + "-".repeat(WIDTH - filled) + "] " + line, line.strip());
    }

    private void print(String onTerminal, String plain) {
        long now = nanoTime.getAsLong();
        if (terminal) {
            out.print("\r" + onTerminal + "\u001b[K");
            out.flush();
            open = true;
        } else if (now - lastPlain >= PLAIN_EVERY.toNanos()) {
            lastPlain = now;
            out.println(plain);
        }
    }

    private String left(double done, long now) {
        double come = done - firstShare;
        double seconds = (now - begun) / 1e9;
        if (come <= 0.001 || seconds < 1) {
            return "";
        }
        long left = Math.round(seconds / come * (1 - done));
        return String.format(Locale.ROOT, ", %d:%02d left", left / 60, left % 60);
    }

    /** Leaves the line as it is and begins a new one. */
    void end() {
        if (open) {
            out.println();
            open = false;
        }
    }
}
