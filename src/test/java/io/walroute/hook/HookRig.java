package io.walroute.hook;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.http.HttpClientOptions;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import java.net.InetAddress;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;

/** A Camel context with one receiver, {@code hook:partner}, and changes to send to it. */
final class HookRig implements AutoCloseable {
    static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    final CamelContext camel = new DefaultCamelContext();
    final HookComponent component;
    private AsyncProducer producer;
    private final Map<String, AsyncProducer> others = new HashMap<>();

    private HookRig(HookSettings settings, HostLookup.Resolver resolver, HttpClientOptions options) {
        component = new HookComponent(Map.of(settings.name(), settings), resolver, options);
        camel.getRegistry().bind("meters", registry);
        camel.addComponent("hook", component);
        camel.start();
    }

    /** @param more keys and values that follow {@code walroute.hook.partner.} */
    static HookRig to(URI url, String... more) {
        return new HookRig(settings(url, more), InetAddress::getAllByName, new HttpClientOptions());
    }

    static HookRig to(URI url, HostLookup.Resolver resolver, HttpClientOptions options, String... more) {
        return new HookRig(settings(url, more), resolver, options);
    }

    private static HookSettings settings(URI url, String... more) {
        var keys = new HashMap<>(
                Map.of("url", url.toString(), "secret", SECRET, "allow-networks", "127.0.0.0/8", "timeout", "20s"));
        for (int i = 0; i < more.length; i += 2) {
            keys.put(more[i], more[i + 1]);
        }
        List<String> problems = new ArrayList<>();
        HookSettings settings = HookSettings.parse("partner", keys, problems);
        if (settings == null) {
            throw new IllegalArgumentException(problems.toString());
        }
        return settings;
    }

    static ChangeEvent change(long id) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", id);
        row.put("price_wei", "1000000000000000000");
        return ChangeEvent.builder(
                        Operation.UPDATE,
                        "public",
                        "listings",
                        Instant.parse("2026-01-31T12:00:00.123456Z"),
                        new Version(1, new Lsn(0x17D5A48 + id), 0))
                .key("id", id)
                .newRow(row)
                .build();
    }

    /** Starts an attempt and returns at once. */
    CompletableFuture<Exchange> start(Object body) {
        return start(body, Map.of());
    }

    CompletableFuture<Exchange> start(Object body, Map<String, Object> headers) {
        Exchange exchange = producer().getEndpoint().createExchange();
        exchange.getMessage().setBody(body);
        exchange.getMessage().setHeaders(new HashMap<>(headers));
        var done = new CompletableFuture<Exchange>();
        producer().process(exchange, sync -> done.complete(exchange));
        return done;
    }

    /** As {@link #start(Object)}, by a step with options. */
    CompletableFuture<Exchange> startBy(String uri, Object body) {
        AsyncProducer by = others.computeIfAbsent(uri, this::newProducer);
        Exchange exchange = by.getEndpoint().createExchange();
        exchange.getMessage().setBody(body);
        var done = new CompletableFuture<Exchange>();
        by.process(exchange, sync -> done.complete(exchange));
        return done;
    }

    private AsyncProducer newProducer(String uri) {
        try {
            AsyncProducer made = camel.getEndpoint(uri).createAsyncProducer();
            made.start();
            return made;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** One attempt; the exchange's exception, null if it was delivered. */
    HookException attempt(Object body) {
        return (HookException) start(body)
                .orTimeout(30, java.util.concurrent.TimeUnit.SECONDS)
                .join()
                .getException();
    }

    private synchronized AsyncProducer producer() {
        if (producer == null) {
            producer = newProducer("hook:partner");
        }
        return producer;
    }

    double attempts(String outcome) {
        var counter = registry.find("walroute.hook.attempts")
                .tags("endpoint", "partner", "outcome", outcome)
                .counter();
        return counter == null ? 0 : counter.count();
    }

    double circuitCount(String of) {
        return registry.get("walroute.circuit." + of)
                .tag("endpoint", "partner")
                .counter()
                .count();
    }

    double circuitGauge() {
        return registry.get("walroute.circuit.open")
                .tag("endpoint", "partner")
                .gauge()
                .value();
    }

    @Override
    public void close() {
        camel.stop();
    }

    static boolean signed(io.walroute.testing.Receiver.Request request, String... secrets) {
        return WebhookSignature.verify(
                List.of(secrets), request.headers(), request.body(), Duration.ofMinutes(5), Instant.now());
    }
}
