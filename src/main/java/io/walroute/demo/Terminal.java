package io.walroute.demo;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** What is known of the terminal, if there is one. */
record Terminal(boolean interactive, int width, int height) {
    private static final Terminal NONE = new Terminal(false, 80, 24);

    /** Interactive only if standard input and output both are a terminal that understands cursor movements. */
    static Terminal detect() {
        String kind = System.getenv("TERM");
        if (!io.walroute.logging.Terminal.isInteractive() || kind == null || kind.equals("dumb")) {
            return NONE;
        }
        try {
            Process stty = new ProcessBuilder("stty", "size")
                    .redirectInput(ProcessBuilder.Redirect.INHERIT)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String[] size = new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                    .trim()
                    .split(" ");
            stty.waitFor(1, TimeUnit.SECONDS);
            int rows = Integer.parseInt(size[0]);
            int columns = Integer.parseInt(size[1]);
            return rows > 0 && columns > 0 ? new Terminal(true, columns, rows) : new Terminal(true, 80, 24);
        } catch (IOException | NumberFormatException | ArrayIndexOutOfBoundsException unknown) {
            return new Terminal(true, 80, 24);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return NONE;
        }
    }
}
