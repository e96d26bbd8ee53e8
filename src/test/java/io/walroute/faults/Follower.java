package io.walroute.faults;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A WebSocket client that comes back whenever it is cut off, and resumes after the last frame that it saw. Thread-safe. */
final class Follower implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration RETRY = Duration.ofMillis(200);

    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    private final URI uri;
    private final String topic;
    private final List<String> events = new ArrayList<>();
    private final Thread thread = new Thread(this::follow, "follower");
    private volatile boolean closed;
    private volatile boolean live;
    private volatile int gaps;
    private volatile String position;

    Follower(int port, String topic) {
        uri = URI.create("ws://127.0.0.1:" + port + "/ws");
        this.topic = topic;
        thread.setDaemon(true);
        thread.start();
    }

    boolean isLive() {
        return live;
    }

    /** Event ids in the order of their frames, repeats included. */
    List<String> events() {
        synchronized (events) {
            return List.copyOf(events);
        }
    }

    /** Gap frames so far. */
    int gaps() {
        return gaps;
    }

    private void follow() {
        while (!closed) {
            var ended = new CountDownLatch(1);
            try {
                WebSocket socket = http.newWebSocketBuilder()
                        .connectTimeout(Duration.ofSeconds(2))
                        .buildAsync(uri, new Listener(ended))
                        .join();
                socket.sendText(subscription(), true).join();
                while (!closed && !ended.await(100, TimeUnit.MILLISECONDS)) {
                    // the listener does the work
                }
                socket.abort();
            } catch (CompletionException notThere) {
                pause();
            } catch (InterruptedException e) {
                return;
            }
            live = false;
        }
    }

    private void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(RETRY.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            closed = true;
        }
    }

    private String subscription() {
        String since = position == null ? "" : ",\"since\":\"" + position + "\"";
        return "{\"type\":\"subscribe\",\"id\":\"s\",\"topic\":\"" + topic + "\"" + since + "}";
    }

    private void frame(String text) {
        JsonNode frame;
        try {
            frame = JSON.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (frame.hasNonNull("position")) {
            position = frame.path("position").asText();
        }
        switch (frame.path("type").asText()) {
            case "subscribed" -> live = true;
            case "gap" -> gaps = gaps + 1;
            case "event" -> {
                synchronized (events) {
                    events.add(frame.at("/event/id").asText());
                }
            }
            default -> {}
        }
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();
        private final CountDownLatch ended;

        Listener(CountDownLatch ended) {
            this.ended = ended;
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                frame(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return CompletableFuture.completedStage(null);
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            ended.countDown();
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            ended.countDown();
        }
    }
}
