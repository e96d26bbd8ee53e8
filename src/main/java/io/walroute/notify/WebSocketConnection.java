package io.walroute.notify;

import io.netty.buffer.Unpooled;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.ServerWebSocket;
import io.vertx.core.http.WebSocketFrame;
import io.vertx.core.http.WebSocketFrameType;
import io.vertx.core.http.impl.WebSocketInternal;
import io.vertx.core.http.impl.ws.WebSocketFrameImpl;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One WebSocket: hands what the client says to the hub, one message at a time, and writes what is in its outbox while the
 * socket takes it. Runs on its event loop, except where said.
 */
final class WebSocketConnection {
    private static final int MAX_UNFLUSHED = 64;
    private static final int MAX_MISTAKES = 20;
    private static final short GOING_AWAY = 1001;
    private static final short TOO_BIG = 1009;
    private static final short POLICY_VIOLATION = 1008;
    /** As HTTP's 401: the token no longer proves anything. */
    private static final short UNPROVEN = 4401;

    private static final short TRY_AGAIN_LATER = 1013;

    private static final Duration CUT_AFTER = Duration.ofSeconds(5);
    private static final Duration LONGEST_TIMER = Duration.ofHours(1);

    private final Vertx vertx;
    private final Context context;
    private final ServerWebSocket socket;
    private final Hub hub;
    private final Authenticator authenticator;
    private final int maxMessageBytes;
    private final Rate rate;
    private Identity identity;
    private final Outbox outbox;
    private final Client client;
    private final AtomicBoolean writing = new AtomicBoolean();
    private final Promise<Void> drained = Promise.promise();
    private Runnable onClosed;
    private long lastHeardNanos = System.nanoTime();
    private int mistakes;
    /** The message that is coming in, as far as it has come; null between two. */
    private ByteArrayOutputStream parts;

    private boolean binary;
    private boolean deaf;
    private boolean closing;
    /** Nothing more is written: the client may no longer see it. */
    private boolean cut;

    private boolean ended;
    private boolean answering;
    private boolean tooFast;
    private long pinger;
    private long expiryTimer = -1;
    private long cutter = -1;

    WebSocketConnection(
            Vertx vertx,
            ServerWebSocket socket,
            Hub hub,
            Authenticator authenticator,
            Identity identity,
            NotifySettings settings) {
        this.vertx = vertx;
        context = vertx.getOrCreateContext();
        this.socket = socket;
        this.hub = hub;
        this.authenticator = authenticator;
        this.identity = identity;
        maxMessageBytes = settings.limits().messageBytes();
        rate = new Rate(settings.limits().messagesPerSecond(), System.nanoTime());
        outbox = new Outbox(settings.queueFrames(), settings.queueBytes(), this::scheduleWriting);
        client = new Client(outbox, identity.claims());
        client.whenTooSlow(() -> context.runOnContext(
                now -> cutOff(TRY_AGAIN_LATER, "too slow: reconnect, and subscribe since the last position")));
    }

    /** @param onClosed runs once, after the socket is closed by either side */
    void open(NotifySettings settings, Runnable onClosed) {
        this.onClosed = onClosed;
        // Not textMessageHandler: it fails at a message whose first frame is empty, and is deaf from then on.
        socket.frameHandler(this::received);
        socket.pongHandler(pong -> lastHeardNanos = System.nanoTime());
        socket.drainHandler(ready -> write());
        socket.exceptionHandler(this::broken);
        pinger = vertx.setPeriodic(settings.pingEvery().toMillis(), tick -> pingOrClose(settings.closeIdleAfter()));
        expireInTime();
        socket.closeHandler(closed -> closed());
        if (socket instanceof WebSocketInternal internal) {
            // One system call for all that is written in one go.
            internal.channelHandlerContext().pipeline().addFirst(new FlushConsolidationHandler(MAX_UNFLUSHED, true));
        }
    }

    private void closed() {
        if (ended) {
            return;
        }
        ended = true;
        vertx.cancelTimer(pinger);
        vertx.cancelTimer(expiryTimer);
        vertx.cancelTimer(cutter);
        cut = true;
        drained.tryComplete();
        hub.closed(client);
        onClosed.run();
    }

    /** Vert.x closes by itself when the connection is lost, but not when a message is too large. */
    private void broken(Throwable cause) {
        if (!socket.isClosed() && !closing) {
            closing = true;
            socket.close(TOO_BIG, "a message may have " + maxMessageBytes + " bytes");
        }
    }

    private void received(WebSocketFrame frame) {
        if (frame.isPing()) {
            counted();
        } else if (frame.isText() || frame.isBinary() || frame.isContinuation()) {
            part(frame);
        }
    }

    /** The protocol's order of frames, and the size of each, are checked already. */
    private void part(WebSocketFrame frame) {
        if (closing) {
            return;
        }
        if (!frame.isContinuation()) {
            binary = frame.isBinary();
            parts = new ByteArrayOutputStream(0);
        }
        byte[] bytes = frame.binaryData().getBytes();
        if (parts.size() + bytes.length > maxMessageBytes) {
            parts = null;
            broken(null);
            return;
        }
        parts.writeBytes(bytes);
        if (!frame.isFinal()) {
            counted();
            return;
        }
        String text = parts.toString(StandardCharsets.UTF_8);
        parts = null;
        if (binary) {
            mistaken(new ClientMessage.Malformed("a text frame is expected", null));
        } else {
            heard(text);
        }
    }

