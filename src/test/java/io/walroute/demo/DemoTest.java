package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class DemoTest {
    private final Map<String, String> given = new HashMap<>();
    private final List<String> closing = new ArrayList<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void it_sets_up_starts_the_service_makes_traffic_and_leaves_nothing() throws Exception {
        var settings = new DemoSettings(200, Duration.ofSeconds(4), 1, FreePort.any(), FreePort.any());
        BoardState last = Demo.run(settings, DemoTest::publish, this::startService, print());

        String text = out.toString(StandardCharsets.UTF_8);
        assertThat(text).contains("first change in Redis after ", "redis-cli -p ", "get listings:1", "Stopped");
        assertThat(last.made().total()).isBetween(200L, 1200L);
        assertThat(last.firstChange()).isPositive();
        assertThat(last.sinks().get("audit").delivered()).isEqualTo(42);
        assertThat(last.lag().bytes()).as("nobody reads the slot").isPositive();
        assertThat(last.lag().active()).isFalse();
        assertThat(given)
                .containsEntry("WEBSOCKET_PORT", Integer.toString(settings.webSocketPort()))
                .containsEntry("MANAGEMENT_PORT", Integer.toString(settings.managementPort()))
                .containsEntry("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
        assertThat(given.get("WEBHOOK_SECRET")).startsWith("whsec_");
        assertThat(closing)
                .as("the service is closed while its servers run")
                .containsExactly("replica identity f, +PONG");
        assertThat(folder()).doesNotExist();
    }

    @Test
    void a_service_that_does_not_start_leaves_nothing_either() {
        var settings = new DemoSettings(200, Duration.ofSeconds(4), 1, 0, 0);
        assertThatThrownBy(() -> Demo.run(
                        settings,
                        DemoTest::publish,
                        map -> {
                            given.putAll(map);
                            throw new IOException("no routes");
                        },
                        print()))
                .hasMessage("no routes");
        assertThat(folder()).doesNotExist();
    }

    private PrintStream print() {
        return new PrintStream(out, true, StandardCharsets.UTF_8);
    }

    private Path folder() {
        return Path.of(given.get("WALROUTE_AUDIT_URL").substring("jdbc:sqlite:".length()))
                .getParent();
    }

    private static void publish(Map<String, String> settings) throws SQLException {
        try (var connection = DriverManager.getConnection(jdbcUrl(settings))) {
            Marketplace.publish(connection, settings.get("PUBLICATION_NAME"), settings.get("REPLICATION_SLOT"));
        }
    }

    /** Stands for the routes: puts the first row into Redis and counts. */
    private Demo.Service startService(Map<String, String> settings) throws IOException {
        given.putAll(settings);
        assertThat(Files.isDirectory(folder())).isTrue();
        int redisPort = URI.create(settings.get("REDIS_URL")).getPort();
        assertThat(ask(redisPort, "SET listings:1 {}")).isEqualTo("+OK");
        var meters = new SimpleMeterRegistry();
        meters.counter("walroute.delivered", "sink", "audit").increment(42);
        return new Demo.Service() {
            @Override
            public MeterRegistry meters() {
                return meters;
            }

            @Override
            public void close() throws Exception {
                try (var connection = DriverManager.getConnection(jdbcUrl(settings));
                        var s = connection.createStatement();
                        var rows = s.executeQuery("SELECT relreplident FROM pg_class WHERE relname = 'listings'")) {
                    rows.next();
                    closing.add("replica identity " + rows.getString(1) + ", " + ask(redisPort, "PING"));
                }
            }
        };
    }

    private static String ask(int port, String command) throws IOException {
        try (var socket = new java.net.Socket("127.0.0.1", port)) {
            socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
            return new java.io.BufferedReader(new java.io.InputStreamReader(socket.getInputStream())).readLine();
        }
    }

    private static String jdbcUrl(Map<String, String> settings) {
        URI url = URI.create(settings.get("DATABASE_URL"));
        return "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath()
                + "?user=postgres&password=postgres";
    }
}
