package io.walroute.hook;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpHeaders;
import io.walroute.change.ChangeEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends changes to one receiver, and decides whether and when an attempt is made: batch, gate (concurrency, rate, pause),
 * circuit. One call of {@link #send} is at most one attempt; trying again is the route's error handler's.
 *
 * <p>Public methods may be called from any thread and never block. Everything else happens on this client's event loop,
 * which is why no field but the volatile ones is guarded.
 */
final class HookClient {
    private static final Logger LOG = LoggerFactory.getLogger(HookClient.class);
    // Encoded once, not with each request.
    private static final CharSequence ID = HttpHeaders.createOptimized(WebhookSignature.ID);
    private static final CharSequence TIMESTAMP = HttpHeaders.createOptimized(WebhookSignature.TIMESTAMP);
    private static final CharSequence SIGNATURE = HttpHeaders.createOptimized(WebhookSignature.SIGNATURE);
    private static final CharSequence AGENT = HttpHeaders.createOptimized("walroute");
    private static final CharSequence JSON = HttpHeaders.createOptimized("application/json");

    /** How often a batch that waits for more is looked at. */
    private static final long LOOK_MS = 5;
    /** So long after a full batch the next is expected to fill as fast. */
    private static final long FLOW_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int GONE = 410;
    private static final int TOO_MANY_REQUESTS = 429;

    private final Vertx vertx;
    private final Context eventLoop;
    private final HookSettings settings;
    private final HookTransport transport;
    private final Signer signer;
    private final Failures failures;
    private final HookMeters meters;
    private final CircuitBreaker circuit;
    private final Gate<Delivery> gate;
    private final Promise<Void> whenClosed = Promise.promise();

    private final Queue<Offer> offers = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean takingOffers = new AtomicBoolean();
    private final Map<Shape, Batch> batches = new HashMap<>();
    private long fullNanos = System.nanoTime() - FLOW_NANOS;
    private boolean wakeScheduled;
    private boolean closed;
    private long openUntilNanos;
    private CircuitBreaker.State circuitState = CircuitBreaker.State.CLOSED;
    private volatile String lastFailure = "";
    private volatile String disabled;
    private volatile Instant pausedUntil = Instant.EPOCH;

    HookClient(
            Vertx vertx,
            HookSettings settings,
            MeterRegistry registry,
            HostLookup.Resolver resolver,
            WorkerExecutor workers,
            HttpClientOptions options) {
        this.vertx = vertx;
        this.settings = settings;
        eventLoop = vertx.getOrCreateContext();
        transport = new HookTransport(vertx, settings, resolver, workers, options);
        signer = new Signer(settings.secrets());
        failures = new Failures(settings);
        meters = new HookMeters(registry, settings.name());
        circuit = newCircuit();
        meters.watch(circuit);
        meters.watchDisabled(() -> disabled != null);
        double rate = settings.ratePerSecond();
        gate = new Gate<>(settings.concurrency(), rate > 0 ? new TokenBucket(rate, System.nanoTime()) : null);
    }

    private CircuitBreaker newCircuit() {
        var config = CircuitBreakerConfig.custom()
                .slidingWindowSize(20)
                .minimumNumberOfCalls(10)
                .failureRateThreshold(50)
                .waitDurationInOpenState(settings.circuitWait())
                .permittedNumberOfCallsInHalfOpenState(3)
                // A receiver that refuses one change is there, and may take the next.
                .recordException(e -> !(e instanceof HookException hook && hook.isRefusal()))
                .build();
        return CircuitBreaker.of("hook:" + settings.name(), config);
    }

    /**
     * To be called after whatever may turn the circuit. Its own events would tell, too, but whoever listens to one kind of them gets one
     * made of every answer.
     */
    private void lookAtCircuit() {
        CircuitBreaker.State now = circuit.getState();
        if (now == circuitState) {
            return;
        }
        circuitState = now;
        meters.circuitTurned(now);
        switch (now) {
            case OPEN -> {
                meters.opened();
                openUntilNanos = System.nanoTime() + settings.circuitWait().toNanos();
                LOG.warn(
                        "hook:{} circuit open: changes are parked, next try in {} s. Last failure: {}",
                        settings.name(),
                        settings.circuitWait().toSeconds(),
                        lastFailure);
            }
            case CLOSED -> LOG.info("hook:{} circuit closed: the receiver answers again", settings.name());
            default -> {}
        }
    }

    /**
     * @param alone whether the change goes in a request of its own even in batch mode
     * @return fails with {@link HookException}; completed on the event loop
     */
    Future<Void> send(ChangeEvent event, Shape shape, boolean alone) {
        Promise<Void> promise = Promise.promise();
        // Computed here and kept by the event: the event loop is no place for megabytes of JSON.
        if (shape.body() == BodyKind.CHANGES) {
            event.toJson();
        }
        offers.add(new Offer(event, shape, alone, promise));
        takeOffersSoon();
        return promise.future();
    }

    private record Offer(ChangeEvent event, Shape shape, boolean alone, Promise<Void> promise) {}

    /** One task for all that come until it runs. From any thread. */
    private void takeOffersSoon() {
        if (!takingOffers.getAndSet(true)) {
            eventLoop.runOnContext(now -> takeOffers());
        }
    }

    private void takeOffers() {
        // Cleared before looking: what is offered after the last look schedules again.
        takingOffers.set(false);
        for (Offer offer = offers.poll(); offer != null; offer = offers.poll()) {
            try {
                accept(offer);
            } catch (RuntimeException | Error e) {
                // Whatever it is: an exchange that never ends would hold its key, and at last the slot, for ever.
                offer.promise().tryFail(failures.of(e));
                takeOffersSoon();
                throw e;
            }
        }
    }

    /** Why the receiver's address will be refused; empty if it won't or if its name can't be resolved now. */
    Future<Optional<String>> addressProblem() {
        Promise<Optional<String>> promise = Promise.promise();
        eventLoop.runOnContext(now -> transport
                .addressProblem()
                .map(problem -> problem.map(reason -> failures.of(reason).getMessage()))
                .otherwise(Optional.empty())
                .onComplete(promise));
        return promise.future();
    }

    CircuitBreaker.State circuit() {
        return circuit.getState();
    }

    /** Why changes are parked without an attempt, as one line; empty if they aren't. */
    Optional<String> degraded() {
        if (disabled != null) {
            return Optional.of("hook:" + settings.name() + " " + disabled);
        }
        if (HookMeters.isOpen(circuit)) {
            return Optional.of("hook:" + settings.name() + " circuit open, last failure: " + lastFailure);
        }
        return longPause().map(HookUnavailableException::getMessage);
    }

    /** Forgets a 410, a long pause and an open circuit. Returns why nothing was sent; empty if nothing was in the way. */
    Optional<String> resume() {
        Optional<String> was = degraded();
        eventLoop.runOnContext(now -> {
            disabled = null;
            pausedUntil = Instant.EPOCH;
            openUntilNanos = System.nanoTime();
            if (circuit.getState() != CircuitBreaker.State.CLOSED) {
                circuit.transitionToClosedState();
                lookAtCircuit();
            }
            LOG.info("hook:{} was resumed by an operator", settings.name());
        });
        return was;
    }

    /** Fails what waits; what is under way fails as its connection closes. May be called again. */
    Future<Void> close() {
        eventLoop.runOnContext(now -> {
            if (closed) {
                return;
            }
            closed = true;
            meters.close();
            List.copyOf(batches.values()).forEach(each -> gate.add(take(each)));
            gate.clear().forEach(each -> each.fail(stopping()));
            transport.close().onComplete(whenClosed);
        });
        return whenClosed.future();
    }

    private void accept(Offer offer) {
        if (offer.shape().isBatched() && !offer.alone()) {
            collect(offer.event(), offer.shape(), offer.promise());
        } else {
            enqueue(new Delivery(List.of(offer.event()), offer.shape(), List.of(offer.promise())));
        }
    }

    private void collect(ChangeEvent event, Shape shape, Promise<Void> promise) {
        Batch batch = batches.get(shape);
        if (batch != null && !batch.hasRoomFor(event)) {
            enqueue(take(batch));
            batch = null;
        }
        if (batch == null) {
            batch = open(shape);
        }
        batch.add(event, promise);
        if (batch.isFull()) {
            fullNanos = System.nanoTime();
            enqueue(take(batch));
        }
    }

    private Batch open(Shape shape) {
        var batch = new Batch(shape);
        batches.put(shape, batch);
        waitForMore(batch, shape.batchDelay().toMillis());
        return batch;
    }

    private void waitForMore(Batch batch, long leftMs) {
        long lookMs = batch.shape.body() == BodyKind.CHANGES ? Math.min(LOOK_MS, leftMs) : leftMs;
        batch.timer = vertx.setTimer(lookMs, due -> {
            if (lookMs == leftMs || isAwaited()) {
                enqueue(take(batch));
            } else {
                waitForMore(batch, leftMs - lookMs);
            }
        });
    }

    /**
     * Whether no more will come before what is here has been answered. Where batches were filling a moment ago and now nothing is
     * even under way, those who send wait themselves: for the order of their keys, and for room. Each change of a row that changes
     * often would cost them the whole delay. Requests that are counted out to the receiver are not spent on it.
     */
    private boolean isAwaited() {
        return settings.ratePerSecond() <= 0 && gate.isIdle() && System.nanoTime() - fullNanos < FLOW_NANOS;
    }

    private Delivery take(Batch batch) {
        vertx.cancelTimer(batch.timer);
        batches.remove(batch.shape);
        return batch.toDelivery();
    }

    private void enqueue(Delivery delivery) {
        Optional<HookUnavailableException> refusal = refusal();
        if (refusal.isPresent()) {
            refuse(delivery, refusal.get());
            return;
        }
        gate.add(delivery);
        startNext();
    }

    /** A loop, not a recursion: an opening circuit may refuse thousands that wait. */
    private void startNext() {
        Delivery next;
        while ((next = gate.next(System.nanoTime())) != null) {
            Optional<HookUnavailableException> refusal = refusal().or(this::noPermission);
            if (refusal.isPresent()) {
                gate.finished();
                refuse(next, refusal.get());
            } else {
                attempt(next);
            }
        }
        long waitNanos = gate.waitNanos(System.nanoTime());
        if (waitNanos > 0 && !wakeScheduled) {
            wakeScheduled = true;
            vertx.setTimer(1 + TimeUnit.NANOSECONDS.toMillis(waitNanos), due -> {
                wakeScheduled = false;
                startNext();
            });
        }
    }

    private void refuse(Delivery delivery, HookUnavailableException why) {
        meters.refused(delivery.events().size());
        delivery.fail(why);
    }

    private void attempt(Delivery delivery) {
        long startNanos = System.nanoTime();
        // Composed, so that whatever is thrown becomes the attempt's failure.
        Future<Answer> answer = Future.succeededFuture(delivery).compose(this::post);
        answer.onComplete(answered -> {
            var took = Duration.ofNanos(System.nanoTime() - startNanos);
            gate.finished();
            if (answered.failed()) {
                failed(delivery, failures.of(answered.cause()), outcome(answered.cause()), took);
            } else if (answered.result().delivered()) {
                meters.attempted("delivered", took);
                circuit.onSuccess(took.toNanos(), TimeUnit.NANOSECONDS);
                lookAtCircuit();
                delivery.delivered();
            } else {
                HookException failure =
                        failures.of(answered.result(), delivery.events().size(), Instant.now());
                heed(failure);
                failed(delivery, failure, failure.getStatus() / 100 + "xx", took);
            }
            startNext();
        });
    }

    private void failed(Delivery delivery, HookException failure, String outcome, Duration took) {
        meters.attempted(outcome, took);
        if (closed) {
            circuit.releasePermission();
            delivery.fail(stopping());
            return;
        }
        lastFailure = failure.getProblem();
        circuit.onError(took.toNanos(), TimeUnit.NANOSECONDS, failure);
        lookAtCircuit();
        delivery.fail(failure);
    }

    private static String outcome(Throwable cause) {
        if (cause instanceof TimeoutException) {
            return "timeout";
        }
        return cause instanceof HookTransport.RefusedAddressException ? "refused" : "connection";
    }

    /** 410 is the receiver's wish to be left alone; Retry-After holds for the endpoint, not for this change only. */
    private void heed(HookException failure) {
        if (failure.getStatus() == GONE && disabled == null) {
            disabled =
                    "is disabled: its receiver answered 410 Gone, changes are parked. If it is there again: walroute resume"
                            + " hook:" + settings.name() + ". If it moved, correct walroute.hook." + settings.name()
                            + ".url and restart; if it is gone for good, take it out of the routes";
            LOG.error("hook:{} {}", settings.name(), disabled);
        }
        Duration wait = failure.getRetryAfter();
        if (wait == null || failure.getStatus() < 500 && failure.getStatus() != TOO_MANY_REQUESTS) {
            return;
        }
        if (wait.compareTo(settings.timeout()) <= 0) {
            gate.pauseUntil(System.nanoTime() + wait.toNanos());
        } else {
            Instant until = Instant.now().plus(wait);
            boolean first = longPause().isEmpty();
            // Answers come in any order: a short one must not end a longer pause.
            pausedUntil = until.isAfter(pausedUntil) ? until : pausedUntil;
            if (first) {
                LOG.warn("hook:{} asked for a pause: changes are parked until {}", settings.name(), pausedUntil);
            }
        }
    }

    private Optional<HookUnavailableException> refusal() {
        if (closed) {
            return Optional.of(stopping());
        }
        if (disabled != null) {
            return Optional.of(new HookUnavailableException(settings.name(), disabled, null));
        }
        if (HookMeters.isOpen(circuit) && openUntilNanos - System.nanoTime() > 0) {
            return Optional.of(circuitOpen());
        }
        return longPause();
    }

    private Optional<HookUnavailableException> noPermission() {
        boolean permitted = circuit.tryAcquirePermission();
        lookAtCircuit();
        return permitted ? Optional.empty() : Optional.of(circuitOpen());
    }

    private Optional<HookUnavailableException> longPause() {
        if (pausedUntil.equals(Instant.EPOCH)) {
            return Optional.empty();
        }
        var left = Duration.between(Instant.now(), pausedUntil);
        if (left.isNegative() || left.isZero()) {
            return Optional.empty();
        }
        return Optional.of(new HookUnavailableException(
                settings.name(), "is paused until " + pausedUntil + ", as its receiver asked", left));
    }

    private HookUnavailableException circuitOpen() {
        return new HookUnavailableException(settings.name(), "circuit is open, last failure: " + lastFailure, null);
    }

    private HookUnavailableException stopping() {
        return new HookUnavailableException(settings.name(), "is stopping", null);
    }

    private Future<Answer> post(Delivery delivery) {
        byte[] body = delivery.body();
        String webhookId = delivery.webhookId();
        long seconds = Instant.now().getEpochSecond();
        String timestamp = Long.toString(seconds);
        String signature = signer.sign(webhookId, seconds, body);
        return transport.post(
                headers -> {
                    headers.set(HttpHeaders.USER_AGENT, AGENT)
                            .set(HttpHeaders.CONTENT_TYPE, JSON)
                            .set(ID, webhookId)
                            .set(TIMESTAMP, timestamp)
                            .set(SIGNATURE, signature);
                    settings.headers().forEach(headers::set);
                },
                body);
    }
}
