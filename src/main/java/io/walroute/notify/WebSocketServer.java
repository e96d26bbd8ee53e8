package io.walroute.notify;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.ServerWebSocket;
import java.net.BindException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Listens for WebSocket clients at {@code /ws}, and decides who may connect. */
final class WebSocketServer {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketServer.class);
    private static final String PATH = "/ws";
    static final int MAX_MESSAGE_BYTES = 64 << 10;
    private static final long START_SECONDS = 15;
    private static final long FAREWELL_SECONDS = 5;
    private static final int EVENT_LOOPS = Math.min(4, Runtime.getRuntime().availableProcessors());
    private static final Set<String> LOOPBACK_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");

    private final NotifySettings settings;
    private final Hub hub;
    private final NotifyMeters meters;
    private final Vertx vertx = Vertx.vertx(new VertxOptions()
            .setEventLoopPoolSize(EVENT_LOOPS)
            .setWorkerPoolSize(1)
            .setInternalBlockingPoolSize(1)
            .setUseDaemonThread(true));
    private final Set<WebSocketConnection> connections = ConcurrentHashMap.newKeySet();
    private final List<HttpServer> servers = new ArrayList<>();
    private volatile boolean stopping;

    WebSocketServer(NotifySettings settings, Hub hub, NotifyMeters meters) {
        this.settings = settings;
        this.hub = hub;
        this.meters = meters;
    }

    /** One server per event loop on one port: Vert.x deals connections out among them. */
    void start() throws InterruptedException {
        try {
            for (int i = 0; i < EVENT_LOOPS; i++) {
                servers.add(await(listen(), START_SECONDS));
            }
        } catch (ExecutionException | TimeoutException e) {
            vertx.close();
            throw new IllegalStateException(explain(e), e);
        }
        LOG.info("WebSocket clients may connect to ws://{}:{}{}", settings.host(), port(), PATH);
    }

    private Future<HttpServer> listen() {
        var options = new HttpServerOptions()
                .setHost(settings.host())
                // -1 is a free port that the other event loops' servers share; 0 would be one for each.
                .setPort(settings.port() == 0 ? -1 : settings.port())
                .setMaxWebSocketFrameSize(MAX_MESSAGE_BYTES)
                .setMaxWebSocketMessageSize(MAX_MESSAGE_BYTES)
                .setRegisterWebSocketWriteHandlers(false)
                // A deflater per connection costs more memory than everything else that a connection has.
                .setPerMessageWebSocketCompressionSupported(false)
                .setPerFrameWebSocketCompressionSupported(false)
                .setIdleTimeoutUnit(TimeUnit.MILLISECONDS)
                .setIdleTimeout((int) settings.closeIdleAfter().toMillis() * 2);
        return vertx.createHttpServer(options).requestHandler(this::answer).listen();
    }

    private String explain(Exception e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        if (cause instanceof BindException && String.valueOf(cause.getMessage()).contains("in use")) {
            return "WEBSOCKET_PORT " + settings.port() + " is in use by another process. Set another port or `off`.";
        }
        return "WEBSOCKET_PORT " + settings.port() + " can't be opened on " + settings.host() + ": "
                + (cause.getMessage() == null ? "no answer in " + START_SECONDS + " s" : cause.getMessage());
    }

    int port() {
        return servers.get(0).actualPort();
    }

    private void answer(HttpServerRequest request) {
        if (!request.path().equals(PATH)) {
            refuse(request, 404, "WebSocket clients connect to " + PATH);
        } else if (!"websocket".equalsIgnoreCase(request.getHeader("Upgrade"))) {
            refuse(request, 426, "this is for WebSocket clients");
        } else if (!mayConnect(request.getHeader("Origin"))) {
            refuse(request, 403, "this page's origin is not among walroute.notify.allow-origins");
        } else if (stopping || meters.clients(1) > settings.maxConnections()) {
            meters.clients(stopping ? 0 : -1);
            refuse(request, 503, "there are " + settings.maxConnections() + " connections already");
        } else {
            request.toWebSocket().onSuccess(this::accept).onFailure(broken -> meters.clients(-1));
        }
    }

    private static void refuse(HttpServerRequest request, int status, String why) {
        request.response()
                .setStatusCode(status)
                .putHeader("Connection", "close")
                .end(why + "\n");
    }

    /**
     * Any web page may make its reader's browser connect to a loopback port; only its origin tells. Deliberately not compared
     * with the Host header: a foreign name that was made to resolve to 127.0.0.1 would match.
     */
    private boolean mayConnect(String origin) {
        if (origin == null || settings.allowOrigins().contains(origin)) {
            return true;
        }
        try {
            String host = URI.create(origin).getHost();
            return host != null && LOOPBACK_NAMES.contains(host.toLowerCase(Locale.ROOT));
        } catch (IllegalArgumentException notAnOrigin) {
            return false;
        }
    }

    private void accept(ServerWebSocket socket) {
        var connection = new WebSocketConnection(vertx, socket, hub, settings);
        connections.add(connection);
        connection.open(settings, () -> {
            connections.remove(connection);
            meters.clients(-1);
        });
        if (stopping) {
            connection.goAway();
        }
    }

    /** Sends every client what waits for it and a farewell; those that don't take it in time are cut off. */
    void stop() throws InterruptedException {
        stopping = true;
        List<Future<Void>> farewells =
                connections.stream().map(WebSocketConnection::goAway).toList();
        try {
            await(Future.join(farewells), FAREWELL_SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{} WebSocket clients were cut off", connections.size());
        }
        try {
            await(vertx.close(), FAREWELL_SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("The WebSocket server did not stop in time", e);
        }
    }

    private static <T> T await(Future<T> future, long seconds)
            throws InterruptedException, ExecutionException, TimeoutException {
        return future.toCompletionStage().toCompletableFuture().get(seconds, TimeUnit.SECONDS);
    }
}
