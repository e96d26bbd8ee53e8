package io.walroute.demo;

import java.time.Duration;

/**
 * @param ratePerSecond changes a second that the simulator makes; 0 for as many as the database takes
 * @param stopAfter null to run until Ctrl-C
 * @param seed of the simulator
 * @param webSocketPort taken if free, otherwise any
 * @param managementPort taken if free, otherwise any
 */
public record DemoSettings(double ratePerSecond, Duration stopAfter, long seed, int webSocketPort, int managementPort) {
    public static final DemoSettings DEFAULTS = new DemoSettings(40, null, 1, 3003, 9876);
}
