package io.walroute.bench;

import io.walroute.demo.FreePort;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;

/**
 * Debezium Server as one would run it beside a database, from its own distribution. Its end is when the sink holds every change:
 * it acknowledges to the slot only now and then.
 */
final class DebeziumServerReader implements Reader {
    private static final String VERSION = "3.6.0.Final";
    private static final String ARTIFACT = "io.debezium:debezium-server-dist:" + VERSION + ":tar.gz";

    private enum Sink {
        REDIS("debezium-server-redis", "to Redis streams"),
        WEBHOOK("debezium-server-webhook", "to a signed webhook, one POST a change"),
        WEBHOOK_BATCH("debezium-server-webhook-batch", "to a signed webhook, in batches of at most 100");

        final String name;
        final String description;

        Sink(String name, String description) {
            this.name = name;
            this.description = description;
        }
    }

    private final Sink sink;
    private final Path peers;
    private final BenchOptions options;

    private DebeziumServerReader(Sink sink, BenchOptions options) {
        this.sink = sink;
        this.options = options;
        this.peers = options.peers.toAbsolutePath();
    }

    static List<Reader> all(BenchOptions options) {
        return Stream.of(Sink.values())
                .map(sink -> (Reader) new DebeziumServerReader(sink, options))
                .toList();
    }

    @Override
    public String name() {
        return sink.name;
    }

    @Override
    public String description() {
        return "Debezium Server " + VERSION + " " + sink.description + ", -Xmx1g";
    }

    private Path distribution() {
        return peers.resolve("debezium-server");
    }

    @Override
    public String missing() throws Exception {
        if (java().isEmpty()) {
            return "it needs Java 21 or later: name one with --java21 or BENCH_JAVA21, as /usr/lib/jvm/temurin-25-jdk-amd64";
        }
        if (Files.exists(distribution().resolve("lib"))) {
            return null;
        }
        Files.createDirectories(peers);
        Progress.say("downloading " + ARTIFACT + " (780 MB) into " + peers + ", once …");
        try {
            run(
                    "mvn",
                    "-B",
                    "-ntp",
                    "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy",
                    "-Dartifact=" + ARTIFACT,
                    "-DoutputDirectory=" + peers);
            run(
                    "tar",
                    "xzf",
                    peers.resolve("debezium-server-dist-" + VERSION + ".tar.gz").toString(),
                    "-C",
                    peers.toString());
            return null;
        } catch (IOException e) {
            return "its distribution can't be had (" + e.getMessage() + ")";
        }
    }

    private void run(String... command) throws IOException, InterruptedException {
        try (Child child = Child.start(List.of(command), Map.of(), peers, peers.resolve("download.log"))) {
            child.await(Duration.ofMinutes(30));
        }
    }

    /** The Java that runs it; empty if there is none that is new enough. */
    private String java() {
        if (!options.java21.isEmpty()) {
            return Path.of(options.java21, "bin", "java").toString();
        }
        if (Runtime.version().feature() >= 21) {
            return Child.javaCommand();
        }
        try (Stream<Path> all = Files.list(Path.of("/usr/lib/jvm"))) {
            return all.filter(home -> version(home) >= 21)
                    .map(home -> home.resolve("bin").resolve("java").toString())
                    .sorted()
                    .findFirst()
                    .orElse("");
        } catch (IOException noFolder) {
            return "";
        }
    }

