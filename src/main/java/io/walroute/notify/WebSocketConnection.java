package io.walroute.notify;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.ServerWebSocket;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One WebSocket: hands what the client says to the hub, one message at a time, and writes what is in its outbox while the
 * socket takes it. Runs on its event loop, except where said.
 */
final class WebSocketConnection {
    private static final int MAX_MISTAKES = 20;
    private static final short GOING_AWAY = 1001;
    private static final short TOO_BIG = 1009;
    private static final short POLICY_VIOLATION = 1008;

    private final Vertx vertx;
    private final Context context;
    private final ServerWebSocket socket;
    private final Hub hub;
    private final Outbox outbox;
    private final Client client;
    private final AtomicBoolean writing = new AtomicBoolean();
    private final Promise<Void> drained = Promise.promise();
    private long lastHeardNanos = System.nanoTime();
    private int mistakes;
    private boolean deaf;
    private boolean closing;
    private long pinger;

    WebSocketConnection(Vertx vertx, ServerWebSocket socket, Hub hub, NotifySettings settings) {
        this.vertx = vertx;
        context = vertx.getOrCreateContext();
        this.socket = socket;
        this.hub = hub;
        outbox = new Outbox(settings.queueFrames(), settings.queueBytes(), this::scheduleWriting);
        client = new Client(outbox, Claims.NONE);
    }

    /** @param onClosed runs once, after the socket is closed by either side */
    void open(NotifySettings settings, Runnable onClosed) {
        socket.textMessageHandler(this::heard);
        socket.binaryMessageHandler(binary -> mistaken(new ClientMessage.Malformed("a text frame is expected", null)));
        socket.pongHandler(pong -> lastHeardNanos = System.nanoTime());
        socket.drainHandler(ready -> write());
        socket.exceptionHandler(this::broken);
        pinger = vertx.setPeriodic(settings.pingEvery().toMillis(), tick -> pingOrClose(settings.closeIdleAfter()));
        socket.closeHandler(closed -> {
            vertx.cancelTimer(pinger);
            drained.tryComplete();
            hub.closed(client);
            onClosed.run();
        });
    }

    /** Vert.x closes by itself when the connection is lost, but not when a message is too large. */
    private void broken(Throwable cause) {
        if (!socket.isClosed() && !closing) {
            closing = true;
            socket.close(TOO_BIG, "a message may have " + WebSocketServer.MAX_MESSAGE_BYTES + " bytes");
        }
    }

    private void heard(String text) {
        lastHeardNanos = System.nanoTime();
        ClientMessage message;
        try {
            message = ClientMessage.parse(text);
        } catch (ClientMessage.Malformed mistake) {
            mistaken(mistake);
            return;
        }
        mistakes = 0;
        // One message at a time: a client that asks faster than it is answered waits, in its own socket.
        socket.pause();
        deaf = true;
        hub.receive(client, message, () -> context.runOnContext(answered -> hearAgain()));
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
        if (deaf && outbox.hasRoom() && !closing) {
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
        while (!socket.isClosed() && !socket.writeQueueFull()) {
            String text = outbox.poll();
            if (text == null) {
                if (closing) {
                    drained.tryComplete();
                }
                break;
            }
            // Not writeTextMessage: it splits what is long, and lets the next message in between the parts.
            socket.writeFinalTextFrame(text);
        }
        hearAgain();
    }

    private void pingOrClose(Duration closeIdleAfter) {
        if (System.nanoTime() - lastHeardNanos > closeIdleAfter.toNanos()) {
            socket.close(GOING_AWAY, "no sign of life for " + closeIdleAfter.toSeconds() + " s");
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
