package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.testing.Receiver;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.time.Duration;
import javax.management.ObjectName;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Pausing and resuming by the command line, by JMX and by Jolokia, against a whole running service. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class PauseTest {
    private ServiceRig rig;

    @BeforeEach
    void prepare() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    private String out() {
        return rig.cli.out();
    }

    private void insert(int from, int to) {
        rig.db.execute("INSERT INTO listings(id, seller_address) SELECT g, '0xa' FROM generate_series(" + from + ", "
                + to + ") g");
    }

    @Test
    void a_paused_sink_gets_nothing_until_it_goes_on_and_others_get_theirs() throws Exception {
        assertThat(walroute("pause", "hook")).isZero();
        assertThat(out()).isEqualToIgnoringNewLines("Route hook is paused.");
        insert(1, 20);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.delivered("cache") == 20 && rig.delivered("audit") == 20);
        assertThat(rig.receiver.requests()).isEmpty();
        assertThat(rig.management("/observe/metrics").body()).contains("walroute_lane_paused{sink=\"hook\"} 1.0");
        JsonNode routes = ServiceRig.JSON.readTree(rig.management("/api/routes").body());
        assertThat(routes.toString()).contains("{\"route\":\"hook\",\"state\":\"Paused\",\"may_be_paused\":true");

        assertThat(walroute("status")).isZero();
        assertThat(out())
                .containsPattern("Routes +\\d+ started, hook paused")
                .containsPattern("hook +paused .*Go on: walroute resume hook");

        assertThat(walroute("resume", "hook")).isZero();
        assertThat(out()).isEqualToIgnoringNewLines("Route hook is started.");
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.delivered("hook") == 20);
        assertThat(walroute("status")).isZero();
        assertThat(out()).doesNotContain("paused");
        assertThat(walroute("pause", "listings")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("Pause one of these: ").hasLineCount(1);
        assertThat(walroute("pause", "hoook")).isEqualTo(2);
        assertThat(rig.cli.err())
                .startsWith("there is no route hoook. Those that may be paused: cache, ")
                .hasLineCount(1);
        assertThat(walroute("resume", "hook:marketplce")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("marketplce").hasLineCount(1);
    }

    @Test
    void a_paused_source_is_not_ready_says_so_and_loses_nothing() throws Exception {
        insert(1, 10);
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.delivered("cache") == 10);
        assertThat(walroute("pause", "source")).isZero();
        HttpResponse<String> ready = rig.management("/observe/health/ready");
        assertThat(ready.statusCode()).isEqualTo(503);
        assertThat(ready.body()).contains("paused by an operator");
        insert(11, 20);
        assertThat(rig.delivered("cache")).isEqualTo(10);
        await().atMost(Duration.ofSeconds(20)).until(() -> {
            walroute("metrics", "lag", "--json");
            return ServiceRig.JSON.readTree(out()).path("lag_bytes").asLong() > 0;
        });
        assertThat(walroute("resume", "source")).isZero();
        await().atMost(Duration.ofSeconds(30)).until(() -> rig.delivered("cache") == 20);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.management("/observe/health/ready").statusCode() == 200);
        assertThat(rig.audit()).hasSize(20);
    }

    @Test
    void jmx_has_the_same_verbs() throws Exception {
        var server = ManagementFactory.getPlatformMBeanServer();
        var name = new ObjectName("io.walroute:type=Service,slot=" + rig.slot);
        String[] text = {String.class.getName()};
        assertThat(server.getAttribute(name, "State")).isEqualTo("STREAMING");
        assertThat(server.invoke(name, "pauseRoute", new Object[] {"hook"}, text))
                .isEqualTo("hook is Paused");
        assertThat((String[]) server.getAttribute(name, "PausedRoutes")).containsExactly("hook");
        insert(1, 3);
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.delivered("cache") == 3);
        assertThat(rig.delivered("hook")).isZero();
        server.invoke(name, "resumeRoute", new Object[] {"hook"}, text);
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.delivered("hook") == 3);
        assertThat((String) server.invoke(name, "redrive", new Object[] {"hook"}, text))
                .isEqualTo("0 due");
        rig.receiver.otherwise(Receiver.Answer.status(400));
        insert(4, 5);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.deadLetters("hook").size() == 2);
        rig.receiver.otherwise(Receiver.Answer.status(200));
        assertThat((String) server.invoke(name, "redrive", new Object[] {"hook"}, text))
                .isEqualTo("2 due");
        await().atMost(Duration.ofSeconds(20)).until(() -> rig.delivered("hook") == 5);
        rig.stop();
        assertThat(server.isRegistered(name)).isFalse();
    }

    private HttpResponse<String> jolokia(String body, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + rig.managementPort + "/observe/jolokia"))
                .POST(HttpRequest.BodyPublishers.ofString(body));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void jolokia_lets_look_and_with_the_token_pause_and_nothing_else() throws Exception {
        String bean = "io.walroute:type=Service,slot=" + rig.slot;
        String pause =
                "{\"type\":\"EXEC\",\"mbean\":\"" + bean + "\",\"operation\":\"pauseRoute\",\"arguments\":[\"hook\"]}";
        String[] token = {
            "Authorization",
            "Bearer " + Files.readString(rig.folder.resolve("management.token")).strip()
        };

        assertThat(rig.management("/observe/jolokia/read/" + bean + "/State").body())
                .contains("\"value\":\"STREAMING\"");
        assertThat(jolokia("[{\"type\":\"read\",\"mbean\":\"" + bean + "\"},{\"type\":\"version\"}]")
                        .body())
                .contains("\"StateMessage\":\"streaming from slot ");
        assertThat(rig.management("/observe/jolokia/read/org.apache.camel:context=*,type=routes,name=*/State")
                        .body())
                .contains("Started");
        assertThat(rig.management("/observe/jolokia/read/java.lang:type=Runtime/SystemProperties")
                        .body())
                .contains("\"status\":403");
        assertThat(rig.management("/observe/jolokia/exec/" + bean + "/pauseRoute/hook")
                        .statusCode())
                .isEqualTo(401);
        assertThat(rig.management("/observe/jolokia/%65xec/" + bean + "/pauseRoute/hook")
                        .statusCode())
                .isEqualTo(401);
        assertThat(rig.management("/observe/jolokia?p=exec/" + bean + "/pauseRoute/hook")
                        .statusCode())
                .isEqualTo(401);
        assertThat(rig.management("/observe/jolokia/?p=exec/" + bean + "/pauseRoute/hook")
                        .statusCode())
                .isEqualTo(401);
        assertThat(jolokia(pause).statusCode()).isEqualTo(401);
        assertThat(jolokia("[" + pause + "]").statusCode()).isEqualTo(401);
        assertThat(jolokia("{\"type\":\"read\"," + pause.substring(1)).statusCode())
                .isEqualTo(400);
        assertThat(rig.service().camelContext().getRoute("hook")).isNotNull();
        assertThat(rig.management("/observe/metrics").body()).contains("walroute_lane_paused{sink=\"hook\"} 0.0");

        assertThat(jolokia(pause, token).body()).contains("hook is Paused");
        assertThat(rig.management("/observe/metrics").body()).contains("walroute_lane_paused{sink=\"hook\"} 1.0");
        assertThat(jolokia(pause.replace("pauseRoute", "resumeRoute(java.lang.String)"), token)
                        .body())
                .contains("hook is Started");
        String camel = "org.apache.camel:context=walroute,type=context,name=\\\"walroute\\\"";
        assertThat(jolokia("{\"type\":\"exec\",\"mbean\":\"" + camel + "\",\"operation\":\"dumpRoutesAsXml()\"}")
                        .body())
                .contains("\"status\":200");
        assertThat(jolokia("{\"type\":\"exec\",\"mbean\":\"" + camel + "\",\"operation\":\"stop()\"}", token)
                        .body())
                .contains("\"status\":403");
        assertThat(jolokia(
                                "{\"type\":\"write\",\"mbean\":\"java.lang:type=Memory\",\"attribute\":\"Verbose\",\"value\":true}",
                                token)
                        .body())
                .contains("\"status\":403");
    }

    @Test
    void hawtio_sees_what_it_shows_and_changes_only_with_the_token_as_password() throws Exception {
        String bean = "io.walroute:type=Service,slot=" + rig.slot;
        String token = Files.readString(rig.folder.resolve("management.token")).strip();
        String basic = "Basic "
                + java.util.Base64.getEncoder()
                        .encodeToString(("hawtio:" + token).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        String health = ServiceRig.JSON
                .readTree(rig.management("/observe/jolokia/search/org.apache.camel:type=health,*")
                        .body())
                .at("/value/0")
                .asText();

        assertThat(jolokia(exec(health, "details()")).body()).contains("\"status\":200", "wal-budget");
        assertThat(jolokia(exec(health, "disableById(java.lang.String)", "wal"), "Authorization", basic)
                        .body())
                .contains("\"status\":403");
        assertThat(jolokia(exec(bean, "get", "/status")).body()).contains("\"status\":200", rig.slot);
        assertThat(jolokia(exec(bean, "post", "/source/pause", "")).statusCode())
                .isEqualTo(401);
        assertThat(jolokia(exec(bean, "post", "/routes/hook/pause", ""), "Authorization", basic)
                        .body())
                .contains("\"status\":200", "Paused");
        assertThat(jolokia(exec(bean, "discard", "hook", ""), "Authorization", basic)
                        .body())
                .contains("discard needs a reason");
        assertThat(jolokia(exec(bean, "post", "/nothing", ""), "Authorization", basic)
                        .body())
                .contains("is no call of this version");
    }

    private static String exec(String bean, String operation, String... arguments) throws Exception {
        return ServiceRig.JSON.writeValueAsString(
                java.util.Map.of("type", "exec", "mbean", bean, "operation", operation, "arguments", arguments));
    }

    @Test
    void wrong_tokens_by_the_dozen_are_slowed_down() throws Exception {
        int status = 401;
        for (int i = 0; i < 40 && status == 401; i++) {
            status = jolokia("{\"type\":\"exec\"}", "Authorization", "Bearer wrong" + i)
                    .statusCode();
        }
        assertThat(status).isEqualTo(429);
        assertThat(rig.management("/api/routes").statusCode())
                .as("looking without one goes on")
                .isEqualTo(200);
    }
}