    private static int version(Path home) {
        try {
            return Files.readAllLines(home.resolve("release")).stream()
                    .filter(line -> line.startsWith("JAVA_VERSION="))
                    .mapToInt(line -> Integer.parseInt(line.replaceAll("^JAVA_VERSION=\"(\\d+).*", "$1")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException | NumberFormatException noJdk) {
            return 0;
        }
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        Path home = Files.createTempDirectory(ground.folder(), "debezium-server-");
        try (var receiver = sink == Sink.REDIS ? null : WebhookSink.start(home, 0)) {
            configure(ground, home, receiver);
            try (Child child = Child.start(command(), Map.of(), home, home.resolve("server.log"))) {
                long expected = ground.tally().changes();
                var streams = new ArrayList<String>();
                ground.tally().byKind().keySet().stream()
                        .map(kind -> "bench.public." + kind.substring(0, kind.lastIndexOf('.')))
                        .distinct()
                        .forEach(streams::add);
                Stopwatch watch = receiver == null
                        ? new Stopwatch(ground, child)
                                .awaitFirst(() -> ground.redis("DBSIZE") > 0)
                                .awaitWarm(() -> sum(ground, streams))
                                .awaitEnd(() -> length(ground, streams) >= expected)
                        : new Stopwatch(ground, child)
                                .awaitFirst(() -> receiver.counts()[0] > 0)
                                .awaitWarm(() -> receiver.counts()[1])
                                .awaitEnd(() -> receiver.counts()[1] >= expected);
                long found = receiver == null ? length(ground, streams) : receiver.counts()[1];
                Map<String, Object> figures = new LinkedHashMap<>();
                figures.put("peak_rss_mb", Math.round(child.memory("VmHWM")));
                if (receiver != null) {
                    figures.put("webhook_requests", receiver.counts()[0]);
                }
                return watch.drain(
                        name(),
                        round,
                        figures,
                        found == expected ? null : found + " events in the sink, expected " + expected);
            }
        }
    }

    private static long length(Ground ground, List<String> streams) throws IOException {
        // The last change is the backlog's end: while that stream is empty the others need no look.
        return ground.redis("XLEN bench.public." + Ground.END_TABLE) > 0 ? sum(ground, streams) : 0;
    }

    private static long sum(Ground ground, List<String> streams) throws IOException {
        long sum = 0;
        for (String stream : streams) {
            sum += ground.redis("XLEN " + stream);
        }
        return sum;
    }

    private List<String> command() {
        return List.of(
                java(),
                "-Xmx1g",
                "-cp",
                distribution().resolve("debezium-server-dist-" + VERSION + "-runner.jar") + ":"
                        + distribution().resolve("config/lib") + ":"
                        + distribution().resolve("lib") + "/*",
                "io.debezium.server.Main");
    }

    private void configure(Ground ground, Path home, WebhookSink receiver) throws IOException {
        var properties = new Properties();
        EngineReader.settings(URI.create(ground.servers.databaseUrl()))
                .forEach((key, value) -> properties.setProperty("debezium.source." + key, value.toString()));
        properties.setProperty("debezium.source.offset.flush.interval.ms", "1000");
        properties.setProperty("debezium.format.value", "json");
        properties.setProperty("debezium.format.value.schemas.enable", "false");
        properties.setProperty("debezium.format.key.schemas.enable", "false");
        properties.setProperty("quarkus.log.level", "WARN");
        properties.setProperty("quarkus.http.host", "127.0.0.1");
        properties.setProperty("quarkus.http.port", Integer.toString(FreePort.any()));
        if (receiver == null) {
            properties.setProperty("debezium.sink.type", "redis");
            properties.setProperty(
                    "debezium.sink.redis.address",
                    "127.0.0.1:" + ground.servers.redis().port());
        } else {
            properties.setProperty("debezium.sink.type", "http");
            properties.setProperty("debezium.sink.http.url", "http://127.0.0.1:" + receiver.port() + "/");
            properties.setProperty("debezium.sink.http.authentication.type", "standard-webhooks");
            properties.setProperty("debezium.sink.http.authentication.webhook.secret", WalrouteProcess.SECRET);
            if (sink == Sink.WEBHOOK_BATCH) {
                properties.setProperty("debezium.sink.http.batch.enabled", "true");
                properties.setProperty("debezium.sink.http.batch.max-size", "100");
            }
        }
        Files.createDirectories(home.resolve("config"));
        try (var out = Files.newBufferedWriter(home.resolve("config/application.properties"))) {
            properties.store(out, null);
        }
    }
}
