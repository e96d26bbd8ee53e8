package io.walroute.bench;

import com.sun.management.ThreadMXBean;
import io.walroute.audit.AuditComponent;
import io.walroute.audit.AuditSettings;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.RawJson;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import io.walroute.store.Store;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Semaphore;
import org.apache.camel.Exchange;
import org.apache.camel.Producer;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;

/**
 * What the audit log costs per change: updates of marketplace listings through {@code audit:log} into a new SQLite file, as fast
 * as it takes them. CPU time and garbage are counted per thread, so that they mean something on a busy machine, too.
 *
 * <pre>
 * mvn -q -DskipTests package
 * java -Xmx256m -cp target/test-classes:target/walroute.jar io.walroute.bench.AuditRate [CHANGES] [ROUNDS] [JDBC-URL]
 * </pre>
 *
 * <p>The first round is the warm-up.
 */
public final class AuditRate {
    private static final int IN_FLIGHT = 10_000;
    private static final int CHUNK = 1_000;
    private static final int ROWS = 5_000;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Semaphore room = new Semaphore(IN_FLIGHT);
    private final Settlement settlement = () -> new Settlement.Hold() {
        @Override
        public void release() {
            room.release();
        }

        @Override
        public void fail(Throwable cause) {
            cause.printStackTrace();
            System.exit(1);
        }
    };
    private final List<Map<String, Object>> rows = new ArrayList<>();
    private long callerNanos;
    private long callerBytes;

    private AuditRate() {
        for (int i = 0; i <= ROWS; i++) {
            rows.add(row(i));
        }
    }

    public static void main(String[] args) throws Exception {
        int changes = args.length > 0 ? Integer.parseInt(args[0]) : 300_000;
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 5;
        Path folder = Files.createTempDirectory(Path.of("target"), "audit-rate");
        String url = args.length > 2 ? args[2] : "jdbc:sqlite:" + folder.resolve("walroute.db");
        var rate = new AuditRate();
        try (var store = Store.open(new Store.Settings(url));
                var camel = new DefaultCamelContext()) {
            camel.addComponent("audit", new AuditComponent(AuditSettings.DEFAULT, store));
            camel.start();
            Producer producer = camel.getEndpoint("audit:log").createProducer();
            producer.start();
            for (int round = 0; round <= rounds; round++) {
                rate.round(round, changes, camel, producer);
            }
        }
        for (Path file : Files.list(folder).toList()) {
            System.out.printf(Locale.ROOT, "%s %,d bytes%n", file.getFileName(), Files.size(file));
            Files.delete(file);
        }
        Files.delete(folder);
        System.exit(0);
    }

    private void round(int round, int changes, DefaultCamelContext camel, Producer producer) throws Exception {
        long writer = thread("store-writer");
        long callbacks = thread("store-callbacks");
        var before = new long[] {cpu(writer), user(writer), allocated(writer), cpu(callbacks), allocated(callbacks)};
        callerNanos = 0;
        callerBytes = 0;
        long begin = System.nanoTime();
        for (int sent = 0; sent < changes; sent += CHUNK) {
            send(round, sent, camel, producer);
        }
        room.acquire(IN_FLIGHT);
        room.release(IN_FLIGHT);
        double seconds = (System.nanoTime() - begin) / 1e9;
        System.out.printf(
                Locale.ROOT,
                "%s %,d changes, %,.0f/s; per change: writer %.2f us CPU (%.2f user), %,d bytes; callbacks %.2f us, %,d bytes;"
                        + " caller %.2f us, %,d bytes%n",
                round == 0 ? "warm-up:" : "round " + round + ":",
                changes,
                changes / seconds,
                (cpu(writer) - before[0]) / 1e3 / changes,
                (user(writer) - before[1]) / 1e3 / changes,
                (allocated(writer) - before[2]) / changes,
                (cpu(callbacks) - before[3]) / 1e3 / changes,
                (allocated(callbacks) - before[4]) / changes,
                callerNanos / 1e3 / changes,
                callerBytes / changes);
    }

    /** Changes and exchanges are built first: only the step itself counts as the caller's. */
    private void send(int round, int from, DefaultCamelContext camel, Producer producer) throws Exception {
        var exchanges = new ArrayList<Exchange>(CHUNK);
        for (int i = from; i < from + CHUNK; i++) {
            var exchange = new DefaultExchange(camel);
            exchange.setProperty(Settlement.PROPERTY, settlement);
            exchange.getMessage().setBody(change(round, i));
            exchanges.add(exchange);
        }
        room.acquire(CHUNK);
        long self = Thread.currentThread().getId();
        long cpu = cpu(self);
        long bytes = allocated(self);
        for (Exchange exchange : exchanges) {
            producer.process(exchange);
        }
        callerNanos += cpu(self) - cpu;
        callerBytes += allocated(self) - bytes;
    }

    private ChangeEvent change(int round, int i) {
        long lsn = ((long) round << 32) + 0x1000_0000L + i * 480L;
        return ChangeEvent.builder(
                        Operation.UPDATE,
                        "public",
                        "listings",
                        Instant.ofEpochSecond(1_790_000_000L + i / 10, i % 1_000_000 * 1_000L),
                        new Version(1, new Lsn(lsn), 0))
                .key("id", rows.get(i % ROWS).get("id"))
                .oldRow(rows.get(i % ROWS))
                .newRow(updated(i))
                .changedColumns(List.of("price_wei", "updated_at"))
                .xid(700_000L + i / 50)
                .build();
    }

    private Map<String, Object> updated(int i) {
        var row = new LinkedHashMap<>(rows.get(i % ROWS));
        row.put("price_wei", rows.get(i % ROWS + 1).get("price_wei"));
        row.put("updated_at", rows.get(i % ROWS + 1).get("updated_at"));
        return row;
    }

    private static Map<String, Object> row(int i) {
        var row = new LinkedHashMap<String, Object>();
        row.put("id", 20_000L + i);
        row.put("token_id", "4" + "7310928465".repeat(6) + i);
        row.put("ens_name", "name" + i + ".eth");
        row.put(
                "seller_address",
                "0x" + String.format("%08x", i * 2654435761L & 0xFFFFFFFFL).repeat(4));
        row.put("price_wei", (1_000_000_000L + i * 7919L) + "000000000");
        row.put("currency", "ETH");
        row.put("status", "active");
        row.put("expires_at", "2026-12-24T18:30:00.000000Z");
        row.put(
                "metadata",
                new RawJson(
                        "{\"image\": \"ipfs://" + "0123456789abcdef".repeat(2) + "\", \"views\": " + i % 977 + "}"));
        row.put("created_at", String.format("2026-11-27T10:%02d:%02d.%06dZ", i / 60 % 60, i % 60, i));
        row.put("updated_at", String.format("2026-11-27T11:%02d:%02d.%06dZ", i / 60 % 60, i % 60, i));
        return row;
    }

    private static long thread(String name) {
        return Arrays.stream(THREADS.getThreadInfo(THREADS.getAllThreadIds()))
                .filter(each -> each != null && each.getThreadName().equals(name))
                .findFirst()
                .map(each -> each.getThreadId())
                .orElse(-1L);
    }

    private static long cpu(long thread) {
        return thread < 0 ? 0 : THREADS.getThreadCpuTime(thread);
    }

    private static long user(long thread) {
        return thread < 0 ? 0 : THREADS.getThreadUserTime(thread);
    }

    private static long allocated(long thread) {
        return thread < 0 ? 0 : THREADS.getThreadAllocatedBytes(thread);
    }
}
