package io.walroute.demo;

import java.time.Duration;

/**
 * What traffic to make.
 *
 * @param ratePerSecond changes a second over all connections; 0 for as many as the database takes
 * @param duration when to stop; null for never
 * @param changes how many committed changes to make, exactly; 0 for no such limit
 * @param seed the same seed and one connection make the same changes in the same order
 * @param connections how many work side by side
 * @param largeEvery every so many transactions of a connection one changes hundreds of rows; 0 for never
 */
public record SimulatorSettings(
        String jdbcUrl,
        double ratePerSecond,
        Duration duration,
        long changes,
        long seed,
        int connections,
        int largeEvery) {
    public SimulatorSettings {
        if (!(ratePerSecond >= 0) || changes < 0 || connections < 1 || largeEvery < 0) {
            throw new IllegalArgumentException(
                    "rate " + ratePerSecond + ", changes " + changes + ", connections " + connections + ", large every "
                            + largeEvery + ": connections are 1 or more, the others 0 or more");
        }
    }

    /** Without large transactions. */
    public SimulatorSettings(
            String jdbcUrl, double ratePerSecond, Duration duration, long changes, long seed, int connections) {
        this(jdbcUrl, ratePerSecond, duration, changes, seed, connections, 0);
    }

    /** Unlimited traffic by four connections. */
    public static SimulatorSettings of(String jdbcUrl, double ratePerSecond) {
        return new SimulatorSettings(jdbcUrl, ratePerSecond, null, 0, 1, 4);
    }
}
