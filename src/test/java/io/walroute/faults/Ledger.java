package io.walroute.faults;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A webhook receiver that writes down which changes it accepted, in the order in which it did. Thread-safe. */
final class Ledger implements AutoCloseable {
    /** How requests are answered. */
    enum Mode {
        OK,
        ERROR_500,
        TOO_MANY_429,
        /** Accepted, and answered after two seconds. */
        SLOW,
        /** Read, and the connection closed instead of an answer: not accepted. */
        CUT,
        /** Not answered until the mode changes: then accepted. */
        HOLD
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final List<String> accepted = new ArrayList<>();
    private final List<Runnable> held = new ArrayList<>();
    private final int port;
    private volatile Mode mode = Mode.OK;
    private volatile long seen;
    private volatile long lastTimestamp;

    Ledger() {
        port = vertx.createHttpServer()
                .requestHandler(request -> request.body().onSuccess(body -> received(request, body)))
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join()
                .actualPort();
    }

    int port() {
        return port;
    }

    /** Requests that came, accepted or not. */
    long seen() {
        return seen;
    }

    /** Seconds since 1970 in the last request's {@code webhook-timestamp}. */
    long lastTimestamp() {
        return lastTimestamp;
    }

    void mode(Mode next) {
        List<Runnable> release;
        synchronized (accepted) {
            mode = next;
            release = next == Mode.HOLD ? List.of() : List.copyOf(held);
            if (next != Mode.HOLD) {
                held.clear();
            }
        }
        release.forEach(answer -> vertx.runOnContext(due -> answer.run()));
    }

    /** Event ids as they were accepted, repeats included. */
    List<String> accepted() {
        synchronized (accepted) {
            return List.copyOf(accepted);
        }
    }

    int count() {
        synchronized (accepted) {
            return accepted.size();
        }
    }

    void clear() {
        synchronized (accepted) {
            accepted.clear();
            held.clear();
        }
    }

    @SuppressWarnings("NonAtomicOperationOnVolatileField") // one event loop writes it
    private void received(HttpServerRequest http, Buffer body) {
        seen = seen + 1;
        lastTimestamp = Long.parseLong(http.getHeader("webhook-timestamp"));
        switch (mode) {
            case OK -> accept(http, body);
            case ERROR_500 -> http.response().setStatusCode(500).end();
            case TOO_MANY_429 ->
                http.response().setStatusCode(429).putHeader("Retry-After", "1").end();
            case SLOW -> vertx.setTimer(2_000, due -> accept(http, body));
            case CUT -> http.connection().close();
            case HOLD -> {
                synchronized (accepted) {
                    held.add(() -> accept(http, body));
                }
            }
        }
    }

    private void accept(HttpServerRequest http, Buffer body) {
        // Whoever has gone away meanwhile never learns of it, and will send it again.
        if (http.response().closed()) {
            return;
        }
        note(body);
        http.response().setStatusCode(204).end();
    }

    private void note(Buffer body) {
        try {
            JsonNode event = JSON.readTree(body.getBytes()).path("data");
            synchronized (accepted) {
                accepted.add(event.path("id").asText());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        try {
            vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new IllegalStateException("the receiver did not stop", e);
        }
    }
}
