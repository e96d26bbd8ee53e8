package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.ServerWebSocket;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SubscriberTest {
    private final Vertx vertx = Vertx.vertx();
    private final List<JsonObject> received = new CopyOnWriteArrayList<>();
    private final List<ServerWebSocket> sockets = new CopyOnWriteArrayList<>();

    @AfterEach
    void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    @Test
    void it_connects_when_the_server_comes_counts_frames_and_resumes_after_a_cut() {
        int port = FreePort.any();
        try (var subscriber = new Subscriber(vertx, port, List.of("a", "b"))) {
            subscriber.connect();
            serve(port);
            await().until(() -> received.size() == 2);
            assertThat(received)
                    .extracting(JsonObject::encode)
                    .containsExactly(
                            "{\"type\":\"subscribe\",\"id\":\"s1\",\"topic\":\"a\"}",
                            "{\"type\":\"subscribe\",\"id\":\"s2\",\"topic\":\"b\"}");
            send("{\"type\":\"subscribed\",\"id\":\"s1\",\"position\":\"10\"}");
            send("{\"type\":\"subscribed\",\"id\":\"s2\",\"position\":\"10\"}");
            send("{\"type\":\"event\",\"topic\":\"a\",\"event\":{\"pad\":\"" + "x".repeat(1_000_000)
                    + "\"},\"position\":\"11\"}");
            send("{\"type\":\"event\",\"topic\":\"a\",\"event\":{},\"position\":\"12\"}");
            send("{\"type\":\"gap\",\"topic\":\"b\",\"reason\":\"test\"}");
            await().until(() -> subscriber.gaps() == 1);
            assertThat(subscriber.frames()).isEqualTo(Map.of("a", 2L, "b", 0L));
            received.clear();
            sockets.get(0).close();
            await().until(() -> received.size() == 2);
            assertThat(received).extracting(frame -> frame.getString("since")).containsExactly("12", "10");
        }
    }

    private void send(String frame) {
        sockets.get(sockets.size() - 1).writeTextMessage(frame);
    }

    private void serve(int port) {
        HttpServer server = vertx.createHttpServer().webSocketHandler(socket -> {
            sockets.add(socket);
            socket.textMessageHandler(text -> received.add(new JsonObject(text)));
        });
        server.listen(port, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join();
    }
}
