package io.walroute.service;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.admin.Api;
import io.walroute.admin.ApiException;
import io.walroute.change.Lsn;
import io.walroute.slot.ReplicationTarget;
import io.walroute.slot.SlotException;
import io.walroute.slot.SlotTransaction;
import io.walroute.slot.TransactionSearch;
import io.walroute.source.SkipRule;
import io.walroute.source.Skips;
import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Transactions that an operator passes over: {@code /api/skips}, and what the source is told of them. A record is all there is:
 * the source looks for new ones every other second, whoever wrote them. Thread-safe.
 */
final class Skipping implements Skips {
    private static final Logger LOG = LoggerFactory.getLogger(Skipping.class);
    private static final Set<String> MEMBERS = Set.of("xid", "lsn", "reason", "by", "dry_run");
    private static final int MOST_LISTED = 100;
    // More than an operator ever passes over before PostgreSQL has forgotten the first of them.
    private static final int MOST_RULES = 1_000;
    private static final int LONGEST_NAME = 100;

    private final SkipLog log;
    private final ReplicationTarget target;
    private final String database;
    private final Supplier<Lsn> confirmed;

    /**
     * @param database where it is, without its password
     * @param confirmed where the slot was seen last; null if it wasn't yet
     */
    Skipping(Store store, ReplicationTarget target, String database, Supplier<Lsn> confirmed) throws SQLException {
        log = new SkipLog(store);
        this.target = target;
        this.database = database;
        this.confirmed = confirmed;
    }

    // ---------------------------------------------------------------- the source

    /** Those that are done, too: a slot that PostgreSQL hadn't written to its disk may come back further behind. */
    @Override
    public List<SkipRule> rules() throws SQLException {
        List<Skip> all = log.newest(MOST_RULES);
        Lsn at = confirmed.get();
        for (Skip each : all) {
            // Exactly then PostgreSQL leaves the transaction out: one whose commit lies before where it begins.
            if (each.isPending() && at != null && each.transaction().commit().compareTo(at) < 0) {
                log.done(each.id());
            }
        }
        return all.stream().map(Skip::rule).toList();
    }

    @Override
    public void passed(SkipRule rule, long changes) {
        log.passed(rule.id(), changes);
    }

    /** For {@code status}. */
    List<Map<String, Object>> shown() throws SQLException {
        return log.shown(Instant.now()).stream().map(Skip::toJson).toList();
    }

    // ---------------------------------------------------------------- operators

    void register(Api api) {
        api.get(
                "/skips",
                request -> log.newest(MOST_LISTED).stream().map(Skip::toJson).toList());
        api.get("/skips/{id}", request -> find(request.path().get("id")).toJson());
        api.post("/skips", request -> skip(request.body()));
    }

    private Skip find(String id) throws SQLException {
        try {
            return log.find(Long.parseLong(id)).orElseThrow(() -> ApiException.notFound("there is no skip " + id));
        } catch (NumberFormatException e) {
            throw ApiException.badRequest("a skip's id is a number, not " + id);
        }
    }

    private Map<String, Object> skip(JsonNode body) throws SQLException {
        body.fieldNames().forEachRemaining(member -> {
            if (!MEMBERS.contains(member)) {
                throw ApiException.badRequest("unknown member " + member + " of a skip");
            }
        });
        boolean dryRun = body.path("dry_run").asBoolean();
        try {
            var wanted = TransactionSearch.Wanted.of(text(body, "xid"), text(body, "lsn"));
            String reason = dryRun ? null : SkipLog.checkedReason(text(body, "reason"));
            SlotTransaction transaction = find(target, wanted, (share, transactions, changes) -> {});
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("database", database);
            answer.put("slot", target.slot());
            answer.put("dry_run", dryRun);
            answer.put("transaction", transaction.toJson());
            answer.put(
                    "skip", dryRun ? null : add(transaction, reason, by(body)).toJson());
            answer.put("by_the_service", dryRun ? null : true);
            return answer;
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest(e.getMessage());
        } catch (SlotException e) {
            throw ApiException.conflict(e.finding().line());
        } catch (SkipException e) {
            throw ApiException.conflict(e.getMessage());
        }
    }

    private Skip add(SlotTransaction transaction, String reason, String by) throws SQLException, SkipException {
        Skip skip = log.add(transaction, reason, by);
        LOG.warn(
                "Transaction {} at {} with {} changes is passed over from now on, by order of {}: {}",
                transaction.xid(),
                transaction.commit(),
                transaction.changes(),
                by,
                reason);
        return skip;
    }

    static SlotTransaction find(
            ReplicationTarget target, TransactionSearch.Wanted wanted, TransactionSearch.Progress progress)
            throws SQLException, SlotException {
        // Its own connection, not the pool's: the copy of the slot lives as long as it does.
        try (Connection connection = target.connect()) {
            return new TransactionSearch(connection, target, progress).find(wanted);
        }
    }

    private static String text(JsonNode body, String member) {
        return body.hasNonNull(member) ? body.path(member).asText() : null;
    }

    private static String by(JsonNode body) {
        String by =
                body.path("by").asText("").replaceAll("[\\p{Cntrl}\\s]+", " ").strip();
        return by.isEmpty() ? "a caller of the API" : by.substring(0, Math.min(LONGEST_NAME, by.length()));
    }
}
