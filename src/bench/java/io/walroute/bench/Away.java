package io.walroute.bench;

import io.walroute.demo.Simulator;
import io.walroute.testing.Receiver;
import java.sql.DriverManager;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * Every sink away under load: Redis unreachable and the receiver gone for some minutes, then both back. Prints heap, slot lag and
 * dead letters meanwhile.
 *
 * <pre>
 * mvn -q -DskipTests package
 * java -cp target/test-classes:target/walroute.jar io.walroute.bench.Away [MINUTES]
 * </pre>
 */
public final class Away {
    private static final int CHANGES_A_ROUND = 2_000;

    private Away() {}

    public static void main(String[] args) throws Exception {
        double minutes = args.length > 0 ? Double.parseDouble(args[0]) : 5;
        try (var service = new MeasuredService()) {
            Receiver receiver = Receiver.start();
            int port = receiver.port();
            service.start(port);
            receiver.close();
            service.redis.cut();
            var loading = new AtomicBoolean(true);
            Thread load = load(service, loading);
            print(service, "away", System.nanoTime() + (long) (minutes * 60e9));
            loading.set(false);
            load.join();
            System.out.println("the load has ended: " + service.sample());
            service.redis.heal();
            receiver = Receiver.start(port);
            long back = System.nanoTime();
            while (service.count("SELECT count(*) FROM dead_letters WHERE sink = 'cache'") > 0
                    && System.nanoTime() - back < 180e9) {
                print(service, "back", System.nanoTime() + 5_000_000_000L);
            }
            System.out.printf(
                    "%.0f s after the sinks came back: %s%n", (System.nanoTime() - back) / 1e9, service.sample());
            System.out.println(service.heap() + ", " + service.liveHeap());
            receiver.close();
        }
        System.exit(0);
    }

    private static void print(MeasuredService service, String phase, long endNanos) throws Exception {
        for (int i = 1; System.nanoTime() < endNanos; i++) {
            System.out.println(phase + ": " + service.sample() + (i % 6 == 0 ? ", " + service.liveHeap() : ""));
            LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(5));
        }
    }

    private static Thread load(MeasuredService service, AtomicBoolean on) {
        var thread = new Thread(() -> {
            try (var c = DriverManager.getConnection(service.servers.jdbcUrl())) {
                for (int seed = 1; on.get(); seed++) {
                    Simulator.backlog(c, CHANGES_A_ROUND, seed);
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        thread.start();
        return thread;
    }
}
