package io.walroute.service;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.admin.Api;
import io.walroute.admin.ApiException;
import io.walroute.replay.Replay;
import io.walroute.replay.ReplayException;
import io.walroute.replay.ReplayRequest;
import io.walroute.replay.Replays;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;

/** {@code /api/replays} of a running service. */
final class ReplayApi {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, Object>> MEMBERS = new TypeReference<>() {};
    private static final int MOST_LISTED = 100;

    private final Replays replays;
    private final BooleanSupplier streaming;

    ReplayApi(Replays replays, BooleanSupplier streaming) {
        this.replays = replays;
        this.streaming = streaming;
    }

    void register(Api api) {
        api.get(
                "/replays",
                request ->
                        replays.list(MOST_LISTED).stream().map(Replay::toJson).toList());
        api.get("/replays/{id}", request -> told(() -> replays.find(id(request)).toJson()));
        api.post("/replays", request -> told(() -> start(request.body())));
        api.post(
                "/replays/{id}/cancel",
                request -> told(() -> replays.cancel(id(request)).toJson()));
    }

    private static Object told(Callable<Object> call) throws Exception {
        try {
            return call.call();
        } catch (ReplayException e) {
            throw ApiException.conflict(e.getMessage());
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest(e.getMessage());
        }
    }

    private Map<String, Object> start(JsonNode body) throws ReplayException, SQLException {
        ReplayRequest request = ReplayRequest.of(JSON.convertValue(body, MEMBERS));
        if (body.path("dry_run").asBoolean()) {
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("dry_run", true);
            Map<String, Long> routes = replays.dryRun(request);
            answer.put("changes", routes.remove("changes"));
            answer.put("routes", routes);
            return answer;
        }
        if (!streaming.getAsBoolean()) {
            throw new ReplayException(
                    "this instance does not stream at present (it stands by, or is down), so that it sends"
                            + " nothing. See: walroute status");
        }
        return replays.start(request, body.path("by").asText("unknown")).toJson();
    }

    private static long id(Api.Request request) {
        try {
            return Long.parseLong(request.path().get("id"));
        } catch (NumberFormatException e) {
            throw ApiException.badRequest(
                    "a replay's id is a number, not " + request.path().get("id"));
        }
    }
}
