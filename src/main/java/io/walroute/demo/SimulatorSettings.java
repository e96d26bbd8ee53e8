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
 */
public record SimulatorSettings(
        String jdbcUrl, double ratePerSecond, Duration duration, long changes, long seed, int connections) {
    public SimulatorSettings {
        if (!(ratePerSecond >= 0) || changes < 0 || connections < 1) {
            throw new IllegalArgumentException("rate " + ratePerSecond + ", changes " + changes + ", connections "
                    + connections + ": rate and changes are 0 or more, connections 1 or more");
        }
    }

    /** Unlimited traffic by four connections. */
    public static SimulatorSettings of(String jdbcUrl, double ratePerSecond) {
        return new SimulatorSettings(jdbcUrl, ratePerSecond, null, 0, 1, 4);
    }
}
