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
import java.util.concurrent.locks.LockSupport;

/** A WebSocket client that comes back whenever it is cut off, and resumes after the last frame that it saw. Thread-safe. */
final class Follower implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration RETRY = Duration.ofMillis(200);

    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    private final URI uri;
    private final Wish wish;
    private final List<String> events = new ArrayList<>();
    private final Thread thread = new Thread(this::follow, "follower");
    private volatile boolean closed;
    private volatile boolean live;
    private volatile int gaps;
    private volatile boolean away;
    private volatile boolean hurried;
    private volatile CountDownLatch current;
    private volatile WebSocket connection;
    private volatile String position;
    /** Of the last event. */
    private long eventPosition;

    private volatile int backwards;

    Follower(int port, Wish wish) {
        uri = URI.create("ws://127.0.0.1:" + port + "/ws");
        this.wish = wish;
        thread.setDaemon(true);
        thread.start();
    }

    boolean isLive() {
        return live;
    }

    boolean isConnected() {
        return connection != null;
    }

    Oracle.Heard heard() {
        synchronized (events) {
            return new Oracle.Heard(wish, List.copyOf(events), gaps > 0, backwards);
        }
    }

    int count() {
        synchronized (events) {
            return events.size();
        }
    }

    /** Up to where it has got everything; 0 before it was live. */
    long position() {
        return position == null ? 0 : Long.parseLong(position);
    }

    /** The answer brings the position on, also where a filter lets nothing through. */
    void ping() {
        WebSocket to = connection;
        if (to != null) {
            to.sendText("{\"type\":\"ping\"}", true).exceptionally(cut -> null);
        }
    }

    /** Is slow no more. */
    void hurry() {
        hurried = true;
    }

    /**
     * The process that it was connected to is gone. The JDK's WebSocket doesn't always tell of that if its listener was slow:
     * it may fail in itself, and be silent from then on.
     */
    void serverIsGone() {
        CountDownLatch connected = current;
        if (connected != null) {
            end(connected);
        }
    }

    /** Cuts the connection and stays away. */
    void leave() {
        away = true;
    }

    void comeBack() {
        away = false;
    }

    /** Gap frames so far. */
    int gaps() {
        return gaps;
    }

    private void follow() {
        while (!closed) {
            if (away) {
                pause();
                continue;
            }
            var ended = new CountDownLatch(1);
            current = ended;
            try {
                WebSocket socket = http.newWebSocketBuilder()
                        .connectTimeout(Duration.ofSeconds(2))
                        .buildAsync(uri, new Listener(ended))
                        .join();
                socket.sendText(subscription(), true).join();
                connection = socket;
                while (!closed && !away && !ended.await(100, TimeUnit.MILLISECONDS)) {
                    // the listener does the work
                }
                end(ended);
                socket.abort();
            } catch (CompletionException notThere) {
                pause();
            } catch (InterruptedException e) {
                return;
            }
            live = false;
            connection = null;
        }
    }

    private void end(CountDownLatch connection) {
        synchronized (events) {
            connection.countDown();
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
        return "{\"type\":\"subscribe\",\"id\":\"s\",\"topic\":\"" + wish.topic() + "\"" + wish.members() + since + "}";
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
                    long at = Long.parseLong(position);
                    backwards += at > eventPosition ? 0 : 1;
                    eventPosition = at;
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
            synchronized (events) {
                if (ended.getCount() == 0) {
                    return null; // a connection that was left: what it still brings will come again
                }
                text.append(data);
                if (last) {
                    frame(text.toString());
                    text.setLength(0);
                }
            }
            if (!hurried) {
                LockSupport.parkNanos(wish.perFrame().toNanos());
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
