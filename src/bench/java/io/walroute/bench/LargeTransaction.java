package io.walroute.bench;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * One transaction of many rows through the whole service (audit log and cache), with {@code -Xmx256m}. Prints heap and time.
 *
 * <pre>
 * mvn -q -DskipTests package
 * java -cp target/test-classes:target/walroute.jar io.walroute.bench.LargeTransaction [ROWS]
 * </pre>
 */
public final class LargeTransaction {
    private LargeTransaction() {}

    public static void main(String[] args) throws Exception {
        int rows = args.length > 0 ? Integer.parseInt(args[0]) : 2_000_000;
        try (var service = new MeasuredService("CREATE TABLE bulk(id bigint PRIMARY KEY, v text)")) {
            service.start(io.walroute.demo.FreePort.any());
            long begin = System.nanoTime();
            service.execute(
                    "INSERT INTO bulk SELECT g, md5(g::text) || md5(g::text) FROM generate_series(1, " + rows + ") g");
            String end = service.query("SELECT pg_current_wal_lsn()");
            long committed = System.nanoTime();
            System.out.printf("%,d rows committed after %.0f s%n", rows, (committed - begin) / 1e9);
            for (int i = 0; !confirmed(service, end); i++) {
                String sample = service.sample();
                if (i % 20 == 0) {
                    System.out.println(sample);
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(500));
            }
            double seconds = (System.nanoTime() - committed) / 1e9;
            System.out.printf(
                    "confirmed %.0f s after the commit, %,.0f rows/s: %s%n", seconds, rows / seconds, service.sample());
            System.out.println(service.heap());
        }
        System.exit(0);
    }

    private static boolean confirmed(MeasuredService service, String lsn) throws Exception {
        return "t".equals(service.query("SELECT confirmed_flush_lsn >= '" + lsn + "' FROM pg_replication_slots"));
    }
}
