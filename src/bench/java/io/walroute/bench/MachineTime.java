package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Processor time of the whole machine since it started; zero where there is no /proc. */
final class MachineTime {
    /** What the first numbers of the line count: user, nice, system, idle, iowait, irq, softirq. */
    private static final int IDLE = 3;

    private static final int WAITING = 4;
    private static final int KINDS = 7;
    private static final double PER_SECOND = 100;

    private MachineTime() {}

    /** In seconds, summed over all processors. */
    static double busySeconds() {
        try {
            long[] times = Arrays.stream(
                            Files.readAllLines(Path.of("/proc/stat")).get(0).split("\\s+"))
                    .skip(1)
                    .limit(KINDS)
                    .mapToLong(Long::parseLong)
                    .toArray();
            return (Arrays.stream(times).sum() - times[IDLE] - times[WAITING]) / PER_SECOND;
        } catch (IOException | RuntimeException noProc) {
            return 0;
        }
    }
}
