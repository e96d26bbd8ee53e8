package io.walroute.notify;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.util.Resource;
import com.nimbusds.jose.util.ResourceRetriever;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the public keys, from a file or by HTTP: no redirect is followed, and neither size nor time of an answer is without
 * bound. How often is the business of the cache above it.
 */
final class JwksFetch implements ResourceRetriever {
    private static final Logger LOG = LoggerFactory.getLogger(JwksFetch.class);
    private static final int MAX_BYTES = 512 << 10;
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final Duration ANSWER = Duration.ofSeconds(5);

    private final JwksLocation location;
    private final HttpClient http = HttpClient.newBuilder()
            .connectTimeout(CONNECT)
            .followRedirects(HttpClient.Redirect.NEVER)
            .version(HttpClient.Version.HTTP_1_1)
            .build();
    private volatile String problem;

    JwksFetch(JwksLocation location) {
        this.location = location;
    }

    /** @throws IllegalArgumentException if there are no keys in the file */
    void checkFile() {
        try {
            retrieveResource(location.url());
        } catch (IOException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    @Override
    public Resource retrieveResource(URL url) throws IOException {
        try {
            String text = location.isFile() ? readFile() : get();
            if (JWKSet.parse(text).getKeys().isEmpty()) {
                throw new IOException("there is no key in it");
            }
            problem = null;
            return new Resource(text, "application/json");
        } catch (IOException e) {
            throw failed(e.getMessage(), e);
        } catch (ParseException e) {
            throw failed("it is no JSON Web Key Set", e);
        }
    }

    private IOException failed(String why, Exception cause) {
        String found = "walroute.notify.jwt.jwks: the keys at " + location + " can't be read: " + why;
        if (problem == null) {
            LOG.warn("{}. JWTs are checked with the keys read before, as long as they are kept", found);
        }
        problem = found;
        return new IOException(found, cause);
    }

    private String readFile() throws IOException {
        Path file = Path.of(location.uri());
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new IOException("it is larger than " + MAX_BYTES + " bytes");
            }
            return Files.readString(file);
        } catch (java.nio.file.FileSystemException e) {
            throw new IOException("there is no such file, or it may not be read", e);
        }
    }

    private String get() throws IOException {
        CompletableFuture<HttpResponse<byte[]>> answer = null;
        try {
            HttpRequest request = HttpRequest.newBuilder(location.url().toURI())
                    .timeout(ANSWER)
                    .header("Accept", "application/json")
                    .build();
            answer = http.sendAsync(request, head -> new Bounded());
            // The request's own timeout ends with the first byte of the answer.
            HttpResponse<byte[]> got = answer.get(ANSWER.toMillis() + 500, TimeUnit.MILLISECONDS);
            if (got.statusCode() != 200) {
                throw new IOException("it answers with status " + got.statusCode());
            }
            return new String(got.body(), StandardCharsets.UTF_8);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            throw new IOException(
                    cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage(), e);
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new IOException("no answer in " + ANSWER.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (URISyntaxException e) {
            throw new IOException("it is no URL", e);
        }
    }

    /** Takes a body up to the bound, and hangs up beyond it. */
    private static final class Bounded implements BodySubscriber<byte[]> {
        private final CompletableFuture<byte[]> body = new CompletableFuture<>();
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private Flow.Subscription subscription;

        @Override
        public CompletionStage<byte[]> getBody() {
            return body;
        }

        @Override
        public void onSubscribe(Flow.Subscription to) {
            subscription = to;
            to.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(List<ByteBuffer> parts) {
            for (ByteBuffer part : parts) {
                byte[] some = new byte[part.remaining()];
                part.get(some);
                if (bytes.size() + some.length > MAX_BYTES) {
                    subscription.cancel();
                    body.completeExceptionally(new IOException("it is larger than " + MAX_BYTES + " bytes"));
                    return;
                }
                bytes.writeBytes(some);
            }
        }

        @Override
        public void onError(Throwable cause) {
            body.completeExceptionally(cause);
        }

        @Override
        public void onComplete() {
            body.complete(bytes.toByteArray());
        }
    }
}
