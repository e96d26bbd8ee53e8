package io.walroute.bench;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServerRequest;
import io.walroute.change.ChangeEvent;
import io.walroute.hook.HookComponent;
import io.walroute.hook.HookSettings;
import io.walroute.hook.WebhookSignature;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.camel.AsyncProducer;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;

/**
 * What a signed webhook costs: changes through the hook: component to a receiver that is a process of its own, as many at a time as a
 * lane lets through.
 *
 * <pre>
 * java -Xmx768m -cp target/test-classes:target/walroute.jar io.walroute.bench.HookRate [BATCH_SIZE [CHANGES [ROUNDS [KEY VALUE]...]]]
 * </pre>
 *
 * KEY and VALUE are further settings of the receiver, as {@code concurrency 64}.
 */
public final class HookRate {
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final int LANE = 2_000;
    /** Else the figures would be those of waking the feeder. */
    private static final int FED_AT_ONCE = 500;

    private static final int ROWS = 20_000;
    /** Of so many requests one has its signature checked. */
    private static final int CHECKED = 64;

    private HookRate() {}

    public static void main(String[] args) throws Exception {
        if (args.length > 0 && args[0].equals("receive")) {
            receive();
            return;
        }
        int batchSize = args.length > 0 ? Integer.parseInt(args[0]) : 1;
        int changes = args.length > 1 ? Integer.parseInt(args[1]) : 50_000;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 5;
        Process receiver = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        HookRate.class.getName(),
                        "receive")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var told = new BufferedReader(new InputStreamReader(receiver.getInputStream()))) {
            run(told, batchSize, changes, rounds, List.of(args).subList(Math.min(3, args.length), args.length));
        } finally {
            receiver.destroy();
        }
        System.exit(0);
    }

    private static void run(BufferedReader told, int batchSize, int changes, int rounds, List<String> more)
            throws Exception {
        Map<String, String> keys = new TreeMap<>(Map.of(
                "url",
                "http://127.0.0.1:" + told.readLine() + "/",
                "secret",
                SECRET,
                "allow-networks",
                "127.0.0.0/8",
                "batch-size",
                Integer.toString(batchSize)));
        for (int i = 0; i < more.size(); i += 2) {
            keys.put(more.get(i), more.get(i + 1));
        }
        List<String> problems = new ArrayList<>();
        HookSettings settings = HookSettings.parse("bench", keys, problems);
        if (settings == null) {
            throw new IllegalArgumentException(problems.toString());
        }
        try (var camel = new DefaultCamelContext()) {
            camel.addComponent("hook", new HookComponent(Map.of("bench", settings)));
            camel.start();
            AsyncProducer producer = camel.getEndpoint("hook:bench").createAsyncProducer();
            producer.start();
            for (int round = 0; round <= rounds; round++) {
                List<ChangeEvent> events = new ArrayList<>(changes);
                for (int i = 0; i < changes; i++) {
                    events.add(SampleChanges.listing((long) round * changes + i, ROWS));
                }
                ThreadCosts costs = ThreadCosts.start();
                long failed = feed(producer, events);
                System.out.printf(
                        "%s: %s%s%n",
                        round == 0 ? "warm-up" : "round " + round,
                        costs.perEvent(changes),
                        failed == 0 ? "" : ", FAILED " + failed);
            }
        }
    }

    private static long feed(AsyncProducer producer, List<ChangeEvent> events) throws InterruptedException {
        var room = new Semaphore(LANE);
        var failed = new AtomicLong();
        int fed = 0;
        for (ChangeEvent event : events) {
            if (fed++ % FED_AT_ONCE == 0) {
                room.acquire(FED_AT_ONCE);
            }
            Exchange exchange = producer.getEndpoint().createExchange();
            exchange.getMessage().setBody(event);
            producer.process(exchange, sync -> {
                if (exchange.getException() != null) {
                    failed.incrementAndGet();
                }
                room.release();
            });
        }
        room.release(Math.floorMod(-fed, FED_AT_ONCE));
        room.acquire(LANE);
        return failed.get();
    }

    /** Prints its port; ends with the process that started it, whose signal it gets. */
    private static void receive() {
        var requests = new AtomicLong();
        var vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        int port = vertx.createHttpServer()
                .requestHandler(request -> request.body().onSuccess(body -> {
                    boolean genuine = requests.incrementAndGet() % CHECKED != 0 || isGenuine(request, body.getBytes());
                    request.response().setStatusCode(genuine ? 204 : 401).end();
                }))
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join()
                .actualPort();
        System.out.println(port);
    }

    private static boolean isGenuine(HttpServerRequest request, byte[] body) {
        Map<String, String> headers = new TreeMap<>();
        request.headers().forEach(headers::put);
        return WebhookSignature.verify(List.of(SECRET), headers, body, Duration.ofMinutes(5), Instant.now());
    }
}
