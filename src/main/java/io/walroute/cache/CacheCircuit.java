package io.walroute.cache;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.walroute.cache.RowCacheException.Concern;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Spares changes, and Redis, attempts that can't succeed: opens when half of the last twenty failed for a reason that lies
 * with the server, and tries it out with a write of its own each second until it is back.
 *
 * <p>What concerns one key only (another type in its place) never opens it. Any thread; never blocks.
 */
final class CacheCircuit implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CacheCircuit.class);
    /** An attempt costs next to nothing, and what is parked should not wait long once Redis is back. */
    private static final Duration WAIT = Duration.ofSeconds(1);

    private static final String ENDPOINT = "endpoint";
    private static final String NAME = "row-cache";

    private final String server;
    private final Supplier<CompletableFuture<?>> trial;
    private final MeterRegistry registry;
    private final CircuitBreaker breaker;
    private final Gauge open;
    private final Counter opened;
    private final Counter refused;
    private volatile String lastFailure = "";

    /** @param trial writes something of no meaning */
    CacheCircuit(String server, Supplier<CompletableFuture<?>> trial, MeterRegistry registry) {
        this.server = server;
        this.trial = trial;
        this.registry = registry;
        breaker = CircuitBreaker.of(
                NAME,
                CircuitBreakerConfig.custom()
                        .slidingWindowSize(20)
                        .minimumNumberOfCalls(10)
                        .failureRateThreshold(50)
                        .waitDurationInOpenState(WAIT)
                        // Not at the next call: while all changes are parked there may be none.
                        .automaticTransitionFromOpenToHalfOpenEnabled(true)
                        .permittedNumberOfCallsInHalfOpenState(3)
                        .build());
        open = Gauge.builder("walroute.circuit.open", breaker, each -> isOpen() ? 1 : 0)
                .description("1 while the endpoint's circuit is open and changes are parked without an attempt")
                .tag(ENDPOINT, NAME)
                .register(registry);
        opened = counter("walroute.circuit.opened", "How often the endpoint's circuit opened");
        refused = counter("walroute.circuit.refused", "Changes that were not tried, since the circuit was open");
        breaker.getEventPublisher().onStateTransition(event -> {
            switch (event.getStateTransition()) {
                case CLOSED_TO_OPEN -> {
                    opened.increment();
                    LOG.warn("row-cache circuit open: changes are parked, tried again every second. {}", lastFailure);
                }
                case OPEN_TO_HALF_OPEN -> tryOut();
                case HALF_OPEN_TO_OPEN -> LOG.debug("row-cache circuit stays open: {}", lastFailure);
                case HALF_OPEN_TO_CLOSED -> LOG.info("row-cache circuit closed: Redis at {} takes changes", server);
                default -> {}
            }
        });
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name)
                .description(description)
                .tag(ENDPOINT, NAME)
                .register(registry);
    }

    /** @return fails with {@link RowCacheUnavailableException}, without a call, while the circuit is open */
    <T> CompletableFuture<T> call(Supplier<CompletableFuture<T>> change) {
        if (!breaker.tryAcquirePermission()) {
            refused.increment();
            return CompletableFuture.failedFuture(
                    new RowCacheUnavailableException("not tried, the circuit is open. Last failure: " + lastFailure));
        }
        long start = System.nanoTime();
        CompletableFuture<T> answer;
        try {
            answer = change.get();
        } catch (RuntimeException e) {
            // A change that can't even be sent says nothing of Redis.
            breaker.releasePermission();
            throw e;
        }
        return answer.whenComplete((done, failure) -> record(System.nanoTime() - start, failure));
    }

    /** Until enough is known: changes may be all parked, and then nobody else would find out. */
    private void tryOut() {
        if (breaker.getState() == CircuitBreaker.State.HALF_OPEN) {
            call(() -> trial.get().thenApply(written -> true)).whenComplete((done, failure) -> {
                if (!(failure instanceof RowCacheUnavailableException)) { // else changes do it already
                    tryOut();
                }
            });
        }
    }

    private void record(long nanos, Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        if (cause instanceof RowCacheException known && known.concern() == Concern.SERVER) {
            lastFailure = known.getMessage();
            breaker.onError(nanos, TimeUnit.NANOSECONDS, known);
        } else {
            breaker.onSuccess(nanos, TimeUnit.NANOSECONDS);
        }
    }

    /** Half open is not well yet: it would look so for a moment of each second of an outage. */
    private boolean isOpen() {
        return breaker.getState() != CircuitBreaker.State.CLOSED;
    }

    /** Why changes are parked without an attempt, in one line; empty if they aren't. */
    Optional<String> problem() {
        return isOpen() ? Optional.of("row-cache circuit open: " + lastFailure) : Optional.empty();
    }

    /** {@code closed}, {@code open} or {@code half_open}. */
    String state() {
        return breaker.getState().name().toLowerCase(java.util.Locale.ROOT);
    }

    /** A registry keeps the first gauge of a name: left there, it would hide the next circuit. */
    @Override
    public void close() {
        registry.remove(open);
    }
}
