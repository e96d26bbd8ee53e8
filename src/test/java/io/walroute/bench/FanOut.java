package io.walroute.bench;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.WebSocketClient;
import io.vertx.core.http.WebSocketClientOptions;
import io.walroute.change.ChangeEvent;
import io.walroute.notify.NotifyComponent;
import io.walroute.notify.NotifySettings;
import io.walroute.store.Store;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.camel.AsyncProducer;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;

/**
 * What a frame costs: changes through the notify: component, logged on disk, to WebSocket clients that are a process of their own.
 *
 * <pre>
 * java -Xmx768m -cp target/test-classes:target/walroute.jar io.walroute.bench.FanOut [CLIENTS [CHANGES [ROUNDS]]]
 * </pre>
 *
 * With 0 clients it is the frame log alone.
 */
public final class FanOut {
    private static final String TOPIC = "listings.price_changed";
    private static final int LANE = 2_000;
    private static final ExecutorService LANE_THREAD =
            Executors.newSingleThreadExecutor(task -> new Thread(task, "lane"));

    private FanOut() {}

    public static void main(String[] args) throws Exception {
        if (args.length > 0 && args[0].equals("listen")) {
            listen(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
            return;
        }
        int clients = args.length > 0 ? Integer.parseInt(args[0]) : 1_000;
        int changes = args.length > 1 ? Integer.parseInt(args[1]) : 500;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 5;
        Path folder = Files.createTempDirectory("walroute-fan-out");
        try (Store store = Store.open(new Store.Settings("jdbc:sqlite:" + folder.resolve("walroute.db")));
                var camel = new DefaultCamelContext()) {
            var notify = new NotifyComponent(
                    NotifySettings.builder().port(0).maxConnections(10_000).build());
            camel.getRegistry().bind("store", store);
            camel.addComponent("notify", notify);
            camel.start();
            AsyncProducer producer = camel.getEndpoint("notify:" + TOPIC).createAsyncProducer();
            producer.start();
            long heapBefore = heap();
            Process listeners = clients == 0 ? null : listeners(notify.port(), clients);
            try (BufferedReader told =
                    listeners == null ? null : new BufferedReader(new InputStreamReader(listeners.getInputStream()))) {
                if (told != null) {
                    told.readLine();
                    System.out.printf(
                            "%,d clients are subscribed, %,d bytes of heap each%n",
                            clients, (heap() - heapBefore) / clients);
                }
                rounds(producer, told, clients, changes, rounds);
            } finally {
                if (listeners != null) {
                    listeners.destroy();
                }
            }
        } finally {
            try (var files = Files.list(folder)) {
                for (Path each : files.toList()) {
                    Files.delete(each);
                }
            }
            Files.delete(folder);
        }
        System.exit(0);
    }

    private static void rounds(AsyncProducer producer, BufferedReader told, int clients, int changes, int rounds)
            throws Exception {
        long frames = 0;
        for (int round = 0; round <= rounds; round++) {
            List<ChangeEvent> events = new ArrayList<>(changes);
            for (int i = 0; i < changes; i++) {
                events.add(SampleChanges.listing((long) round * changes + i, 20_000));
            }
            ThreadCosts costs = ThreadCosts.start();
            // On a thread that counts: what the route's own thread does is a part of what a frame costs.
            LANE_THREAD.submit(() -> feed(producer, events)).get();
            frames += (long) changes * clients;
            while (told != null && Long.parseLong(told.readLine()) < frames) {
                // It tells what it has got several times a second.
            }
            System.out.printf(
                    "%s: %s%n",
                    round == 0 ? "warm-up" : "round " + round,
                    costs.perEvent(clients == 0 ? changes : (long) changes * clients));
        }
    }

    private static void feed(AsyncProducer producer, List<ChangeEvent> events) {
        var room = new Semaphore(LANE);
        for (ChangeEvent event : events) {
            room.acquireUninterruptibly();
            Exchange exchange = producer.getEndpoint().createExchange();
            exchange.getMessage().setBody(event);
            producer.process(exchange, sync -> room.release());
        }
        room.acquireUninterruptibly(LANE);
    }

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private static Process listeners(int port, int clients) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx512m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        FanOut.class.getName(),
                        "listen",
                        Integer.toString(port),
                        Integer.toString(clients))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** Prints how many frames came, every 50 ms, from when all are subscribed; ends with the process that started it. */
    private static void listen(int port, int clients) {
        var subscribed = new AtomicLong();
        var events = new AtomicLong();
        var vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        var places = new Semaphore(16);
        WebSocketClient client = vertx.createWebSocketClient(
                new WebSocketClientOptions().setMaxConnections(clients + 1).setMaxFrameSize(1 << 20));
        for (int i = 0; i < clients; i++) {
            places.acquireUninterruptibly();
            client.connect(port, "127.0.0.1", "/ws")
                    .onSuccess(socket -> {
                        socket.frameHandler(frame -> {
                            if (frame.isText() && subscribed.get() == clients) {
                                events.incrementAndGet();
                            } else if (frame.isText()) {
                                subscribed.incrementAndGet();
                            }
                        });
                        socket.writeTextMessage("{\"type\":\"subscribe\",\"id\":\"s\",\"topic\":\"" + TOPIC + "\"}");
                        places.release();
                    })
                    .onFailure(Throwable::printStackTrace);
        }
        while (subscribed.get() < clients) {
            LockSupport.parkNanos(10_000_000);
        }
        while (!System.out.checkError()) {
            System.out.println(events.get());
            LockSupport.parkNanos(50_000_000);
        }
        System.exit(0);
    }
}