    private void heard(String text) {
        lastHeardNanos = System.nanoTime();
        counted();
        ClientMessage message;
        try {
            message = ClientMessage.parse(text);
        } catch (ClientMessage.Malformed mistake) {
            mistaken(mistake);
            return;
        }
        // One message at a time: a client that asks faster than it is answered waits, in its own socket.
        socket.pause();
        deaf = true;
        answering = true;
        if (message instanceof ClientMessage.Auth auth && authenticator.isOn()) {
            authenticator
                    .authenticate(auth.token())
                    .onComplete(checked -> context.runOnContext(then -> renewed(checked)));
        } else {
            handOver(message);
        }
    }

    private void handOver(ClientMessage message) {
        mistakes = 0;
        hub.receive(
                client,
                message,
                () -> context.runOnContext(answered -> {
                    answering = false;
                    hearAgain();
                }));
    }

    private void renewed(AsyncResult<Identity> checked) {
        if (cut || closing || socket.isClosed()) {
            return;
        }
        if (checked.succeeded()
                && checked.result().claims().subject().equals(identity.claims().subject())) {
            identity = checked.result();
            expireInTime();
            handOver(new ClientMessage.Renewed(identity));
            return;
        }
        String why = checked.succeeded()
                ? "the token is another subject's. Open another connection for it"
                : checked.cause().getMessage();
        answering = false;
        mistaken(new ClientMessage.Malformed(why, null));
        hearAgain();
    }

    private void expireInTime() {
        if (cut || socket.isClosed()) {
            return;
        }
        vertx.cancelTimer(expiryTimer);
        if (identity.expires() == null) {
            return;
        }
        Duration left = Duration.between(Instant.now(), identity.expires());
        if (left.toMillis() <= 0) {
            cutOff(UNPROVEN, "the token is expired");
        } else {
            // Not in one leap: the clock may be set meanwhile.
            long wait = Math.min(left.toMillis() + 1, LONGEST_TIMER.toMillis());
            expiryTimer = vertx.setTimer(wait, due -> expireInTime());
        }
    }

    /** What waits is not written any more, unlike in {@link #finish}. */
    private void cutOff(short code, String why) {
        closing = true;
        cut = true;
        drained.tryComplete();
        hub.closed(client);
        socket.close(code, why);
        // A client that doesn't read leaves the close frame where it is, behind what it didn't read before.
        cutter = vertx.setTimer(CUT_AFTER.toMillis(), late -> {
            if (socket instanceof WebSocketInternal internal) {
                internal.channelHandlerContext().close();
            }
        });
    }

    /** One message, of whatever kind: a client that sends too many is not heard for a moment. */
    private void counted() {
        long waitNanos = rate.take(System.nanoTime());
        if (waitNanos > 0 && !tooFast) {
            tooFast = true;
            deaf = true;
            socket.pause();
            vertx.setTimer(Math.max(1, waitNanos / 1_000_000), passed -> {
                tooFast = false;
                hearAgain();
            });
        }
    }

    private void mistaken(ClientMessage.Malformed mistake) {
        outbox.put(ServerMessage.error(mistake.getMessage(), mistake.id()));
        if (++mistakes >= MAX_MISTAKES) {
            finish(POLICY_VIOLATION, MAX_MISTAKES + " malformed messages in a row");
        } else if (!outbox.hasRoom()) {
            socket.pause();
            deaf = true;
        }
    }

    private void hearAgain() {
        if (deaf && !answering && !tooFast && outbox.hasRoom() && !closing) {
            deaf = false;
            socket.resume();
        }
    }

    /** From any thread. */
    private void scheduleWriting() {
        if (!writing.getAndSet(true)) {
            context.runOnContext(scheduled -> write());
        }
    }

    private void write() {
        // Cleared before looking: what is put in after the last look schedules again.
        writing.set(false);
        while (!cut && !socket.isClosed() && !socket.writeQueueFull()) {
            Text text = outbox.poll();
            if (text == null) {
                if (closing) {
                    drained.tryComplete();
                }
                break;
            }
            // Not writeTextMessage: it splits what is long, and lets the next message in between the parts.
            // The bytes are shared by all that get the text.
            socket.writeFrame(
                    new WebSocketFrameImpl(WebSocketFrameType.TEXT, Unpooled.wrappedBuffer(text.utf8()), true));
        }
        hearAgain();
    }

    private void pingOrClose(Duration closeIdleAfter) {
        if (socket.isClosed()) {
            closed(); // Vert.x doesn't tell of it if the connection was lost while it became a WebSocket
        } else if (System.nanoTime() - lastHeardNanos > closeIdleAfter.toNanos()) {
            socket.close(GOING_AWAY, "no sign of life for " + closeIdleAfter.toSeconds() + " s");
        } else if (!closing && !identity.stands().getAsBoolean()) {
            cutOff(UNPROVEN, "the token is no longer taken");
        } else if (!socket.writeQueueFull()) {
            socket.writePing(Buffer.buffer());
        }
    }

    /** Writes what waits, then closes. From any thread; the future ends when the socket is closed. */
    Future<Void> goAway() {
        Promise<Void> gone = Promise.promise();
        context.runOnContext(now -> finish(GOING_AWAY, "going away, reconnect").onComplete(gone));
        return gone.future();
    }

    private Future<Void> finish(short code, String reason) {
        closing = true;
        socket.pause();
        write();
        return drained.future()
                .compose(done -> socket.isClosed() ? Future.succeededFuture() : socket.close(code, reason));
    }
}
