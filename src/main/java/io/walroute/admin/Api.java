package io.walroute.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code /api} on the management port: what operators see and do, as JSON. A GET changes nothing; what changes something is a
 * POST with a JSON object as its body. An error is {@code {"error": "one line"}} with a fitting status. JMX has the same calls by
 * {@link #call}.
 *
 * <p>All calls are registered before {@link #mount}. Handlers run on a few threads of their own and may block.
 */
public final class Api implements AutoCloseable {
    /** One call, as its handler sees it. */
    public record Request(Map<String, String> path, Map<String, String> query, JsonNode body) {}

    @FunctionalInterface
    public interface Handler {
        /**
         * @return what Jackson can write: maps, lists, texts, numbers
         * @throws ApiException for any other status than 200; what else is thrown is a 500
         */
        Object handle(Request request) throws Exception;
    }

    private record Call(HttpMethod method, List<String> template, Handler handler) {
        /** The values of {@code {names}} in the template; empty if the path is another one. */
        Optional<Map<String, String>> match(List<String> path) {
            if (path.size() != template.size()) {
                return Optional.empty();
            }
            Map<String, String> values = new HashMap<>();
            for (int i = 0; i < path.size(); i++) {
                String part = template.get(i);
                if (part.startsWith("{")) {
                    values.put(part.substring(1, part.length() - 1), path.get(i));
                } else if (!part.equals(path.get(i))) {
                    return Optional.empty();
                }
            }
            return Optional.of(values);
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(Api.class);
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final String PREFIX = "/api";
    private static final String JOLOKIA = "/observe/jolokia";
    private static final int THREADS = 4;
    private static final int MOST_AT_ONCE = 32;
    private static final long MAX_BODY_BYTES = 1 << 20;
    private static final int BEFORE_CAMEL = -1000;

    private final List<Call> calls = new ArrayList<>();
    private final Semaphore room = new Semaphore(MOST_AT_ONCE);
    private WorkerExecutor workers;
    private volatile boolean closed;
    private ApiAccess access;

    /** @param path below {@code /api}, as {@code /dead-letters/{id}} */
    public Api get(String path, Handler handler) {
        calls.add(new Call(HttpMethod.GET, parts(path), handler));
        return this;
    }

    /** A call that changes something; its handler finds a JSON object in the body. */
    public Api post(String path, Handler handler) {
        calls.add(new Call(HttpMethod.POST, parts(path), handler));
        return this;
    }

    /**
     * @param router of the management port
     * @param access who may call
     */
    public void mount(Router router, ApiAccess access) {
        this.access = access;
        // Jolokia is Camel's and knows no token; who may use it is ruled here.
        router.route(JOLOKIA + "*")
                .order(BEFORE_CAMEL)
                .handler(this::guardJolokia)
                .failureHandler(this::failed);
        router.route(JOLOKIA + "*")
                .order(BEFORE_CAMEL + 1)
                .handler(BodyHandler.create(false).setBodyLimit(MAX_BODY_BYTES))
                .handler(this::guardJolokiaChanges)
                .failureHandler(this::failed);
        router.route(PREFIX + "/*").order(BEFORE_CAMEL).handler(this::guard).failureHandler(this::failed);
        // A route of its own: Vert.x takes a body's handler only as a route's first. Unread until the guard has let it
        // in.
        router.route(PREFIX + "/*")
                .order(BEFORE_CAMEL + 1)
                .handler(BodyHandler.create(false).setBodyLimit(MAX_BODY_BYTES))
                .handler(this::dispatch)
                .failureHandler(this::failed);
    }

    private void guardJolokia(RoutingContext ctx) {
        access.checkOrigin(ApiAccess.Call.of(ctx.request()))
                .ifPresentOrElse(refusal -> refuse(ctx, refusal), ctx::next);
    }

    private void guardJolokiaChanges(RoutingContext ctx) {
        HttpServerRequest request = ctx.request();
        Optional<Boolean> changes;
        if (request.method() == HttpMethod.GET) {
            String below = ctx.normalizedPath()
                    .substring(Math.min(JOLOKIA.length(), ctx.normalizedPath().length()));
            changes = Optional.of(
                    JolokiaAccess.getChanges(parts(below), !ctx.queryParams().isEmpty()));
        } else {
            byte[] body = ctx.body().buffer() == null
                    ? new byte[0]
                    : ctx.body().buffer().getBytes();
            changes = JolokiaAccess.postChanges(body);
        }
        if (changes.isEmpty()) {
            error(ctx, 400, "the body is not a request to Jolokia, nor an array of them");
            return;
        }
        // What Jolokia's clients call a JSON body has no such type: Origin was checked above.
        Optional<ApiAccess.Refusal> refusal =
                changes.get() ? access.checkChange(ApiAccess.Call.of(ctx.request())) : Optional.empty();
        refusal.ifPresentOrElse(why -> refuse(ctx, why), ctx::next);
    }

    private void guard(RoutingContext ctx) {
        access.check(ApiAccess.Call.of(ctx.request())).ifPresentOrElse(refusal -> refuse(ctx, refusal), ctx::next);
    }

    private static void refuse(RoutingContext ctx, ApiAccess.Refusal refusal) {
        if (refusal.status() == 429) {
            ctx.response().putHeader("Retry-After", "5");
        }
        if (refusal.status() == 401) {
            ctx.response().putHeader("WWW-Authenticate", "Bearer realm=\"walroute\"");
        }
        // The body is not read: what it holds must not be taken for the next request.
        ctx.response().putHeader("Connection", "close");
        error(ctx, refusal.status(), refusal.message());
    }

    private void dispatch(RoutingContext ctx) {
        if (ctx.normalizedPath().length() < PREFIX.length()) {
            error(ctx, 404, "not found");
            return;
        }
        List<String> path = parts(ctx.normalizedPath().substring(PREFIX.length()));
        var allowed = new TreeSet<String>();
        for (Call call : calls) {
            Optional<Map<String, String>> match = call.match(path);
            if (match.isPresent() && call.method() == ctx.request().method()) {
                run(ctx, call, match.get());
                return;
            }
            match.ifPresent(values -> allowed.add(call.method().name()));
        }
        if (allowed.isEmpty()) {
            error(ctx, 404, ctx.normalizedPath() + " is no call of this version of walroute");
        } else {
            ctx.response().putHeader("Allow", String.join(", ", allowed));
            error(ctx, 405, ctx.normalizedPath() + " takes " + String.join(" or ", allowed) + " only");
        }
    }

    private void run(RoutingContext ctx, Call call, Map<String, String> path) {
        Request request;
        try {
            request = new Request(path, query(ctx), body(ctx, call));
        } catch (ApiException e) {
            error(ctx, e.status(), e.getMessage());
            return;
        }
        if (closed) {
            stopping(ctx);
            return;
        }
        if (!room.tryAcquire()) {
            error(ctx, 503, "too many calls at once. Try again in a moment");
            return;
        }
        workers(ctx)
                .executeBlocking(() -> MAPPER.writeValueAsBytes(call.handler().handle(request)), false)
                .onComplete(done -> {
                    room.release();
                    if (done.succeeded()) {
                        answer(ctx, 200, done.result());
                    } else {
                        failed(ctx, done.cause());
                    }
                });
    }

    private synchronized WorkerExecutor workers(RoutingContext ctx) {
        if (workers == null) {
            workers = ctx.vertx().createSharedWorkerExecutor("walroute-api", THREADS, 1, TimeUnit.HOURS);
        }
        return workers;
    }

    /**
     * The call that is GET or POST of a path, on this thread and without asking who calls.
     *
     * @param path below {@code /api}, perhaps with a query
     * @param body a JSON object; empty for none
     * @return JSON
     * @throws ApiException if it is no such call, or can't be done
     */
    public String call(String method, String path, String body) throws Exception {
        QueryStringDecoder uri = new QueryStringDecoder(path);
        Map<String, String> query = new LinkedHashMap<>();
        for (var parameter : uri.parameters().entrySet()) {
            for (String value : parameter.getValue()) {
                put(query, parameter.getKey(), value);
            }
        }
        for (Call call : calls) {
            Optional<Map<String, String>> match = call.match(parts(uri.path()));
            if (match.isPresent() && call.method().name().equals(method)) {
                var request = new Request(match.get(), query, body(body.getBytes(StandardCharsets.UTF_8)));
                return MAPPER.writeValueAsString(call.handler().handle(request));
            }
        }
        throw new ApiException(404, method + " " + uri.path() + " is no call of this version of walroute");
    }

    private static Map<String, String> query(RoutingContext ctx) {
        Map<String, String> query = new LinkedHashMap<>();
        ctx.queryParams().forEach(pair -> put(query, pair.getKey(), pair.getValue()));
        return query;
    }

    private static void put(Map<String, String> query, String name, String value) {
        if (query.put(name, value) != null) {
            throw ApiException.badRequest(name + " is given twice");
        }
    }

    private static JsonNode body(RoutingContext ctx, Call call) {
        if (call.method() == HttpMethod.GET) {
            return MAPPER.createObjectNode();
        }
        return body(
                ctx.body().buffer() == null ? new byte[0] : ctx.body().buffer().getBytes());
    }

    private static JsonNode body(byte[] bytes) {
        try {
            JsonNode body = bytes.length == 0 ? MAPPER.createObjectNode() : MAPPER.readTree(bytes);
            if (body.isObject()) {
                return body;
            }
        } catch (java.io.IOException e) {
            // Told below.
        }
        throw ApiException.badRequest("the body is not a JSON object");
    }

    private void failed(RoutingContext ctx) {
        if (ctx.failure() != null && ctx.statusCode() <= 0) {
            failed(ctx, ctx.failure());
        } else {
            int status = ctx.statusCode() <= 0 ? 500 : ctx.statusCode();
            error(ctx, status, status == 413 ? "the body is larger than 1 MB" : "the request can't be understood");
        }
    }

    private void failed(RoutingContext ctx, Throwable failure) {
        if (failure instanceof ApiException known) {
            error(ctx, known.status(), known.getMessage());
            return;
        }
        if (closed) {
            stopping(ctx); // whatever it stumbled over
            return;
        }
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String line = (root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage())
                .strip()
                .replaceAll("[\\s\\p{Cntrl}]+", " ");
        LOG.warn("{} {} failed: {}", ctx.request().method(), ctx.normalizedPath(), line, failure);
        error(ctx, 500, line);
    }

    private static void stopping(RoutingContext ctx) {
        error(ctx, 503, "the service is stopping");
    }

    private static void error(RoutingContext ctx, int status, String message) {
        try {
            answer(ctx, status, MAPPER.writeValueAsBytes(Map.of("error", message)));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a text has no JSON form", e);
        }
    }

    private static void answer(RoutingContext ctx, int status, byte[] json) {
        if (ctx.response().ended() || ctx.response().closed()) {
            return;
        }
        ctx.response()
                .setStatusCode(status)
                .putHeader("Content-Type", "application/json")
                .putHeader("Cache-Control", "no-store")
                .putHeader("X-Content-Type-Options", "nosniff")
                .end(io.vertx.core.buffer.Buffer.buffer(json));
    }

    private static List<String> parts(String path) {
        return java.util.Arrays.stream(path.split("/"))
                .filter(part -> !part.isEmpty())
                .toList();
    }

    /** Calls under way are cut off, others refused. */
    @Override
    public synchronized void close() {
        closed = true;
        if (workers != null) {
            workers.close();
        }
    }
}
