package io.walroute.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ApiTest {
    private static final String STOPPING = "503 {\"error\":\"the service is stopping\"}";

    private final Vertx vertx = Vertx.vertx();
    private final Api api = new Api();
    private final CountDownLatch entered = new CountDownLatch(1);
    private int port;

    @BeforeEach
    void listen() throws Exception {
        api.get("/quick", request -> Map.of("done", true));
        api.get("/slow", request -> {
            entered.countDown();
            new CountDownLatch(1).await();
            return Map.of();
        });
        Router router = Router.router(vertx);
        api.mount(router, new ApiAccess(true, "127.0.0.1", Optional.empty(), Set.of()));
        port = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get()
                .actualPort();
    }

    @AfterEach
    void close() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get();
    }

    private CompletableFuture<String> get(String path) {
        return HttpClient.newHttpClient()
                .sendAsync(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api" + path))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .thenApply(answer -> answer.statusCode() + " " + answer.body());
    }

    @Test
    void once_it_is_closed_calls_are_told_that_the_service_is_stopping_those_under_way_too() throws Exception {
        assertThat(get("/quick").get(20, TimeUnit.SECONDS)).isEqualTo("200 {\"done\":true}");
        CompletableFuture<String> slow = get("/slow");
        assertThat(entered.await(20, TimeUnit.SECONDS)).isTrue();

        api.close();

        assertThat(get("/quick").get(20, TimeUnit.SECONDS)).isEqualTo(STOPPING);
        assertThat(slow.get(20, TimeUnit.SECONDS)).isEqualTo(STOPPING);
    }
}
