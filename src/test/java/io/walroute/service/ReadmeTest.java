package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What README shows, taken from its text and done. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ReadmeTest {
    @TempDir
    Path routes;

    private ServiceRig rig;

    @AfterEach
    void close() throws IOException {
        rig.close();
    }

    /** The code block that holds {@code part}, without its fences and indentation. */
    private static String block(String language, String part) throws IOException {
        Matcher blocks = Pattern.compile("^ *```" + language + "\\n(.*?)^ *```$", Pattern.DOTALL | Pattern.MULTILINE)
                .matcher(Files.readString(Path.of("README.md")));
        while (blocks.find()) {
            if (blocks.group(1).contains(part)) {
                return blocks.group(1).stripIndent();
            }
        }
        throw new AssertionError("README has no " + language + " block with " + part);
    }

    private void copyRoutes() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("routes"))) {
            for (Path file : files.toList()) {
                Files.copy(file, routes.resolve(file.getFileName()));
            }
        }
    }

    private void awaitCached(String key) {
        await(key).atMost(Duration.ofSeconds(10)).until(() -> {
            try (var redis = rig.redis()) {
                return redis.sync().get(key) != null;
            }
        });
    }

    @Test
    void a_table_is_added_by_the_file_that_it_shows() throws Exception {
        copyRoutes();
        Files.writeString(routes.resolve("invoices.camel.yaml"), block("yaml", "id: invoices"));
        rig = new ServiceRig(
                "CREATE SCHEMA billing", "CREATE TABLE billing.invoices(id int PRIMARY KEY, amount numeric)");
        rig.environment.put("WALROUTE_ROUTES", routes.toString());
        rig.startReady();
        var client = rig.subscribe("invoices.created", "{}");
        rig.db.execute("INSERT INTO billing.invoices VALUES (7, 12.50)");
        await().atMost(Duration.ofSeconds(10))
                .until(() -> client.ofType("event").size() == 1);
        awaitCached("billing.invoices:7");
    }

    @Test
    void the_role_that_it_shows_may_do_all_that_run_does() throws Exception {
        rig = new ServiceRig(
                "ALTER TABLE listings ALTER metadata SET STORAGE EXTERNAL",
                "ALTER TABLE listings REPLICA IDENTITY DEFAULT");
        rig.db.execute("INSERT INTO ens_names(token_id, owner_address) VALUES ('t', '0xa')");
        rig.startReady();
        rig.db.execute(
                "INSERT INTO listings(id, token_id, seller_address, status, metadata) VALUES (1, 't', '0xa', 'active',"
                        + " jsonb_build_object('x', repeat('y', 9000)))");
        awaitCached("listings:1");
        try (var redis = rig.redis()) {
            redis.sync().del("listings:1"); // so that only the database knows what the next change leaves out
        }
        rig.db.execute(
                "UPDATE listings SET price_wei = 2 WHERE id = 1", "INSERT INTO offers(id, listing_id) VALUES (1, 1)");
        awaitCached("listings:1");
        try (var redis = rig.redis()) {
            assertThat(redis.sync().get("listings:1")).contains("yyyyyyyyyy");
        }
        rig.db.execute("UPDATE ens_names SET owner_address = '0xb' WHERE token_id = 't'");
        await().atMost(Duration.ofSeconds(10))
                .until(() -> "ended".equals(rig.db.query("SELECT status FROM listings WHERE id = 1")));
        assertThat(rig.count("dead_letters")).isZero();
    }

    @Test
    void dev_reloads_a_route_when_its_file_is_saved_and_keeps_it_when_the_file_is_no_yaml() throws Exception {
        copyRoutes();
        rig = new ServiceRig("CREATE TABLE notes(id int PRIMARY KEY)").startReloading(routes);
        rig.db.execute("INSERT INTO notes VALUES (1)");
        awaitCached("notes:1");
        Path file = routes.resolve("notes.camel.yaml");
        String route =
                "- route:\n    id: notes\n    description: Announces notes\n    from:\n      uri: direct:notes\n      steps:\n"
                        + "        - setHeader: { name: topic, constant: notes.seen }\n        - to: { uri: 'lanes:notify' }\n";
        Files.writeString(file, route);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.service().camelContext().getRoute("notes") != null);
        var client = rig.subscribe("notes.seen", "{}");
        rig.db.execute("INSERT INTO notes VALUES (2)");
        await().atMost(Duration.ofSeconds(10))
                .until(() -> client.ofType("event").size() == 1);
        Files.writeString(file, route + "  nonsense: [");
        rig.db.execute("INSERT INTO notes VALUES (3)");
        await().atMost(Duration.ofSeconds(10))
                .until(() -> client.ofType("event").size() == 2);
    }
}
