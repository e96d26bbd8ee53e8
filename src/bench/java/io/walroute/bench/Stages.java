package io.walroute.bench;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** What the service's meters and the processors say of the time between two looks. */
record Stages(Look from, Look to) {
    private static final Pattern TIMER =
            Pattern.compile("(?m)^(walroute_\\w+_seconds)_(sum|count)(\\{[^}]*\\})? ([0-9.E+-]+)");
    private static final Pattern SINK = Pattern.compile("sink=\"[^\"]*\"");

    /** Timers by name and sink, as {@code walroute_handled_seconds{sink="cache"}}: sum and count. */
    record Look(long nanos, Map<String, double[]> timers, double service, double traffic, double machine) {}

    static Look look(WalrouteProcess service, Child traffic) throws IOException, InterruptedException {
        Map<String, double[]> timers = new HashMap<>();
        var found = TIMER.matcher(service.get("/observe/metrics").body());
        while (found.find()) {
            var sink = SINK.matcher(found.group(3) == null ? "" : found.group(3));
            String name = found.group(1) + (sink.find() ? "{" + sink.group() + "}" : "");
            timers.computeIfAbsent(name, each -> new double[2])[found.group(2).equals("sum") ? 0 : 1] +=
                    Double.parseDouble(found.group(4));
        }
        return new Look(
                System.nanoTime(),
                timers,
                service.child().cpuSeconds(),
                traffic.cpuSeconds(),
                MachineTime.busySeconds());
    }

    /** In milliseconds; NaN if the timer counted nothing meanwhile. */
    double mean(String timer) {
        double[] before = from.timers.getOrDefault(timer, new double[2]);
        double[] after = to.timers.getOrDefault(timer, new double[2]);
        return after[1] > before[1] ? 1e3 * (after[0] - before[0]) / (after[1] - before[1]) : Double.NaN;
    }

    double percentOfService() {
        return percent(from.service, to.service);
    }

    double percentOfTraffic() {
        return percent(from.traffic, to.traffic);
    }

    double percentOfMachine() {
        return percent(from.machine, to.machine);
    }

    private double percent(double before, double after) {
        return 100 * (after - before) * 1e9 / (to.nanos - from.nanos);
    }
}
