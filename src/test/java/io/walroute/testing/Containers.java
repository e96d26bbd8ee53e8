package io.walroute.testing;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.images.RemoteDockerImage;
import org.testcontainers.utility.DockerImageName;

/**
 * Decides, once per JVM, whether the tests' servers run in containers: where a Docker engine of this machine answers and both
 * images can be had in time. The system property {@code walroute.test.servers} forces it: {@code containers} or
 * {@code embedded}.
 */
final class Containers {
    static final DockerImageName POSTGRES = DockerImageName.parse("postgres:18");
    static final DockerImageName REDIS = DockerImageName.parse("redis:7");

    private static final int SECONDS_FOR_IMAGES = 90;

    private Containers() {}

    static boolean wanted() {
        return Choice.CONTAINERS;
    }

    private static final class Choice {
        static final boolean CONTAINERS = choose(System.getProperty("walroute.test.servers", "auto"));

        static {
            System.out.println("Tests run on " + (CONTAINERS ? "containers" : "embedded servers"));
        }
    }

    static boolean choose(String property) {
        return switch (property) {
            case "embedded" -> false;
            case "containers" -> true;
            case "auto" -> mayHaveEngine() && canHaveImages();
            default ->
                throw new IllegalArgumentException(
                        "walroute.test.servers=" + property + " is none of auto, embedded and containers");
        };
    }

    /** Before Testcontainers is asked: it takes seconds, and fills the log, to find that there is no engine. */
    private static boolean mayHaveEngine() {
        Path home = Path.of(System.getProperty("user.home"));
        List<Path> signs = List.of(
                Path.of("/var/run/docker.sock"),
                home.resolve(".docker/run/docker.sock"),
                home.resolve(".testcontainers.properties"),
                Path.of(String.valueOf(System.getenv("XDG_RUNTIME_DIR")), "docker.sock"));
        return System.getenv("DOCKER_HOST") != null || signs.stream().anyMatch(Files::exists);
    }

    private static boolean canHaveImages() {
        var images = CompletableFuture.supplyAsync(() -> {
            DockerClientFactory docker = DockerClientFactory.instance();
            // An engine elsewhere would do too, but the tests look for their servers on this machine.
            if (!docker.isDockerAvailable() || !docker.dockerHostIpAddress().equals("localhost")) {
                return false;
            }
            for (DockerImageName image : List.of(POSTGRES, REDIS)) {
                new RemoteDockerImage(image).get();
            }
            return true;
        });
        try {
            return images.get(SECONDS_FOR_IMAGES, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            System.out.println("A Docker engine is there, but no images: " + e);
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
