package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.service.example.LargeSales;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class JavaRouteTest {
    @Test
    void a_route_builder_on_the_class_path_works_beside_the_yaml_routes() throws Exception {
        try (var rig = new ServiceRig("CREATE TABLE sales(id int PRIMARY KEY, amount numeric)")) {
            // As -Dcamel.main.base-package-scan=… on the command line.
            System.setProperty("camel.main.base-package-scan", LargeSales.class.getPackageName());
            try {
                rig.startReady();
            } finally {
                System.clearProperty("camel.main.base-package-scan");
            }
            var client = rig.subscribe("sales.large", "{}");
            rig.db.execute("INSERT INTO sales VALUES (1, 10), (2, 5000.5)");
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> client.ofType("event").size() == 1);
            assertThat(client.ofType("event").get(0).at("/event/new"))
                    .isEqualTo(ServiceRig.JSON.valueToTree(Map.of("id", 2, "amount", "5000.5")));
        }
    }
}
