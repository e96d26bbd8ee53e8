package io.walroute.demo;

import io.vertx.core.Vertx;
import io.vertx.core.http.WebSocket;
import io.vertx.core.http.WebSocketClient;
import io.vertx.core.http.WebSocketClientOptions;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * A WebSocket client that follows some topics and counts their frames. When the connection ends it connects again, with
 * growing pauses, and resumes after the last position it saw.
 *
 * <p>Counts may be read from any thread; everything else runs on one event loop of Vert.x.
 */
public final class Subscriber implements AutoCloseable {
    private static final int BIGGEST_MESSAGE = 64 << 20;
    private static final long FIRST_PAUSE_MILLIS = 200;
    private static final long LONGEST_PAUSE_MILLIS = 5000;

    private final Vertx vertx;
    private final WebSocketClient client;
    private final String host;
    private final int port;
    private final Consumer<JsonObject> onEvent;
    private final Map<String, String> positions = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> frames = new ConcurrentHashMap<>();
    private final LongAdder gaps = new LongAdder();
    private final List<String> topics;
    private long pauseMillis = FIRST_PAUSE_MILLIS;
    private volatile boolean closed;
    private volatile boolean connected;

    public Subscriber(Vertx vertx, int port, List<String> topics) {
        this(vertx, "127.0.0.1", port, topics, frame -> {});
    }

    /** @param onEvent is given each event frame, on the event loop */
    public Subscriber(Vertx vertx, String host, int port, List<String> topics, Consumer<JsonObject> onEvent) {
        this.vertx = vertx;
        this.host = host;
        this.port = port;
        this.onEvent = onEvent;
        this.topics = List.copyOf(topics);
        client = vertx.createWebSocketClient(new WebSocketClientOptions()
                .setMaxFrameSize(BIGGEST_MESSAGE)
                .setMaxMessageSize(BIGGEST_MESSAGE)
                .setConnectTimeout(2000));
        topics.forEach(topic -> frames.put(topic, new LongAdder()));
    }

    public Subscriber connect() {
        client.connect(port, host, "/ws").onSuccess(this::follow).onFailure(e -> connectLater());
        return this;
    }

    /** Event frames by topic. */
    public Map<String, Long> frames() {
        Map<String, Long> counts = new TreeMap<>();
        frames.forEach((topic, count) -> counts.put(topic, count.sum()));
        return counts;
    }

    /** How often the server said that something may have been missed. */
    public long gaps() {
        return gaps.sum();
    }

    /** Whether every subscription has been live. */
    public boolean isSubscribed() {
        return positions.keySet().containsAll(topics);
    }

    public boolean isConnected() {
        return connected;
    }

    private void follow(WebSocket socket) {
        if (closed) {
            socket.close();
            return;
        }
        connected = true;
        pauseMillis = FIRST_PAUSE_MILLIS;
        socket.textMessageHandler(text -> take(new JsonObject(text)));
        socket.exceptionHandler(e -> {});
        socket.closeHandler(ended -> {
            connected = false;
            connectLater();
        });
        for (int i = 0; i < topics.size(); i++) {
            var subscribe = new JsonObject()
                    .put("type", "subscribe")
                    .put("id", "s" + (i + 1))
                    .put("topic", topics.get(i));
            String since = positions.get(topics.get(i));
            socket.writeTextMessage((since == null ? subscribe : subscribe.put("since", since)).encode());
        }
    }

    private void take(JsonObject frame) {
        String topic = frame.getString("topic");
        switch (frame.getString("type", "")) {
            case "event" -> {
                onEvent.accept(frame);
                frames.computeIfAbsent(topic, t -> new LongAdder()).increment();
                positions.put(topic, String.valueOf(frame.getValue("position")));
            }
            case "gap" -> gaps.increment();
            case "subscribed" -> remember(frame);
            default -> {
                // Pongs and errors don't count.
            }
        }
    }

    /** A topic without a frame so far resumes where its subscription began. */
    private void remember(JsonObject subscribed) {
        String id = subscribed.getString("id", "");
        if (id.matches("s\\d+") && subscribed.getValue("position") != null) {
            int index = Integer.parseInt(id.substring(1)) - 1;
            positions.putIfAbsent(topics.get(index), String.valueOf(subscribed.getValue("position")));
        }
    }

    private void connectLater() {
        if (closed) {
            return;
        }
        vertx.setTimer(pauseMillis, timer -> {
            if (!closed) {
                connect();
            }
        });
        pauseMillis = Math.min(LONGEST_PAUSE_MILLIS, pauseMillis * 2);
    }

    @Override
    public void close() {
        closed = true;
        client.close();
    }
}
