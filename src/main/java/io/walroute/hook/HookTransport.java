package io.walroute.hook;

import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.MultiMap;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.SocketAddress;
import java.net.ConnectException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Makes single attempts against one receiver: over pooled connections, to an address that the guard has seen, within one
 * time limit for everything, reading no more of the answer than it needs. Follows no redirect and repeats nothing.
 *
 * <p>An attempt has its answer once the answer's head is whole: its status decides, whatever becomes of the body.
 *
 * <p>Used on one event loop only, so an attempt's callbacks never run at the same time.
 */
final class HookTransport {
    /** More of an answer is not read. */
    static final int MAX_ANSWER_BYTES = 64 * 1024;
    // Only the beginning is kept for the error's text.
    private static final int KEPT_ANSWER_BYTES = 4 * 1024;
    private static final Buffer NOTHING = Buffer.buffer();
    private static final int IDLE_CONNECTION_SECONDS = 30;

    private final Vertx vertx;
    private final HookSettings settings;
    private final AddressGuard guard;
    private final HostLookup lookup;
    private final HttpClient client;
    private final String path;
    /** In the order of their ends of time: all have the same limit. */
    private final Set<Attempt> attempts = new LinkedHashSet<>();

    private boolean expiryScheduled;
    private List<InetAddress> lastAsked;
    private Future<List<SocketAddress>> lastPermitted;

    /** @param options what the caller wants of TLS; the rest is set here */
    HookTransport(
            Vertx vertx,
            HookSettings settings,
            HostLookup.Resolver resolver,
            WorkerExecutor workers,
            HttpClientOptions options) {
        this.vertx = vertx;
        this.settings = settings;
        guard = settings.guard();
        lookup = new HostLookup(settings.host(), resolver, workers);
        client = vertx.httpClientBuilder()
                .with(new HttpClientOptions(options)
                        .setProtocolVersion(HttpVersion.HTTP_1_1)
                        .setKeepAlive(true)
                        .setKeepAliveTimeout(IDLE_CONNECTION_SECONDS)
                        .setConnectTimeout((int) settings.timeout().toMillis())
                        .setVerifyHost(true))
                .with(new PoolOptions().setHttp1MaxSize(settings.concurrency()))
                // Each attempt tells its own failure; without a handler Vert.x logs it once more.
                .withConnectHandler(connection -> connection.exceptionHandler(told -> {}))
                .build();
        String rawPath = settings.url().getRawPath();
        String query = settings.url().getRawQuery();
        path = (rawPath == null || rawPath.isEmpty() ? "/" : rawPath) + (query == null ? "" : "?" + query);
    }

    /**
     * Fails with what Vert.x or the JDK gives, {@link TimeoutException} or {@link RefusedAddressException}.
     *
     * @param headers puts the request's headers into the map; must not fail
     * @param body belongs to the attempt
     */
    Future<Answer> post(Consumer<MultiMap> headers, byte[] body) {
        var attempt = new Attempt(headers, Buffer.buffer(Unpooled.wrappedBuffer(body)));
        attempt.start();
        return attempt.promise.future();
    }

    /** What each attempt would fail with if it were made now; fails if the host can't be resolved. */
    Future<Optional<RefusedAddressException>> addressProblem() {
        return lookup.addresses()
                .map(addresses -> permitted(addresses).cause() instanceof RefusedAddressException e
                        ? Optional.of(e)
                        : Optional.empty());
    }

    /** Which addresses the guard permits follows from them alone: the latest question is remembered with its answer. */
    private Future<List<SocketAddress>> permitted(List<InetAddress> addresses) {
        if (!addresses.equals(lastAsked)) {
            lastPermitted = ask(addresses);
            lastAsked = addresses;
        }
        return lastPermitted;
    }

    private Future<List<SocketAddress>> ask(List<InetAddress> addresses) {
        List<SocketAddress> permitted = new ArrayList<>();
        String reason = "it has no address";
        for (InetAddress each : addresses) {
            Optional<String> refusal = guard.refusal(each, settings.encrypted());
            if (refusal.isEmpty()) {
                permitted.add(SocketAddress.inetSocketAddress(settings.port(), each.getHostAddress()));
            } else {
                reason = refusal.get();
            }
        }
        return permitted.isEmpty()
                ? Future.failedFuture(new RefusedAddressException(reason))
                : Future.succeededFuture(permitted);
    }

