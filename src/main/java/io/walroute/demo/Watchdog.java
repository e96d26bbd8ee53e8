package io.walroute.demo;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A shell that waits for this JVM to die without having cleaned up (kill -9, out of memory), then stops the servers and
 * removes their folder. It notices by the end of its standard input; signals of the terminal don't concern it.
 */
final class Watchdog implements AutoCloseable {
    private static final String SCRIPT = """
            trap '' INT TERM HUP QUIT
            read -r line && exit 0
            stop() {
              pid=$(head -n 1 "$2" 2>/dev/null) || return 0
              kill -s "$1" "$pid" 2>/dev/null
              tries=0
              while kill -0 "$pid" 2>/dev/null && [ $tries -lt 30 ]; do tries=$((tries + 1)); sleep 0.1; done
              kill -s KILL "$pid" 2>/dev/null
            }
            stop QUIT "$2"
            stop TERM "$3"
            rm -rf "$1"
            """;

    private final Process shell;

    private Watchdog(Process shell) {
        this.shell = shell;
    }

    /** @return null where there is no shell to do this */
    static Watchdog start(Path folder, Path postgresPidFile, Path redisPidFile) throws IOException {
        if (!Files.isExecutable(Path.of("/bin/sh"))) {
            return null;
        }
        return new Watchdog(new ProcessBuilder(
                        "/bin/sh",
                        "-c",
                        SCRIPT,
                        "walroute-demo-watchdog",
                        folder.toString(),
                        postgresPidFile.toString(),
                        redisPidFile.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start());
    }

    @Override
    public void close() throws IOException {
        try (var toShell = shell.getOutputStream()) {
            toShell.write("done\n".getBytes(StandardCharsets.US_ASCII));
        }
        try {
            shell.waitFor(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        shell.destroyForcibly();
    }
}
