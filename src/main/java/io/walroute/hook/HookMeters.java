package io.walroute.hook;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/** The meters of one receiver. */
final class HookMeters {
    private final MeterRegistry registry;
    private final String endpoint;
    private final Timer attempt;
    private final Counter opened;
    private final Counter refused;
    private final Map<String, Counter> attempts = new ConcurrentHashMap<>();
    private Gauge circuitGauge;
    private Gauge disabledGauge;

    HookMeters(MeterRegistry registry, String endpoint) {
        this.registry = registry;
        this.endpoint = endpoint;
        attempt = Timer.builder("walroute.hook.attempt")
                .description("Time from an attempt's start to its outcome")
                .tag("endpoint", endpoint)
                .register(registry);
        opened = counter("walroute.circuit.opened", "How often the endpoint's circuit opened");
        refused = counter("walroute.circuit.refused", "Changes that were not tried, since the circuit was open");
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name)
                .description(description)
                .tag("endpoint", endpoint)
                .register(registry);
    }

    void watch(CircuitBreaker circuit) {
        circuitGauge = Gauge.builder("walroute.circuit.open", circuit, each -> isOpen(each) ? 1 : 0)
                .description("1 while the endpoint's circuit is open and changes are parked without an attempt")
                .tag("endpoint", endpoint)
                .register(registry);
    }

    void watchDisabled(BooleanSupplier disabled) {
        disabledGauge = Gauge.builder("walroute.hook.disabled", disabled, each -> each.getAsBoolean() ? 1 : 0)
                .description("1 since the receiver answered 410 Gone: changes are parked until an operator resumes it")
                .tag("endpoint", endpoint)
                .strongReference(true)
                .register(registry);
    }

    /** @param outcome delivered, 3xx, 4xx, 5xx, timeout, refused or connection */
    void attempted(String outcome, Duration took) {
        attempt.record(took);
        attempts.computeIfAbsent(
                        outcome,
                        first -> registry.counter("walroute.hook.attempts", "endpoint", endpoint, "outcome", first))
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

    void opened() {
        opened.increment();
    }

    void refused(int changes) {
        refused.increment(changes);
    }

    /** A registry keeps the first gauge of a name: left there, it would hide the next client's circuit. */
    void close() {
        registry.remove(circuitGauge);
        registry.remove(disabledGauge);
    }

    static boolean isOpen(CircuitBreaker circuit) {
        return circuit.getState() == CircuitBreaker.State.OPEN;
    }
}
