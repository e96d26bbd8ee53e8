package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** The files in routes/, and what is said of a mistake in one. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class RouteFilesTest {
    private static final Path ROUTES = Path.of("routes");
    private static final Set<String> STEPS = Set.of(
            "to",
            "toD",
            "choice",
            "filter",
            "setHeader",
            "removeHeader",
            "multicast",
            "log",
            "process",
            "convertBodyTo");

    @TempDir
    Path folder;

    private ServiceRig rig;

    @AfterEach
    void close() throws IOException {
        if (rig != null) {
            rig.close();
        }
    }

    private static List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(ROUTES)) {
            return files.sorted().toList();
        }
    }

    private static Object yaml(Path file) throws IOException {
        return new Load(LoadSettings.builder().build()).loadFromString(Files.readString(file));
    }

    @Test
    void every_file_is_a_route_file_of_less_than_sixty_one_lines() throws IOException {
        assertThat(files()).hasSizeGreaterThan(8).allSatisfy(file -> {
            assertThat(file.toString()).endsWith(".camel.yaml");
            assertThat(Files.readAllLines(file)).as(file.toString()).hasSizeLessThanOrEqualTo(60);
        });
    }

    @Test
    void every_route_has_an_id_and_a_description_and_every_step_an_id_of_its_own() throws IOException {
        Set<String> ids = new HashSet<>();
        List<String> missing = new ArrayList<>();
        for (Path file : files()) {
            for (Object entry : (List<?>) yaml(file)) {
                Map<?, ?> map = (Map<?, ?>) entry;
                Map<?, ?> route = (Map<?, ?>) map.values().iterator().next();
                if (route.get("id") == null || route.get("description") == null) {
                    missing.add(file + ": " + route.get("id"));
                }
                if (map.containsKey("route")) {
                    collect(route, file.toString(), ids, missing);
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(ids).hasSizeGreaterThan(50);
    }

    private static void collect(Object node, String where, Set<String> ids, List<String> missing) {
        if (node instanceof List<?> list) {
            list.forEach(each -> collect(each, where, ids, missing));
        } else if (node instanceof Map<?, ?> map) {
            map.forEach((key, value) -> {
                if (STEPS.contains(key)) {
                    Object id = value instanceof Map<?, ?> step ? step.get("id") : null;
                    if (id == null) {
                        missing.add(where + ": a step \"" + key + "\" has no id");
                    } else if (!ids.add(id.toString())) {
                        missing.add(where + ": the id " + id + " is there twice");
                    }
                }
                collect(value, where, ids, missing);
            });
        }
    }

    @Test
    void every_file_is_loaded_by_the_service() throws Exception {
        rig = new ServiceRig();
        for (String sink : List.of("PG_NOTIFY", "REDIS_STREAM", "REDIS_PUBSUB", "RABBITMQ")) {
            rig.environment.put("WALROUTE_DISTRIBUTE_" + sink + "_TABLES", "listings");
        }
        rig.environment.put(
                "WALROUTE_DISTRIBUTE_RABBITMQ_URL", "amqp://localhost:1"); // nobody there: no reason not to start
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_URL", rig.receiver.url().toString());
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_SECRET", ServiceRig.SECRET);
        rig.environment.put("WALROUTE_HOOK_INVALIDATION_ALLOW_NETWORKS", "127.0.0.0/8");
        rig.start();
        Set<String> loaded = new HashSet<>();
        rig.service().camelContext().getRoutes().forEach(route -> loaded.add(route.getRouteId()));
        for (Path file : files()) {
            for (Object entry : (List<?>) yaml(file)) {
                if (((Map<?, ?>) entry).get("route") instanceof Map<?, ?> route) {
                    assertThat(loaded)
                            .as(file.toString())
                            .contains(route.get("id").toString());
                }
            }
        }
    }

    private void withMistake(String file, String text) throws Exception {
        rig = new ServiceRig();
        for (Path each : files()) {
            Files.copy(each, folder.resolve(each.getFileName()));
        }
        Files.writeString(folder.resolve(file), text);
        rig.environment.put("WALROUTE_ROUTES", folder.toString());
    }

    @Test
    void a_file_that_is_no_yaml_is_named_with_its_line() throws Exception {
        withMistake("broken.camel.yaml", "- route:\n    id: broken\n   from:\n      uri: direct:x\n");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("broken.camel.yaml")
                .hasMessageContaining("line 3")
                .hasMessageNotContaining("\n");
    }

    @Test
    void a_misspelt_word_of_the_route_language_is_named_with_its_file_and_line() throws Exception {
        withMistake(
                "misspelt.camel.yaml",
                "- route:\n    id: misspelt\n    from:\n      uri: direct:x\n      steps:\n        - too:\n            uri: lanes:cache\n");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("misspelt.camel.yaml")
                .hasMessageContaining("line 6")
                .hasMessageContaining("too")
                .hasMessageNotContaining("\n");
    }

    @Test
    void an_unknown_option_of_an_endpoint_is_named_with_its_file() throws Exception {
        withMistake(
                "option.camel.yaml",
                "- route:\n    id: option\n    from:\n      uri: lanes:extra\n      parameters:\n        threds: 4\n      steps:\n"
                        + "        - to:\n            uri: log:x\n");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("option.camel.yaml")
                .hasMessageContaining("threds")
                .hasMessageNotContaining("\n");
    }

    @Test
    void an_unknown_webhook_receiver_is_named_with_what_to_set() throws Exception {
        withMistake(
                "partner.camel.yaml",
                "- route:\n    id: partner\n    from:\n      uri: direct:partner\n      steps:\n        - to:\n            uri: hook:partner\n");
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("partner.camel.yaml")
                .hasMessageContaining("hook:partner")
                .hasMessageContaining("walroute.hook.partner.url")
                .hasMessageNotContaining("\n");
    }

    @Test
    void a_missing_folder_is_named() throws Exception {
        rig = new ServiceRig();
        rig.environment.put("WALROUTE_ROUTES", folder.resolve("nowhere").toString());
        assertThatThrownBy(() -> rig.start())
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("nowhere")
                .hasMessageContaining("missing");
    }

    @Test
    void a_taken_port_is_named_with_its_setting() throws Exception {
        rig = new ServiceRig();
        try (var taken = new java.net.ServerSocket(0, 1, java.net.InetAddress.getByName("127.0.0.1"))) {
            rig.environment.put("WEBSOCKET_PORT", Integer.toString(taken.getLocalPort()));
            assertThatThrownBy(() -> rig.start())
                    .isInstanceOf(ServiceException.class)
                    .hasMessageContaining("WEBSOCKET_PORT=" + taken.getLocalPort())
                    .hasMessageContaining("taken");
            rig.environment.put("WEBSOCKET_PORT", "0");
            rig.environment.put("MANAGEMENT_PORT", Integer.toString(taken.getLocalPort()));
            assertThatThrownBy(() -> rig.start())
                    .isInstanceOf(ServiceException.class)
                    .hasMessageContaining("MANAGEMENT_PORT=" + taken.getLocalPort());
        }
    }
}
