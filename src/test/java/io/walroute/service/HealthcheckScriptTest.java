package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.walroute.testing.TestCa;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The image's HEALTHCHECK, run as the container runs it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HealthcheckScriptTest {
    private final Vertx vertx = Vertx.vertx();

    @BeforeEach
    void onlyWhereTheImagesToolIs() {
        Assumptions.assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/wget")),
                "the image has wget, this machine hasn't: nothing to try");
    }

    @AfterEach
    void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    private int serve(HttpServerOptions options, int status) {
        return vertx.createHttpServer(options)
                .requestHandler(request -> request.response()
                        .setStatusCode(request.path().equals("/observe/health/ready") ? status : 404)
                        .end())
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join()
                .actualPort();
    }

    private static int healthcheck(int port) throws IOException, InterruptedException {
        var script = new ProcessBuilder("sh", "docker/healthcheck").redirectErrorStream(true);
        script.environment().put("MANAGEMENT_PORT", Integer.toString(port));
        Process process = script.start();
        process.getInputStream().readAllBytes();
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    /** As Docker does, it is asked again: the first handshake of a busy machine may take longer than it waits. */
    private static void awaitHealthy(int port) {
        await().atMost(Duration.ofSeconds(60)).until(() -> healthcheck(port) == 0);
    }

    @Test
    void ready_by_http_is_healthy_and_not_ready_or_nobody_there_is_not() throws Exception {
        awaitHealthy(serve(new HttpServerOptions(), 200));
        assertThat(healthcheck(serve(new HttpServerOptions(), 503))).isEqualTo(1);
        assertThat(healthcheck(ServiceRig.freePort())).isEqualTo(1);
    }

    @Test
    void ready_by_https_with_a_certificate_for_the_outside_name_is_healthy(@TempDir Path folder) throws Exception {
        var identity = new TestCa(folder, "ca").issue("walroute.example.com", "dns:walroute.example.com");
        var tls = new HttpServerOptions()
                .setSsl(true)
                .setKeyCertOptions(new PemKeyCertOptions()
                        .setCertPath(identity.certificate().toString())
                        .setKeyPath(identity.key().toString()));
        awaitHealthy(serve(tls, 200));
        assertThat(healthcheck(serve(tls, 503))).isEqualTo(1);
    }
}
