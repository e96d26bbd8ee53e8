package io.walroute.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.admin.ManagementToken;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Calls {@code /api} of the service that the settings describe. Whatever goes wrong is a {@link Failure} of one line; the
 * service's own errors keep their text.
 */
final class ManagementClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final Duration ANSWER = Duration.ofMinutes(2);

    private final Settings settings;
    private final String server;
    private final Duration answer;
    private final HttpClient http;
    private final String scheme;

    /** @throws Failure if there is no port to call */
    ManagementClient(Settings settings) {
        this(settings, ANSWER);
    }

    /**
     * @param answer how long to wait for one
     * @throws Failure if there is no port to call
     */
    ManagementClient(Settings settings, Duration answer) {
        this.settings = settings;
        this.answer = answer;
        int port = settings.managementPort()
                .orElseThrow(() -> new Failure(
                        Failure.MISCONFIGURED,
                        "MANAGEMENT_PORT is off, so the service can't be asked. Set it to a port and restart"
                                + " the service"));
        if (port == 0) {
            throw new Failure(
                    Failure.MISCONFIGURED,
                    "MANAGEMENT_PORT is 0, so nobody knows which port the service took. Set it to a fixed one");
        }
        server = host(settings.managementHost()) + ":" + port;
        scheme = settings.managementTls().isPresent() ? "https" : "http";
        http = http(settings);
    }

    private static HttpClient http(Settings settings) {
        var client = HttpClient.newBuilder()
                .connectTimeout(CONNECT)
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(HttpClient.Builder.NO_PROXY); // it is this machine, and the token is nobody else's
        try {
            settings.managementTls().ifPresent(tls -> client.sslContext(tls.trustingItsOwn()));
        } catch (IllegalArgumentException e) {
            throw new Failure(Failure.MISCONFIGURED, java.util.List.of(e.getMessage()), e);
        }
        return client.build();
    }

    /** Bound to all addresses, it is also on this one. */
    private static String host(String boundTo) {
        if (boundTo.equals("0.0.0.0") || boundTo.equals("::")) {
            return "127.0.0.1";
        }
        return boundTo.contains(":") ? "[" + boundTo + "]" : boundTo;
    }

    /** @param path below {@code /api} */
    JsonNode get(String path, Map<String, String> query) {
        String search = query.entrySet().stream()
                .map(each -> encode(each.getKey()) + "=" + encode(each.getValue()))
                .collect(Collectors.joining("&"));
        HttpRequest.Builder request =
                request(path + (search.isEmpty() ? "" : "?" + search)).GET();
        token().ifPresent(token -> request.header("Authorization", "Bearer " + token.value()));
        return answer(request.build());
    }

    /** @param path below {@code /api} */
    JsonNode post(String path, Map<String, Object> body) {
        ManagementToken token = token().orElseThrow(this::noToken);
        try {
            return answer(request(path)
                    .header("Authorization", "Bearer " + token.value())
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(body)))
                    .build());
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("no JSON form: " + body, e);
        }
    }

    /** Whether something answers on the port, whatever it is. */
    boolean isReachable() {
        try {
            http.send(request("").GET().build(), HttpResponse.BodyHandlers.discarding());
            return true;
        } catch (IOException e) {
            return !(e instanceof ConnectException || e instanceof HttpConnectTimeoutException);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(scheme + "://" + server + "/api" + path))
                .timeout(answer);
    }

    private Optional<ManagementToken> token() {
        if (settings.managementToken().isPresent()) {
            return settings.managementToken().map(ManagementToken::ofSetting);
        }
        try {
            return ManagementToken.read(settings.managementTokenFile());
        } catch (IOException e) {
            throw new Failure(Failure.FAILED, java.util.List.of(e.getMessage()), e);
        }
    }

    /** The service makes its token when it starts: without one it never ran here, or elsewhere. */
    private Failure noToken() {
        return isReachable()
                ? new Failure(
                        Failure.FAILED,
                        "The service at " + server + " needs the token, and there is none in "
                                + settings.managementTokenFile()
                                + ". Use the service's own --home and walroute.audit.url, or set"
                                + " walroute.management.token")
                : unreachable(null);
    }

    private Failure unreachable(Exception cause) {
        return new Failure(
                Failure.FAILED,
                java.util.List.of("The service does not answer at " + server
                        + " (walroute.management.host, MANAGEMENT_PORT). Is it running? Start it: walroute run"),
                cause);
    }

    private JsonNode answer(HttpRequest request) {
        HttpResponse<String> response;
        try {
            response = http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (ConnectException | HttpConnectTimeoutException e) {
            throw unreachable(e);
        } catch (HttpTimeoutException e) {
            throw new Failure(
                    Failure.FAILED,
                    java.util.List.of("The service at " + server + " took the call and gave no answer within "
                            + answer.toSeconds() + " s. Look into its log; whether it was done is unknown"),
                    e);
        } catch (IOException e) {
            throw new Failure(
                    Failure.FAILED,
                    java.util.List.of("The connection to the service at " + server + " broke: " + line(e)
                            + ". Whether the call was done is unknown; it may be repeated"),
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Failure(Failure.FAILED, "interrupted");
        }
        return checked(response);
    }

    private JsonNode checked(HttpResponse<String> response) {
        JsonNode body;
        try {
            body = JSON.readTree(response.body());
        } catch (JsonProcessingException e) {
            body = null;
        }
        if (response.statusCode() == 200 && body != null) {
            return body;
        }
        String error = body == null ? "" : body.path("error").asText("");
        if (error.isEmpty()) {
            throw new Failure(
                    Failure.FAILED,
                    "What answers at " + server + " (HTTP " + response.statusCode()
                            + ") is not walroute. Correct MANAGEMENT_PORT, or stop what took its port");
        }
        if (response.statusCode() == 401) {
            throw new Failure(
                    Failure.FAILED,
                    "The service at " + server + " refuses the token: " + error
                            + ". Use the service's own --home, walroute.audit.url and walroute.management.token");
        }
        // 404: a name that the service doesn't know, or a call that its version doesn't.
        boolean wrong = response.statusCode() == 400 || response.statusCode() == 404;
        throw new Failure(wrong ? Failure.MISCONFIGURED : Failure.FAILED, error);
    }

    private static String line(IOException e) {
        return String.valueOf(e.getMessage()).strip().replaceAll("\\s+", " ");
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
