package io.walroute.notify;

import static io.walroute.notify.Service.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** docs/client/walroute.mjs in Node, and in a headless Chromium where there is one. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class JavaScriptClientTest {
    private static final String TOPIC = "listings.created";
    private static final String TOKEN = "token-of-alice-0001";
    private static final Path CLIENT = Path.of("docs/client/walroute.mjs").toAbsolutePath();
    private static final Path CHROMIUM = Path.of("/usr/bin/chromium");
    private static List<String> node;

    /** Where the client runs. */
    private enum Runtime {
        NODE,
        CHROMIUM
    }

    @TempDir
    Path folder;

    private final Opened open = new Opened();
    private final List<String> lines = Collections.synchronizedList(new ArrayList<>());

    /** WebSocket is there from 22 on; in 20 behind a switch. */
    @BeforeAll
    static void findNode() throws Exception {
        for (List<String> each : List.of(List.of("node"), List.of("node", "--experimental-websocket"))) {
            var command = new ArrayList<>(each);
            command.addAll(List.of("-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"));
            try {
                Process found =
                        new ProcessBuilder(command).redirectErrorStream(true).start();
                found.getInputStream().readAllBytes();
                if (found.waitFor() == 0) {
                    node = each;
                    break;
                }
            } catch (IOException none) {
                break;
            }
        }
    }

    private static void assumeThere(Runtime runtime) {
        switch (runtime) {
            case NODE ->
                assumeThat(node).as("a Node that has WebSocket (20 or later)").isNotNull();
            case CHROMIUM -> assumeThat(CHROMIUM).as("headless Chromium").isExecutable();
        }
    }

    @AfterEach
    void close() throws Exception {
        open.close();
    }

    private Service start(NotifySettings.Builder settings) throws Exception {
        return open.service(folder, settings.build());
    }

    private void run(Runtime runtime, int port, String options) throws Exception {
        switch (runtime) {
            case NODE -> runInNode(script(CLIENT.toUri().toString(), port, options));
            case CHROMIUM -> runInChromium(script("./walroute.mjs", port, options));
        }
    }

    private static String script(String client, int port, String options) {
        return """
                import { subscribe } from '%s';
                const watch = subscribe('ws://127.0.0.1:%d/ws', {
                  topic: '%s',
                  onEvent: (event, frame) => console.log(`event ${event.key.id} ${JSON.stringify(event.new)}`),
                  onGap: (reason) => console.log('gap ' + reason),
                  onError: (error) => console.log('error ' + error.message),
                  onState: (state, why) => console.log(state + ' ' + why),
                  %s
                });
                """.formatted(client, port, TOPIC, options);
    }

    private void runInNode(String text) throws IOException {
        Path script = Files.writeString(folder.resolve("run.mjs"), text);
        var command = new ArrayList<>(node);
        command.add(script.toString());
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        open.add(process::destroyForcibly);
        var reader = new Thread(() -> {
            try (BufferedReader out = process.inputReader()) {
                out.lines().forEach(lines::add);
            } catch (java.io.UncheckedIOException | IOException ended) {
                lines.add("ended");
            }
        });
        reader.setDaemon(true);
        reader.start();
    }

    /** As a page of a server on loopback, whose origin may connect; what it logs comes back to that server. */
    private void runInChromium(String text) throws IOException {
        HttpServer pages = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        page(pages, "/", "text/html", "<!doctype html><script type=module src=run.mjs></script>");
        page(pages, "/run.mjs", "text/javascript", """
                const console = { log: (line) => {
                  sent = sent.then(() => fetch('/lines', { method: 'POST', body: line }))
                } }
                let sent = Promise.resolve()
                """ + text);
        page(pages, "/walroute.mjs", "text/javascript", Files.readString(CLIENT));
        pages.createContext("/lines", exchange -> {
            lines.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        pages.start();
        open.add(() -> pages.stop(0));
        var browser = new ProcessBuilder(
                        CHROMIUM.toString(),
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--remote-debugging-port=0", // or it ends when the page is loaded
                        "--user-data-dir=" + Files.createTempDirectory(folder, "chromium"),
                        "http://127.0.0.1:" + pages.getAddress().getPort() + "/")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("chromium.log").toFile());
        browser.environment().put("TMPDIR", folder.toString());
        Process process = browser.start();
        open.add(() -> end(process));
    }

    private static void page(HttpServer pages, String path, String type, String text) {
        pages.createContext(path, exchange -> {
            boolean known = exchange.getRequestURI().getPath().equals(path);
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", type);
            exchange.sendResponseHeaders(known ? 200 : 404, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
    }

    /** With the processes that it started, or they would write into a folder that is removed. */
    private static void end(Process process) throws Exception {
        List<ProcessHandle> all = Stream.concat(process.descendants(), Stream.of(process.toHandle()))
                .toList();
        all.forEach(ProcessHandle::destroyForcibly);
        for (ProcessHandle each : all) {
            each.onExit().get(20, TimeUnit.SECONDS);
        }
    }

    private void awaitLine(String beginning, int count) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> List.copyOf(lines).stream()
                                .filter(line -> line.startsWith(beginning))
                                .count()
                        >= count);
    }

    private List<String> events() {
        return List.copyOf(lines).stream()
                .filter(line -> line.startsWith("event ") || line.startsWith("gap "))
                .toList();
    }

    private static void send(Service service, long from, long to) throws Exception {
        for (long id = from; id <= to; id++) {
            assertThat(service.send(TOPIC, insert(id, "price_wei", "" + id, "note", "x"))
                            .get(20, TimeUnit.SECONDS)
                            .getException())
                    .isNull();
        }
    }

    @ParameterizedTest
    @EnumSource
    void it_goes_on_over_a_restart_of_the_server_without_hole_or_repeat(Runtime runtime) throws Exception {
        assumeThere(runtime);
        Service service = start(NotifySettings.builder().port(0));
        int port = service.port();
        run(runtime, port, "filter: { price_wei: { gt: '1' } }, columns: ['price_wei'],");
        awaitLine("live", 1);
        send(service, 1, 3);
        awaitLine("event 3", 1);
        service.close();
        awaitLine("waiting 1001", 1);

        // Its frames go into the log before the client is back.
        Service meanwhile = start(NotifySettings.builder().port(0));
        send(meanwhile, 4, 6);
        meanwhile.close();
        Service again = start(NotifySettings.builder().port(port));
        awaitLine("live", 2);
        send(again, 7, 8);
        awaitLine("event 8", 1);

        assertThat(events())
                .containsExactly(
                        "event 2 {\"price_wei\":\"2\"}",
                        "event 3 {\"price_wei\":\"3\"}",
                        "event 4 {\"price_wei\":\"4\"}",
                        "event 5 {\"price_wei\":\"5\"}",
                        "event 6 {\"price_wei\":\"6\"}",
                        "event 7 {\"price_wei\":\"7\"}",
                        "event 8 {\"price_wei\":\"8\"}");
    }

    @ParameterizedTest
    @EnumSource
    void it_proves_who_it_is_and_says_what_the_server_refuses(Runtime runtime) throws Exception {
        assumeThere(runtime);
        Path tokens = Files.writeString(
                folder.resolve("tokens.json"),
                "[{\"token\":\"" + TOKEN + "\",\"subject\":\"alice\",\"claims\":{\"limit\":\"2\"}}]");
        Service service = start(NotifySettings.builder()
                .port(0)
                .auth(new AuthSettings(Optional.empty(), Optional.of(tokens), false))
                .topics(new TopicPolicies(Map.of(TOPIC, "new.price_wei == claims.limit"), Map.of())));
        run(runtime, service.port(), "token: async () => '" + TOKEN + "',");
        awaitLine("live", 1);
        send(service, 1, 3);
        awaitLine("event", 1);
        assertThat(events()).containsExactly("event 2 {\"id\":2,\"price_wei\":\"2\",\"note\":\"x\"}");

        lines.clear();
        run(runtime, service.port(), "token: '" + TOKEN + "', columns: [],");
        awaitLine("closed", 1);
        awaitLine("error \"columns\" must be", 1);
        lines.clear();
        run(runtime, service.port(), "token: 'another-token-0001', since: '0',");
        awaitLine("waiting", 2);
        assertThat(events()).isEmpty();
    }
}
