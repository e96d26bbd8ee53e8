package io.walroute.bench;

import io.walroute.demo.FreePort;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;

/** The packed jar as a process of its own with {@code -Xmx256m}, in a home folder made for it. */
final class WalrouteProcess implements AutoCloseable {
    static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final Pattern COUNTER = Pattern.compile(
            "(?m)^walroute_(delivered|parked|filtered|dead)_total\\{[^}]*sink=\"([^\"]+)\"[^}]*\\} ([0-9.E]+)");
    private static final Path PRODUCT_ROUTES = Path.of("routes");
    private static final Path BENCH_ROUTES = Path.of("src/bench/routes");

    private final Path home;
    private final int management = FreePort.any();
    private final int webSocket = FreePort.any();
    private final HttpClient http = HttpClient.newHttpClient();
    private final Map<String, String> environment = new LinkedHashMap<>();
    private final List<String> jvm;
    private Child child;

    /** @param jvm more options of the JVM */
    WalrouteProcess(Ground ground, Path home, List<String> jvm) throws IOException {
        this.home = Files.createDirectories(home);
        this.jvm = jvm;
        Files.createDirectories(routes());
        Files.writeString(home.resolve("application.properties"), "");
        environment.put("WALROUTE_HOME", home.toString());
        environment.put("DATABASE_URL", ground.servers.databaseUrl());
        environment.put("REPLICATION_SLOT", Ground.SLOT);
        environment.put("PUBLICATION_NAME", Ground.PUBLICATION);
        environment.put("WEBSOCKET_PORT", "off");
        environment.put("MANAGEMENT_PORT", Integer.toString(management));
    }

    private Path routes() {
        return home.resolve("routes");
    }

    /** Takes files of the product's own routes as they are. */
    WalrouteProcess product(String... names) throws IOException {
        for (String name : names) {
            copy(PRODUCT_ROUTES.resolve(name + ".camel.yaml"));
        }
        return this;
    }

    /** Takes all of them. */
    WalrouteProcess allProduct() throws IOException {
        try (var files = Files.list(PRODUCT_ROUTES)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                copy(file);
            }
        }
        return this;
    }

    /** Takes a folder of routes made for the bench; they replace the product's of the same name. */
    WalrouteProcess bench(String folder) throws IOException {
        try (var files = Files.list(BENCH_ROUTES.resolve(folder))) {
            for (Path file : (Iterable<Path>) files::iterator) {
                copy(file);
            }
        }
        return this;
    }

    private void copy(Path file) throws IOException {
        Files.write(routes().resolve(file.getFileName()), Files.readAllBytes(file));
    }

    WalrouteProcess set(String name, String value) {
        environment.put(name, value);
        return this;
    }

    WalrouteProcess redis(Ground ground) {
        return set("REDIS_URL", ground.servers.redis().url());
    }

    WalrouteProcess hook(int port) {
        return set("WEBHOOK_URL", "http://127.0.0.1:" + port + "/")
                .set("WEBHOOK_SECRET", SECRET)
                .set("WALROUTE_HOOK_MARKETPLACE_ALLOW_NETWORKS", "127.0.0.0/8");
    }

    WalrouteProcess webSocket() {
        return set("WEBSOCKET_PORT", Integer.toString(webSocket));
    }

    int webSocketPort() {
        return webSocket;
    }

    Map<String, String> environment() {
        return environment;
    }

    Path store() {
        return home.resolve("data").resolve("walroute.db");
    }

    WalrouteProcess start() throws IOException {
        Path jar = Path.of("target/walroute.jar").toAbsolutePath();
        if (!Files.exists(jar)) {
            throw new IOException("target/walroute.jar is missing. Run: mvn -q -DskipTests package");
        }
        List<String> command = new ArrayList<>(List.of(
                Child.javaCommand(), "-Xmx256m", "-XX:+ExitOnOutOfMemoryError", "-Xlog:gc:file=" + collectionsLog()));
        command.addAll(jvm);
        command.addAll(List.of("-jar", jar.toString(), "run"));
        child = Child.start(command, environment, null, home.resolve("service.log"));
        return this;
    }

    private Path collectionsLog() {
        return home.resolve("gc.log");
    }

    /** Waits until a change would get through. */
    void awaitReady() throws IOException, InterruptedException {
        while (true) {
            try {
                if (get("/observe/health/ready").statusCode() == 200) {
                    return;
                }
            } catch (IOException notYet) {
                child.check();
            }
            LockSupport.parkNanos(50_000_000);
        }
    }

    Child child() {
        return child;
    }

    GcLog collections() throws IOException {
        return GcLog.read(collectionsLog());
    }

    /** Changes by outcome and sink, as {@code delivered cache}. */
    Map<String, Long> counts() throws IOException, InterruptedException {
        Map<String, Long> counts = new java.util.TreeMap<>();
        var found = COUNTER.matcher(get("/observe/metrics").body());
        while (found.find()) {
            long count = (long) Double.parseDouble(found.group(3));
            if (count > 0) {
                counts.merge(found.group(1) + " " + found.group(2), count, Long::sum);
            }
        }
        return counts;
    }

    /** Collects garbage, then says how much heap is really held. In MB. */
    double liveHeapMb() throws IOException, InterruptedException {
        Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        new ProcessBuilder(jcmd.toString(), Long.toString(child.pid()), "GC.run")
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
        double used = 0;
        var found = Pattern.compile("(?m)^jvm_memory_used_bytes\\{area=\"heap\"[^}]*\\} ([0-9.E]+)")
                .matcher(get("/observe/metrics").body());
        while (found.find()) {
            used += Double.parseDouble(found.group(1));
        }
        return used / 1e6;
    }

    HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return http.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management + path))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Override
    public void close() {
        if (child != null) {
            child.close();
        }
    }
}
