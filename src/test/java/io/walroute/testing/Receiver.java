package io.walroute.testing;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * A real HTTP server on loopback that takes webhooks: it keeps every request and answers as told, 204 unless told
 * otherwise. Thread-safe.
 */
public final class Receiver implements AutoCloseable {
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final HttpServerOptions options;
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final Queue<Answer> next = new ConcurrentLinkedQueue<>();
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicInteger mostOpen = new AtomicInteger();
    private final AtomicInteger connections = new AtomicInteger();
    private volatile Function<Request, Answer> otherwise = request -> Answer.status(204);
    private volatile HttpServer server;
    private final int port;

    private Receiver(HttpServerOptions options, int port) {
        this.options = options;
        this.port = listen(port);
    }

    public static Receiver start() {
        return new Receiver(new HttpServerOptions(), 0);
    }

    /** At a port that an earlier one had: a receiver that comes back. */
    public static Receiver start(int port) {
        return new Receiver(new HttpServerOptions(), port);
    }

    public static Receiver start(HttpServerOptions options) {
        return new Receiver(options, 0);
    }

    private int listen(int wanted) {
        var listening = vertx.createHttpServer(options)
                .connectionHandler(connection -> connections.incrementAndGet())
                .requestHandler(request -> request.body().onSuccess(body -> received(request, body)))
                .listen(wanted, "127.0.0.1");
        server = listening.toCompletionStage().toCompletableFuture().join();
        return server.actualPort();
    }

    public int port() {
        return port;
    }

    public URI url() {
        return URI.create((options.isSsl() ? "https" : "http") + "://127.0.0.1:" + port + "/hooks?tenant=7");
    }

    /** How the next requests are answered, one each; after them {@link #otherwise} holds. */
    public Receiver answer(Answer... answers) {
        next.addAll(List.of(answers));
        return this;
    }

    public Receiver otherwise(Answer answer) {
        return otherwise(request -> answer);
    }

    /** Called on the server's thread: must not block. */
    public Receiver otherwise(Function<Request, Answer> answer) {
        otherwise = answer;
        return this;
    }

    /** All so far, as they came. */
    public List<Request> requests() {
        return requests;
    }

    /** How many requests were unanswered at the same time, at most. */
    public int mostAtOnce() {
        return mostOpen.get();
    }

    public int connections() {
        return connections.get();
    }

    private void received(HttpServerRequest http, Buffer body) {
        var headers = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
        http.headers().forEach(header -> headers.put(header.getKey(), header.getValue()));
        var request = new Request(
                http.method().name(),
                http.uri(),
                headers,
                body.getBytes(),
                http.remoteAddress().port());
        mostOpen.accumulateAndGet(open.incrementAndGet(), Math::max);
        requests.add(request);
        Answer told = next.poll();
        Answer answer = told == null ? otherwise.apply(request) : told;
        if (answer.delay().isZero()) {
            respond(http, answer);
        } else {
            vertx.setTimer(answer.delay().toMillis(), due -> respond(http, answer));
        }
    }

    private void respond(HttpServerRequest http, Answer answer) {
        open.decrementAndGet();
        if (http.response().closed()) {
            return;
        }
        switch (answer.manner()) {
            case WHOLE -> head(http, answer).end(Buffer.buffer(answer.body()));
            case CUT -> http.connection().close();
            case CUT_IN_BODY ->
                head(http, answer)
                        .putHeader("Content-Length", "1000000")
                        .write(Buffer.buffer(answer.body()))
                        .onComplete(written -> http.connection().close());
            case DRIP -> drip(head(http, answer).setChunked(true));
        }
    }

    private static HttpServerResponse head(HttpServerRequest http, Answer answer) {
        var response = http.response().setStatusCode(answer.status());
        answer.headers().forEach(response::putHeader);
        return response;
    }

    private void drip(HttpServerResponse response) {
        response.write("x");
        vertx.setPeriodic(20, id -> {
            if (response.closed()) {
                vertx.cancelTimer(id);
            } else {
                response.write("x");
            }
        });
    }

    @Override
    public void close() {
        try {
            vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new IllegalStateException("the receiver did not stop", e);
        }
    }

    /**
     * One request as it came.
     *
     * @param headers by name, upper and lower case alike
     * @param clientPort tells connections apart
     */
    public record Request(String method, String uri, Map<String, String> headers, byte[] body, int clientPort) {
        public String header(String name) {
            return headers.get(name);
        }

        public String text() {
            return new String(body, StandardCharsets.UTF_8);
        }
    }

    /** How a request is answered: at once, after a delay, whole, in drops for ever, or not at all. */
    public record Answer(int status, Map<String, String> headers, byte[] body, Duration delay, Manner manner) {
        public enum Manner {
            WHOLE,
            CUT,
            CUT_IN_BODY,
            DRIP
        }

        public static Answer status(int status) {
            return new Answer(status, Map.of(), new byte[0], Duration.ZERO, Manner.WHOLE);
        }

        /** Closes the connection without a word. */
        public static Answer cut() {
            return status(0).in(Manner.CUT);
        }

        /** So late that only a time limit ends the waiting. */
        public static Answer never() {
            return status(200).after(Duration.ofHours(1));
        }

        public Answer with(String header, String value) {
            var more = new TreeMap<>(headers);
            more.put(header, value);
            return new Answer(status, more, body, delay, manner);
        }

        public Answer body(String text) {
            return new Answer(status, headers, text.getBytes(StandardCharsets.UTF_8), delay, manner);
        }

        public Answer after(Duration wait) {
            return new Answer(status, headers, body, wait, manner);
        }

        public Answer in(Manner other) {
            return new Answer(status, headers, body, delay, other);
        }
    }
}
