package io.walroute.demo;

import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** A partner's endpoint on a loopback address: checks each webhook's signature, answers 204 or 401, counts, keeps the last few. */
public final class WebhookReceiver implements AutoCloseable {
    private static final int KEPT = 5;

    /** @param problem null for a genuine webhook */
    public record Received(String id, String body, String problem) {}

    private final WebhookCheck check;
    private final HttpServer server;
    private final Consumer<String> onWebhook;
    private final AtomicLong verified = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final Deque<Received> last = new ArrayDeque<>();

    private WebhookReceiver(Vertx vertx, String secret, Consumer<String> onWebhook) {
        check = new WebhookCheck(secret);
        this.onWebhook = onWebhook;
        server = vertx.createHttpServer().requestHandler(request -> request.bodyHandler(body -> take(request, body)));
    }

    /** @param secret {@code whsec_} and base64 */
    public static WebhookReceiver start(Vertx vertx, String secret) throws IOException {
        return start(vertx, secret, "127.0.0.1", 0, body -> {});
    }

    /**
     * @param secret {@code whsec_} and base64
     * @param port 0 for any
     * @param onWebhook is given the body of each genuine webhook, on the event loop
     */
    public static WebhookReceiver start(Vertx vertx, String secret, String host, int port, Consumer<String> onWebhook)
            throws IOException {
        var receiver = new WebhookReceiver(vertx, secret, onWebhook);
        await(receiver.server.listen(port, host).toCompletionStage().toCompletableFuture());
        return receiver;
    }

    public String url() {
        return "http://127.0.0.1:" + server.actualPort() + "/webhooks";
    }

    public long verified() {
        return verified.get();
    }

    public long refused() {
        return refused.get();
    }

    /** Oldest first. */
    public List<Received> last() {
        synchronized (last) {
            return new ArrayList<>(last);
        }
    }

    private void take(HttpServerRequest request, Buffer body) {
        String id = request.getHeader("webhook-id");
        String problem = check.problem(
                id,
                request.getHeader("webhook-timestamp"),
                request.getHeader("webhook-signature"),
                body.getBytes(),
                Instant.now());
        (problem == null ? verified : refused).incrementAndGet();
        if (problem == null) {
            onWebhook.accept(body.toString());
        }
        synchronized (last) {
            last.add(new Received(id, body.toString(), problem));
            if (last.size() > KEPT) {
                last.remove();
            }
        }
        if (problem == null) {
            request.response().setStatusCode(204).end();
        } else {
            request.response().setStatusCode(401).end(problem + "\n");
        }
    }

    @Override
    public void close() throws IOException {
        await(server.close().toCompletionStage().toCompletableFuture());
    }

    private static void await(java.util.concurrent.CompletableFuture<?> future) throws IOException {
        try {
            future.get(5, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("the webhook receiver: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
