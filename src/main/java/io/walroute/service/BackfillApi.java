package io.walroute.service;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.admin.Api;
import io.walroute.admin.ApiException;
import io.walroute.backfill.Backfill;
import io.walroute.backfill.BackfillException;
import io.walroute.backfill.BackfillRequest;
import io.walroute.backfill.Backfills;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;

/** {@code /api/backfill} of a running service. */
final class BackfillApi {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, Object>> MEMBERS = new TypeReference<>() {};
    private static final int MOST_LISTED = 100;

    private final Optional<Backfills> backfills;
    private final BooleanSupplier streaming;

    /** @param backfills empty without a cache */
    BackfillApi(Optional<Backfills> backfills, BooleanSupplier streaming) {
        this.backfills = backfills;
        this.streaming = streaming;
    }

    void register(Api api) {
        api.get("/backfill", request -> told(() -> json(backfills().list(MOST_LISTED))));
        api.get(
                "/backfill/{id}",
                request -> told(() -> backfills().toJson(backfills().find(id(request)))));
        api.post("/backfill", request -> told(() -> start(request.body())));
        api.post("/backfill/cancel", request -> told(() -> json(backfills().cancelAll())));
        api.post(
                "/backfill/{id}/cancel",
                request -> told(() -> backfills().toJson(backfills().cancel(id(request)))));
    }

    private Backfills backfills() throws BackfillException {
        return backfills.orElseThrow(
                () -> new BackfillException("the cache is off, since REDIS_URL is not set. There is nothing to fill"));
    }

    private static Object told(Callable<Object> call) throws Exception {
        try {
            return call.call();
        } catch (BackfillException e) {
            throw ApiException.conflict(e.getMessage());
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest(e.getMessage());
        }
    }

    private Object start(JsonNode body) throws BackfillException, SQLException {
        BackfillRequest request = BackfillRequest.of(JSON.convertValue(body, MEMBERS));
        if (body.path("dry_run").asBoolean()) {
            return dryRun(request);
        }
        if (!streaming.getAsBoolean()) {
            throw new BackfillException(
                    "this instance does not stream at present (it stands by, or is down), so that it sends nothing."
                            + " See: walroute status");
        }
        return json(backfills().start(request, body.path("by").asText("unknown")));
    }

    private Object dryRun(BackfillRequest request) throws BackfillException, SQLException {
        List<Map<String, Object>> tables = new ArrayList<>();
        backfills().dryRun(request).forEach((table, rows) -> {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("table", table.toString());
            each.put("where", request.where());
            each.put("rate", request.rate());
            each.put("prune", request.prune());
            each.put("estimated_rows", rows);
            tables.add(each);
        });
        return tables;
    }

    private List<Map<String, Object>> json(List<Backfill> list) throws BackfillException {
        Backfills all = backfills();
        return list.stream().map(all::toJson).toList();
    }

    private static long id(Api.Request request) {
        try {
            return Long.parseLong(request.path().get("id"));
        } catch (NumberFormatException e) {
            throw ApiException.badRequest(
                    "a backfill's id is a number, not " + request.path().get("id"));
        }
    }
}
