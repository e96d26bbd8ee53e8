package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.Walroute;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The service as a process of its own, in the memory that the README promises. */
final class ServiceProcess {
    private final Path log;
    private final int managementPort;
    private final Process process;

    ServiceProcess(Path log, Map<String, String> environment, List<String> jvmOptions) throws IOException {
        this.log = log;
        managementPort = Integer.parseInt(environment.get("MANAGEMENT_PORT"));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1"));
        command.addAll(jvmOptions);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Walroute.class.getName(), "run"));
        var builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().putAll(environment);
        process = builder.start();
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    String log() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }

    void awaitReady() {
        await("ready").atMost(Duration.ofSeconds(120)).until(() -> {
            assertThat(process.isAlive()).as("the service ended: %s", tail()).isTrue();
            return isReady();
        });
    }

    boolean isReady() {
        try {
            var connection =
                    (HttpURLConnection) URI.create("http://127.0.0.1:" + managementPort + "/observe/health/ready")
                            .toURL()
                            .openConnection();
            connection.setConnectTimeout(1000);
            connection.setReadTimeout(2000);
            return connection.getResponseCode() == 200;
        } catch (IOException notYet) {
            return false;
        }
    }

    String tail() {
        String all = log();
        return all.substring(Math.max(0, all.length() - 3000));
    }

    /** {@code kill -9}. */
    void kill() {
        process.destroyForcibly();
        awaitEnd(10);
    }

    /** SIGTERM, without waiting. */
    void terminate() {
        process.destroy();
    }

    /** Waits for the end after {@link #terminate()}. @return the exit code */
    int awaitEnd(long seconds) {
        try {
            assertThat(process.waitFor(seconds, TimeUnit.SECONDS))
                    .as("ends within %d s: %s", seconds, tail())
                    .isTrue();
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
