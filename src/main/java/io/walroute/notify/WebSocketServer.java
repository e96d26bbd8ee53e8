package io.walroute.notify;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.ServerWebSocket;
import io.vertx.core.net.KeyCertOptions;
import io.vertx.core.net.SocketAddress;
import java.net.BindException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.X509KeyManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Listens for WebSocket clients at {@code /ws}, and decides who may connect. */
final class WebSocketServer {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketServer.class);
    private static final String PATH = "/ws";
    /** A token of the greatest length, and room for what else clients send. */
    private static final int MAX_HEADER_BYTES = Authenticator.MAX_TOKEN_LENGTH + (8 << 10);

    /** Connections that have not become a WebSocket yet. */
    private static final int MAX_HANDSHAKES = 2000;
    /** How many of an address's connections may be on their way at once: one in so many. */
    private static final int HANDSHAKES_SHARE = 5;

    private static final int MIN_HANDSHAKES_PER_ADDRESS = 20;

    private static final long START_SECONDS = 15;
    private static final long FAREWELL_SECONDS = 5;
    private static final int EVENT_LOOPS = Math.min(4, Runtime.getRuntime().availableProcessors());
    private static final Set<String> LOOPBACK_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");

    private final NotifySettings settings;
    private final Hub hub;
    private final Authenticator authenticator;
    private final Tally perSubject;
    private final Tally perAddress;
    private final Tally handshakesPerAddress;
    private final NotifyMeters meters;
    private final Vertx vertx = Vertx.vertx(new VertxOptions()
            .setEventLoopPoolSize(EVENT_LOOPS)
            .setWorkerPoolSize(1)
            .setInternalBlockingPoolSize(1)
            .setUseDaemonThread(true));
    private final Set<WebSocketConnection> connections = ConcurrentHashMap.newKeySet();
    private final List<HttpServer> servers = new ArrayList<>();
    private final Map<HttpConnection, Handshake> handshakes = new ConcurrentHashMap<>();
    private volatile boolean stopping;

    WebSocketServer(NotifySettings settings, Hub hub, Authenticator authenticator, NotifyMeters meters) {
        this.settings = settings;
        this.hub = hub;
        this.authenticator = authenticator;
        perSubject = new Tally(settings.limits().connectionsPerSubject());
        int connectionsPerAddress = settings.limits().connectionsPerAddress();
        perAddress = new Tally(connectionsPerAddress);
        handshakesPerAddress = new Tally(handshakesPerAddress(connectionsPerAddress));
        this.meters = meters;
    }

    /** All of them only where an address may have any number of connections, as a proxy's has. */
    private static int handshakesPerAddress(int connectionsPerAddress) {
        return Math.min(MAX_HANDSHAKES, Math.max(MIN_HANDSHAKES_PER_ADDRESS, connectionsPerAddress / HANDSHAKES_SHARE));
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
        LOG.info(
                "WebSocket clients may connect to {}://{}:{}{}{}",
                settings.tls().isPresent() ? "wss" : "ws",
                settings.host(),
                port(),
                PATH,
                authenticator.isOn() ? ", with a token" : "");
        if (authenticator.isOn() && settings.tls().isEmpty() && !isLoopback()) {
            LOG.warn("Tokens and frames cross the network in the clear: set walroute.notify.tls.certificate, or let"
                    + " only a proxy that speaks TLS reach this port");
        }
    }

    private boolean isLoopback() {
        try {
            return InetAddress.getByName(settings.host()).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }

    private Future<HttpServer> listen() {
        long handshakeMillis = settings.limits().handshake().toMillis();
        var options = new HttpServerOptions()
                .setHost(settings.host())
                // -1 is a free port that the other event loops' servers share; 0 would be one for each.
                .setPort(settings.port() == 0 ? -1 : settings.port())
                .setMaxWebSocketFrameSize(settings.limits().messageBytes())
                .setMaxWebSocketMessageSize(settings.limits().messageBytes())
                .addWebSocketSubProtocol(Credentials.SUBPROTOCOL)
                .setMaxHeaderSize(MAX_HEADER_BYTES)
                .setMaxInitialLineLength(MAX_HEADER_BYTES)
                .setHttp2ClearTextEnabled(false)
                .setSslHandshakeTimeoutUnit(TimeUnit.MILLISECONDS)
                .setSslHandshakeTimeout(handshakeMillis)
                .setRegisterWebSocketWriteHandlers(false)
                // A deflater per connection costs more memory than everything else that a connection has.
                .setPerMessageWebSocketCompressionSupported(false)
                .setPerFrameWebSocketCompressionSupported(false)
                .setIdleTimeoutUnit(TimeUnit.MILLISECONDS)
                .setIdleTimeout((int) settings.closeIdleAfter().toMillis() * 2);
        settings.tls()
                .ifPresent(tls -> options.setSsl(true).setKeyCertOptions(KeyCertOptions.wrap((X509KeyManager)
                        tls.keyManagers().getKeyManagers()[0])));
        return vertx.createHttpServer(options)
                .connectionHandler(connection -> expectHandshake(connection, handshakeMillis))
                .requestHandler(this::answer)
                .listen();
    }

    /** Whoever connects and then says nothing, or a byte now and then, is no client. */
    private void expectHandshake(HttpConnection connection, long millis) {
        var handshake = new Handshake(address(connection));
        if (!handshakesPerAddress.take(handshake.address)) {
            meters.refused("limit");
            connection.close();
            return;
        }
        handshakes.put(connection, handshake);
        if (handshakes.size() > MAX_HANDSHAKES) {
            meters.refused("busy");
            endHandshake(connection);
            connection.close();
            return;
        }
        long timer = vertx.setTimer(millis, late -> {
            if (endHandshake(connection)) {
                connection.close();
            }
        });
        connection.closeHandler(closed -> {
            endHandshake(connection);
            vertx.cancelTimer(timer);
            handshake.closed = true;
            handshake.onClosed.run();
        });
    }

    /** @return false if it had ended before */
    private boolean endHandshake(HttpConnection connection) {
        Handshake ended = handshakes.remove(connection);
        if (ended != null) {
            handshakesPerAddress.release(ended.address);
        }
        return ended != null;
    }

    /** A connection on its way to a WebSocket. Belongs to the connection's event loop. */
    private static final class Handshake {
        private final String address;
        private boolean closed;
        private Runnable onClosed = () -> {};

        Handshake(String address) {
            this.address = address;
        }
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
            meters.refused("origin");
            refuse(request, 403, "this page's origin is not among walroute.notify.allow-origins");
        } else if (stopping) {
            refuse(request, 503, "the service stops. Connect again in a moment");
        } else {
            // What comes behind the request is the WebSocket's already.
            request.pause();
            identify(request)
                    .onSuccess(identity -> upgrade(request, identity))
                    .onFailure(refused -> refuse(request, (Refused) refused));
        }
    }

    private Future<Identity> identify(HttpServerRequest request) {
        if (!authenticator.isOn()) {
            return Future.succeededFuture(Identity.UNASKED);
        }
        try {
            String token = Credentials.of(request, settings.auth().queryToken())
                    .orElseThrow(
                            () -> Refused.unproven("a token is needed. Send the header Authorization: Bearer TOKEN,"
                                    + " or the subprotocols bearer and TOKEN"));
            var context = vertx.getOrCreateContext();
            Promise<Identity> here = Promise.promise();
            authenticator.authenticate(token).onComplete(checked -> context.runOnContext(then -> here.handle(checked)));
            return here.future();
        } catch (Refused refused) {
            return Future.failedFuture(refused);
        }
    }

    private void upgrade(HttpServerRequest request, Identity identity) {
        Handshake handshake = handshakes.get(request.connection());
        if (handshake == null) {
            return; // closed, by either side, while the token was checked
        }
        Place place;
        try {
            place = takePlace(handshake.address, identity);
        } catch (Refused refused) {
            refuse(request, refused);
            return;
        }
        // Vert.x makes a WebSocket of a closed connection, too, and never tells that one of its end.
        handshake.onClosed = place::leave;
        request.toWebSocket()
                .onSuccess(socket -> {
                    endHandshake(request.connection());
                    if (!handshake.closed) {
                        accept(socket, identity, place);
                    }
                })
                .onFailure(broken -> place.leave());
    }

    /** What a connection takes of the limits, until it leaves. */
    private static final class Place {
        private final AtomicBoolean left = new AtomicBoolean();
        private final Runnable onLeave;

        Place(Runnable onLeave) {
            this.onLeave = onLeave;
        }

        void leave() {
            if (!left.getAndSet(true)) {
                onLeave.run();
            }
        }
    }

    private Place takePlace(String address, Identity identity) throws Refused {
        Optional<String> subject = identity.claims().subject();
        if (!perAddress.take(address)) {
            throw new Refused(429, "your address has as many connections as it may");
        }
        if (subject.isPresent() && !perSubject.take(subject.get())) {
            perAddress.release(address);
            throw new Refused(429, "the token's subject has as many connections as it may");
        }
        var place = new Place(() -> {
            meters.clients(-1);
            perAddress.release(address);
            subject.ifPresent(perSubject::release);
        });
        if (meters.clients(1) > settings.maxConnections()) {
            place.leave();
            throw Refused.later("there are " + settings.maxConnections() + " connections already");
        }
        return place;
    }

    private static String address(HttpConnection connection) {
        SocketAddress address = connection.remoteAddress(true);
        if (address == null) {
            return "gone";
        }
        try {
            // A literal address: nothing is looked up.
            return address.hostAddress() == null
                    ? String.valueOf(address.host())
                    : Tally.key(InetAddress.getByName(address.hostAddress()));
        } catch (UnknownHostException e) {
            return address.hostAddress();
        }
    }

    private void refuse(HttpServerRequest request, Refused refused) {
        meters.refused(
                switch (refused.status()) {
                    case 400, 401 -> "token";
                    case 429 -> "limit";
                    default -> "busy";
                });
        LOG.debug("A WebSocket client was refused: {}", refused.getMessage());
        if (refused.status() == 401) {
            request.response().putHeader("WWW-Authenticate", "Bearer");
        }
        refuse(request, refused.status(), refused.getMessage());
    }

    private static void refuse(HttpServerRequest request, int status, String why) {
        if (request.response().closed()) {
            return;
        }
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

    private void accept(ServerWebSocket socket, Identity identity, Place place) {
        var connection = new WebSocketConnection(vertx, socket, hub, authenticator, identity, settings);
        connections.add(connection);
        connection.open(settings, () -> {
            connections.remove(connection);
            place.leave();
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
