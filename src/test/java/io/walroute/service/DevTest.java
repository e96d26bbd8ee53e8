package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code camel get} and the like find a service by files in the user's home: in dev, and never in run. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DevTest {
    private static final String PID = Long.toString(ProcessHandle.current().pid());

    @TempDir
    Path home;

    @TempDir
    Path routes;

    private final String realHome = System.getProperty("user.home");
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        System.setProperty("user.home", home.toString());
        rig = new ServiceRig();
        try (Stream<Path> files = Files.list(Path.of("routes"))) {
            for (Path file : files.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        System.setProperty("user.home", realHome);
    }

    private JsonNode status() throws IOException {
        Path file = home.resolve(".camel/" + PID + "-status.json");
        return Files.exists(file) ? ServiceRig.JSON.readTree(Files.readString(file)) : ServiceRig.JSON.nullNode();
    }

    @Test
    void in_dev_camels_own_tools_find_the_service_and_its_routes() throws Exception {
        rig.startReloading(routes);

        await().atMost(Duration.ofSeconds(30))
                .ignoreExceptions() // half written
                .until(() -> status().path("routes").size() > 5);
        assertThat(status().path("routes").findValuesAsText("routeId")).contains("source", "cache");
        assertThat(rig.management(
                                "/observe/jolokia/read/org.apache.camel:context=*,type=tracer,name=BacklogTracer/Standby")
                        .body())
                .contains("\"Standby\":true");
    }

    @Test
    void in_run_they_do_not() throws Exception {
        rig.startReady();

        assertThat(home.resolve(".camel")).doesNotExist();
    }
}
