package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What {@code -Xlog:gc} tells of a JVM's garbage collections.
 *
 * @param peakMb the most heap in use before a collection
 * @param afterMb the most that one left
 * @param allocatedMb what was allocated between the first and the last
 * @param pausesMs of each collection, in order
 */
record GcLog(int peakMb, int afterMb, long allocatedMb, List<Double> pausesMs) {
    private static final Pattern LINE = Pattern.compile("Pause .*?(\\d+)M->(\\d+)M\\(\\d+M\\) ([0-9.]+)ms");

    static GcLog read(Path log) throws IOException {
        int peak = 0;
        int after = 0;
        long allocated = 0;
        int left = -1;
        List<Double> pauses = new ArrayList<>();
        for (String line : Files.exists(log) ? Files.readAllLines(log) : List.<String>of()) {
            var found = LINE.matcher(line);
            if (found.find()) {
                int before = Integer.parseInt(found.group(1));
                allocated += left < 0 ? 0 : Math.max(0, before - left);
                left = Integer.parseInt(found.group(2));
                peak = Math.max(peak, before);
                after = Math.max(after, left);
                pauses.add(Double.parseDouble(found.group(3)));
            }
        }
        return new GcLog(peak, after, allocated, pauses);
    }

    double worstPauseMs() {
        return pausesMs.stream().mapToDouble(each -> each).max().orElse(0);
    }

    double totalPauseMs() {
        return pausesMs.stream().mapToDouble(each -> each).sum();
    }
}