    Future<Void> close() {
        return client.close();
    }

    /** The guard refused each of the host's addresses. */
    static final class RefusedAddressException extends Exception {
        RefusedAddressException(String message) {
            super(message, null, false, false);
        }
    }

    /** One timer for all: one for each attempt costs as much as to sign its body, and nearly all are cancelled. */
    private void scheduleExpiry(long nanos) {
        if (!expiryScheduled) {
            expiryScheduled = true;
            vertx.setTimer(1 + TimeUnit.NANOSECONDS.toMillis(nanos), due -> {
                expiryScheduled = false;
                expireDue();
            });
        }
    }

    private void expireDue() {
        boolean all = false;
        try {
            // A copy, since those that end leave, and others begin at once in their place.
            for (Attempt each : List.copyOf(attempts)) {
                long leftNanos = each.expiresNanos - System.nanoTime();
                if (leftNanos > 0) {
                    scheduleExpiry(leftNanos);
                    break;
                }
                attempts.remove(each); // first: were its end to throw, it would come up again and again
                each.expire();
            }
            all = true;
        } finally {
            // Whatever one's end threw, the others' time must not go on for ever.
            if (!all) {
                scheduleExpiry(0);
            }
        }
    }

    private final class Attempt {
        private final long expiresNanos = System.nanoTime() + settings.timeout().toNanos();
        private final Promise<Answer> promise = Promise.promise();
        private final Consumer<MultiMap> headers;
        private final Buffer body;
        private Buffer kept = NOTHING;
        private HttpClientRequest request;
        private HttpClientResponse response;
        private int read;
        private boolean over;

        private Attempt(Consumer<MultiMap> headers, Buffer body) {
            this.headers = headers;
            this.body = body;
        }

        private void start() {
            attempts.add(this);
            scheduleExpiry(settings.timeout().toNanos());
            lookup.addresses()
                    .compose(HookTransport.this::permitted)
                    .onSuccess(addresses -> connect(addresses, 0))
                    .onFailure(this::fail);
        }

        private void connect(List<SocketAddress> addresses, int index) {
            if (over) {
                return;
            }
            client.request(options(addresses.get(index))).onSuccess(this::send).onFailure(cause -> {
                if (cause instanceof ConnectException && index + 1 < addresses.size()) {
                    connect(addresses, index + 1);
                } else {
                    fail(cause);
                }
            });
        }

        /** Connects to the address that was checked; the name goes into Host, SNI and the certificate's check. */
        private RequestOptions options(SocketAddress address) {
            return new RequestOptions()
                    .setMethod(HttpMethod.POST)
                    .setSsl(settings.encrypted())
                    .setServer(address)
                    .setHost(settings.url().getHost())
                    .setPort(settings.port())
                    .setURI(path)
                    .setFollowRedirects(false);
        }

        private void send(HttpClientRequest connected) {
            request = connected;
            if (over) {
                request.reset();
                return;
            }
            headers.accept(request.headers());
            request.response().onSuccess(this::answered).onFailure(this::fail);
            request.send(body);
        }

        private void answered(HttpClientResponse head) {
            response = head;
            if (over) {
                return;
            }
            head.exceptionHandler(cut -> finish());
            head.endHandler(end -> finish());
            head.handler(this::read);
        }

        private void read(Buffer chunk) {
            read += chunk.length();
            if (kept == NOTHING) {
                kept = Buffer.buffer();
            }
            int room = KEPT_ANSWER_BYTES - kept.length();
            if (room > 0) {
                kept.appendBuffer(chunk, 0, Math.min(room, chunk.length()));
            }
            if (read > MAX_ANSWER_BYTES) {
                finish();
                request.reset();
            }
        }

        /** The status decides; an answer whose body is cut, endless or slow has one all the same. */
        private void expire() {
            if (over) {
                return;
            }
            if (response != null) {
                finish();
            } else {
                fail(new TimeoutException());
            }
            if (request != null) {
                request.reset();
            }
        }

        private void finish() {
            if (end()) {
                promise.complete(new Answer(response.statusCode(), response.getHeader("Retry-After"), kept.getBytes()));
            }
        }

        private void fail(Throwable cause) {
            if (end()) {
                promise.fail(cause);
            }
        }

        private boolean end() {
            if (over) {
                return false;
            }
            over = true;
            attempts.remove(this);
            return true;
        }
    }
}
