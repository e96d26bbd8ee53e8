package io.walroute.bench;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What this JVM's Java threads used since {@link #start}, but for those of the bench: CPU time and allocated bytes, per event and by
 * name. On a busy machine the clock tells little, these tell nearly the same.
 */
final class ThreadCosts {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final OperatingSystemMXBean PROCESS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private record Used(long cpuNanos, long bytes) {}

    private final Map<Long, Used> before = used();
    private final long processBefore = PROCESS.getProcessCpuTime();
    private final long startNanos = System.nanoTime();

    static ThreadCosts start() {
        return new ThreadCosts();
    }

    /** One line; threads that ended meanwhile are only in the process' figure. */
    String perEvent(long events) {
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        double process = (PROCESS.getProcessCpuTime() - processBefore) / 1e3 / events;
        Map<String, double[]> byName = new TreeMap<>();
        double cpu = 0;
        double bytes = 0;
        for (var each : used().entrySet()) {
            Used former = before.getOrDefault(each.getKey(), new Used(0, 0));
            ThreadInfo info = THREADS.getThreadInfo(each.getKey());
            if (info == null || info.getThreadName().equals("main")) {
                continue;
            }
            double micros = (each.getValue().cpuNanos() - former.cpuNanos()) / 1e3 / events;
            double allocated = (double) (each.getValue().bytes() - former.bytes()) / events;
            cpu += micros;
            bytes += allocated;
            String name = info.getThreadName().replaceAll("\\d+", "N").replaceAll("Camel \\(.*\\) thread #N - ", "");
            double[] sum = byName.computeIfAbsent(name, first -> new double[2]);
            sum[0] += micros;
            sum[1] += allocated;
        }
        String parts = byName.entrySet().stream()
                .filter(each -> each.getValue()[0] >= 0.1)
                .map(each -> String.format(
                        Locale.ROOT, "%s %.1f us %.0f B", each.getKey(), each.getValue()[0], each.getValue()[1]))
                .collect(Collectors.joining(", "));
        return String.format(
                Locale.ROOT,
                "%,.0f/s, %.1f us of CPU and %,.0f bytes each (%s; process with the feeder, GC and JIT %.1f us)",
                events / seconds,
                cpu,
                bytes,
                parts,
                process);
    }

    private static Map<Long, Used> used() {
        return java.util.Arrays.stream(THREADS.getAllThreadIds())
                .boxed()
                .collect(Collectors.toMap(
                        id -> id, id -> new Used(THREADS.getThreadCpuTime(id), THREADS.getThreadAllocatedBytes(id))));
    }
}
