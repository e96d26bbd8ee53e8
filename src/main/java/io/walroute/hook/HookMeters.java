package io.walroute.hook;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;

/** The meters of one receiver. */
final class HookMeters {
    private final MeterRegistry registry;
    private final String endpoint;
    private final Timer attempt;
    private Gauge circuitGauge;

    HookMeters(MeterRegistry registry, String endpoint) {
        this.registry = registry;
        this.endpoint = endpoint;
        attempt = Timer.builder("walroute.hook.attempt")
                .description("Time from an attempt's start to its outcome")
                .tag("endpoint", endpoint)
                .register(registry);
    }

    void watch(CircuitBreaker circuit) {
        circuitGauge = Gauge.builder("walroute.circuit.open", circuit, each -> isOpen(each) ? 1 : 0)
                .description("1 while the endpoint's circuit is open and changes are parked without an attempt")
                .tag("endpoint", endpoint)
                .register(registry);
    }

    /** @param outcome delivered, 3xx, 4xx, 5xx, timeout, refused or connection */
    void attempted(String outcome, Duration took) {
        attempt.record(took);
        registry.counter("walroute.hook.attempts", "endpoint", endpoint, "outcome", outcome)
                .increment();
    }

    /** @param to the state that it is in from now on */
    void circuitTurned(CircuitBreaker.State to) {
        registry.counter(
                        "walroute.circuit.transitions",
                        "endpoint",
                        endpoint,
                        "to",
                        to.name().toLowerCase(java.util.Locale.ROOT))
                .increment();
    }

    /** A registry keeps the first gauge of a name: left there, it would hide the next client's circuit. */
    void close() {
        registry.remove(circuitGauge);
    }

    static boolean isOpen(CircuitBreaker circuit) {
        return circuit.getState() == CircuitBreaker.State.OPEN;
    }
}
