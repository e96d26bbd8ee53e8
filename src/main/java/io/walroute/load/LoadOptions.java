package io.walroute.load;

import io.walroute.demo.SimulatorSettings;
import java.time.Duration;

/**
 * What traffic a load run makes.
 *
 * @param warmUp how long the same traffic goes before it counts; zero for not at all
 * @param duration how long it counts
 * @param ratePerSecond changes a second; 0 for as many as the database takes
 * @param seed what the traffic's chances start from
 * @param connections how many work side by side
 * @param largeEvery every so many transactions of a connection one changes hundreds of rows; 0 for never
 * @param audited whether the routes keep an audit log, which then must have every change
 * @param patience how long to wait, after the traffic, for something to happen before the rest counts as stuck
 */
public record LoadOptions(
        Duration warmUp,
        Duration duration,
        double ratePerSecond,
        long seed,
        int connections,
        int largeEvery,
        boolean audited,
        Duration patience) {

    Duration all() {
        return warmUp.plus(duration);
    }

    SimulatorSettings simulator(String jdbcUrl) {
        return new SimulatorSettings(jdbcUrl, ratePerSecond, all(), 0, seed, connections, largeEvery);
    }
}
