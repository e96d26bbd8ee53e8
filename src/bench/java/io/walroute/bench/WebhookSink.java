package io.walroute.bench;

import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A receiver of webhooks that counts: requests, and the changes in them (the members of a JSON array, otherwise one). It checks no
 * signature, so that it costs little of the machine that the senders share with it. A process of its own, so that its memory and
 * its garbage are nobody else's.
 */
public final class WebhookSink implements AutoCloseable {
    private final Child child;
    private final int port;
    private final HttpClient http = HttpClient.newHttpClient();

    private WebhookSink(Child child, int port) {
        this.child = child;
        this.port = port;
    }

    /** @param delayMs how long it takes to answer */
    static WebhookSink start(Path folder, int delayMs) throws IOException {
        Path log = folder.resolve("webhook-sink.log");
        Child child =
                Child.start(Child.java("-Xmx128m", WebhookSink.class, Integer.toString(delayMs)), Map.of(), null, log);
        while (!child.output().contains("\n")) {
            child.check();
            LockSupport.parkNanos(20_000_000);
        }
        return new WebhookSink(child, Integer.parseInt(child.output().strip()));
    }

    int port() {
        return port;
    }

    /** Requests and changes so far. */
    long[] counts() throws IOException, InterruptedException {
        String[] words = http.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/counts"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body()
                .split(" ");
        return new long[] {Long.parseLong(words[0]), Long.parseLong(words[1])};
    }

    @Override
    public void close() {
        child.close();
    }

    // ---------------------------------------------------------------- the process

    private static long requests;
    private static long changes;

    public static void main(String[] args) throws Exception {
        long delay = Long.parseLong(args[0]);
        Vertx vertx = Vertx.vertx();
        var server = vertx.createHttpServer(
                        new HttpServerOptions().setHost("127.0.0.1").setPort(0).setTcpNoDelay(true))
                .requestHandler(request -> {
                    if (request.path().equals("/counts")) {
                        request.response().end(requests + " " + changes);
                    } else {
                        request.bodyHandler(body -> take(vertx, request, body, delay));
                    }
                })
                .listen()
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        System.out.println(server.actualPort());
        Thread.currentThread().join();
    }

    /** On the one event loop of the one server. */
    private static void take(Vertx vertx, HttpServerRequest request, Buffer body, long delay) {
        requests++;
        changes += members(body);
        if (delay == 0) {
            request.response().setStatusCode(204).end();
        } else {
            vertx.setTimer(delay, id -> request.response().setStatusCode(204).end());
        }
    }

    /** How many members a JSON array has; 1 for an object. */
    static int members(Buffer body) {
        if (body.length() == 0 || body.getByte(0) != '[') {
            return 1;
        }
        byte[] bytes = body.getBytes();
        int members = 0;
        int depth = 0;
        boolean text = false;
        for (int i = 0; i < bytes.length; i++) {
            byte b = bytes[i];
            if (text) {
                if (b == '\\') {
                    i++;
                } else if (b == '"') {
                    text = false;
                }
            } else if (b == '"') {
                text = true;
            } else if (b == '{' || b == '[') {
                members += depth == 1 && b == '{' ? 1 : 0;
                depth++;
            } else if (b == '}' || b == ']') {
                depth--;
            }
        }
        return members;
    }
}
