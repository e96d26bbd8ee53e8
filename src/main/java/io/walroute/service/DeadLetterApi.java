package io.walroute.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.walroute.admin.Api;
import io.walroute.admin.ApiException;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import io.walroute.change.Redacted;
import io.walroute.change.Redaction;
import io.walroute.change.Redactions;
import io.walroute.deadletter.DeadLetter;
import io.walroute.deadletter.DeadLetterComponent;
import io.walroute.deadletter.DeadLetterFilter;
import io.walroute.deadletter.DeadLetters;
import io.walroute.slot.TableName;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongPredicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is asked of the dead letters and done to them, in JSON's terms: behind {@code /api/dead-letters} of a running service,
 * and for commands without one.
 *
 * <p>What changes them goes through all that are meant page by page, in the order of their ids: an answer's {@code next_after}
 * and {@code up_to} are the next call's {@code after} and {@code up_to}, so that what is parked meanwhile isn't meant.
 */
final class DeadLetterApi {
    private interface Redrive {
        Set<Long> redrive(List<Long> ids) throws SQLException;
    }

    private interface Discard {
        Map<Long, String> discard(List<Long> ids) throws SQLException;
    }

    /** What a filter may name though no dead letter has it at present. */
    interface Names {
        Set<String> sinks();

        Set<String> routes();

        /** Empty if that can't be told at present. */
        Set<TableName> tables();
    }

    private static final Logger LOG = LoggerFactory.getLogger(DeadLetterApi.class);
    /** Keeps every digit of what a column of type json holds. */
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .setNodeFactory(JsonNodeFactory.withExactBigDecimals(true));

    private static final int PAGE = 500;
    private static final int MOST_LISTED = 10_000;
    private static final int MOST_IDS_LOGGED = 20;
    private static final Set<String> FILTERS =
            Set.of("sink", "route", "table", "key", "since", "cause", "state", "ids");

    private final DeadLetters letters;
    private final LongPredicate inFlight;
    private final Redrive redrive;
    private final Discard discard;
    private final Optional<Redactions> redactions;
    private final Optional<Names> names;

    /** Of a running service: what is being sent at the moment isn't deleted under its hands. */
    DeadLetterApi(DeadLetterComponent component, Optional<Redactions> redactions, Names names) {
        this.redactions = redactions;
        this.names = Optional.of(names);
        letters = component.letters();
        inFlight = component::isInFlight;
        redrive = component::redrive;
        discard = component::discard;
    }

    /** Without a service. */
    DeadLetterApi(DeadLetters letters, Optional<Redactions> redactions) {
        this.redactions = redactions;
        names = Optional.empty();
        this.letters = letters;
        inFlight = id -> false;
        redrive = letters::redrive;
        discard = ids -> letters.discard(ids, inFlight);
    }

    void register(Api api) {
        api.get("/dead-letters", request -> list(request.query()))
                .get(
                        "/dead-letters/{id}",
                        request -> show(id(request.path().get("id")))
                                .orElseThrow(() -> ApiException.notFound("There is no dead letter "
                                        + request.path().get("id") + ". It was delivered or discarded, or never was")))
                .post("/dead-letters/redrive", request -> redrive(request.body()))
                .post("/dead-letters/discard", request -> discard(request.body()));
    }

    // ---------------------------------------------------------------- looking

    /** Those that failed last come first. */
    List<Map<String, Object>> list(Map<String, String> query) throws SQLException {
        Map<String, String> filter = new LinkedHashMap<>(query);
        String limit = filter.remove("limit");
        int most = limit == null ? MOST_LISTED : (int) Math.min(MOST_LISTED, number("limit", limit));
        DeadLetterFilter by = filter(filter);
        List<DeadLetter> found = letters.summaries(by, most);
        if (found.isEmpty()) {
            requireKnown(by);
        }
        return found.stream().map(this::row).toList();
    }

    Optional<Map<String, Object>> show(long id) throws SQLException {
        return letters.get(id).map(letter -> {
            Map<String, Object> row = row(letter);
            row.put("redrives", letter.redrives());
            row.put("under_way", inFlight.test(id));
            row.put("seq", letter.seq());
            row.put("lsn", letter.lsn());
            row.put("xid", letter.xid());
            row.put("attempt_log", letter.attemptLog());
            // Those of routes that work in the house, and the router's, hold all columns; nobody needs to see them.
            Redacted shown = shown(letter);
            row.put("headers", shown == null ? json(letter.headers()) : namesOnly(json(letter.headers())));
            row.put(
                    "event",
                    json(
                            shown == null
                                    ? letter.event()
                                    : new String(shown.copy().toJson(), StandardCharsets.UTF_8)));
            return row;
        });
    }

    private Map<String, Object> row(DeadLetter letter) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", letter.id());
        row.put("sink", letter.sink());
        row.put("state", letter.state().name().toLowerCase(Locale.ROOT));
        row.put("table", letter.schema().equals("public") ? letter.table() : letter.schema() + "." + letter.table());
        row.put("key", json(shownKey(letter)));
        row.put("operation", letter.operation());
        row.put("attempts", letter.attempts());
        row.put("first_failure", text(letter.firstFailure()));
        row.put("last_failure", text(letter.lastFailure()));
        row.put("next_attempt", text(letter.nextAttempt()));
        row.put("route", letter.route());
        row.put("endpoint", letter.endpoint());
        row.put("event_id", letter.eventId());
        row.put("cause", letter.cause());
        return row;
    }

    /** Null if all of it may be seen. */
    private Redacted shown(DeadLetter letter) {
        if (redactions.isEmpty()) {
            return null;
        }
        var event = ChangeEvent.fromJson(letter.event().getBytes(StandardCharsets.UTF_8));
        Redacted shown = redactions.get().redact(letter.sink(), event);
        return shown.hidesAnything() ? shown : null;
    }

    /** What a route made of all columns may hold any part of a hidden one. */
    private static JsonNode namesOnly(JsonNode headers) {
        var names = JSON.createObjectNode();
        if (headers != null) {
            headers.fieldNames().forEachRemaining(name -> names.put(name, "***"));
        }
        return names;
    }

    private String shownKey(DeadLetter letter) {
        Redaction redaction = redactions
                .map(all -> all.of(letter.sink(), letter.schema(), letter.table()))
                .orElse(null);
        if (redaction == null || letter.key() == null) {
            return letter.key();
        }
        Map<String, Object> key = redaction.shownKey(ChangeJson.readRow(letter.key()));
        return key == null ? null : ChangeJson.writeRow(key);
    }

    private static JsonNode json(String text) {
        try {
            return text == null ? null : JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a dead letter holds what is no JSON", e);
        }
    }

    private static String text(Instant time) {
        return time == null ? null : time.toString();
    }

    // ---------------------------------------------------------------- changing

    Map<String, Object> redrive(JsonNode body) throws SQLException {
        return change(body, Set.of(), "due", (page, reason) -> redrive.redrive(page));
    }

    Map<String, Object> discard(JsonNode body) throws SQLException {
        String reason = body.path("reason").asText("").strip();
        if (reason.isEmpty() && !body.path("dry_run").asBoolean()) {
            throw ApiException.badRequest("discard needs a reason: it deletes changes that their sink never gets");
        }
        return change(body, Set.of("reason"), "discarded", (page, unused) -> {
            Map<Long, String> gone = discard.discard(page);
            record(gone, reason);
            return gone.keySet();
        });
    }

    private interface Change {
        Set<Long> apply(List<Long> page, String reason) throws SQLException;
    }

    private Map<String, Object> change(JsonNode body, Set<String> more, String done, Change change)
            throws SQLException {
        DeadLetterFilter filter = meant(body, more);
        long upTo = body.has("up_to") ? body.get("up_to").asLong() : letters.lastId();
        List<DeadLetter> page = letters.page(filter, body.path("after").asLong(0), upTo, PAGE);
        if (page.isEmpty()) {
            requireKnown(filter);
        }
        boolean dryRun = body.path("dry_run").asBoolean();
        List<Long> ids = page.stream().map(DeadLetter::id).toList();
        Set<Long> changed = dryRun || ids.isEmpty() ? Set.of() : change.apply(ids, "");
        List<Map<String, Object>> entries = new ArrayList<>();
        for (DeadLetter letter : page) {
            entries.add(
                    entry(letter, dryRun ? "would be " + done : changed.contains(letter.id()) ? done : left(letter)));
        }
        addMissing(filter, ids, entries);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("dry_run", dryRun);
        answer.put("entries", entries);
        answer.put("up_to", upTo);
        answer.put("next_after", page.size() < PAGE ? null : ids.get(ids.size() - 1));
        return answer;
    }

    private String left(DeadLetter letter) {
        return inFlight.test(letter.id()) ? "under way" : "gone";
    }

    private Map<String, Object> entry(DeadLetter letter, String result) {
        Map<String, Object> row = row(letter);
        Map<String, Object> entry = new LinkedHashMap<>();
        for (String column : List.of("id", "sink", "state", "table", "key", "attempts")) {
            entry.put(column, row.get(column));
        }
        entry.put("result", result);
        return entry;
    }

    private static void addMissing(DeadLetterFilter filter, List<Long> found, List<Map<String, Object>> entries) {
        if (filter.ids() == null) {
            return;
        }
        for (Long id : new TreeSet<>(filter.ids())) {
            if (!found.contains(id)) {
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("id", id);
                entry.put("result", "not found");
                entries.add(entry);
            }
        }
    }

    private static void record(Map<Long, String> gone, String reason) {
        if (gone.isEmpty()) {
            return;
        }
        Map<String, Long> bySink = gone.values().stream()
                .collect(Collectors.groupingBy(sink -> sink, java.util.TreeMap::new, Collectors.counting()));
        String ids = gone.keySet().stream()
                .sorted()
                .limit(MOST_IDS_LOGGED)
                .map(String::valueOf)
                .collect(Collectors.joining(", "));
        LOG.warn(
                "Discarded {} dead letters by hand ({}), their sinks never get these changes: {}{}. Reason: {}",
                gone.size(),
                bySink.entrySet().stream()
                        .map(each -> each.getKey() + " " + each.getValue())
                        .collect(Collectors.joining(", ")),
                ids,
                gone.size() > MOST_IDS_LOGGED ? ", …" : "",
                reason.replaceAll("[\\s\\p{Cntrl}]+", " "));
    }

    // ---------------------------------------------------------------- which

    /** What is not understood must not make more of them meant. */
    private static DeadLetterFilter meant(JsonNode body, Set<String> more) {
        Map<String, String> filter = new LinkedHashMap<>();
        body.fields().forEachRemaining(field -> {
            String name = field.getKey();
            JsonNode value = field.getValue();
            if (FILTERS.contains(name) && !value.isNull()) {
                filter.put(
                        name, name.equals("ids") ? ids(value) : value.isObject() ? value.toString() : value.asText());
            } else if (!FILTERS.contains(name)
                    && !more.contains(name)
                    && !Set.of("all", "dry_run", "after", "up_to").contains(name)) {
                throw ApiException.badRequest(name + " is not understood. Known: " + known());
            }
        });
        if (filter.isEmpty() && !body.path("all").asBoolean()) {
            throw ApiException.badRequest("which ones? Give ids or a filter (" + known() + "), or all");
        }
        return filter(filter);
    }

    private static String ids(JsonNode value) {
        if (!value.isArray()) {
            throw ApiException.badRequest("ids is no list of numbers");
        }
        List<String> ids = new ArrayList<>();
        value.forEach(id -> ids.add(id.asText()));
        return String.join(",", ids);
    }

    /** Of a filter that fits none: so that a slip of the pen isn't taken for good news. */
    private void requireKnown(DeadLetterFilter filter) {
        names.ifPresent(known -> {
            requireKnown("sink", filter.sink(), known.sinks());
            requireKnown("route", filter.route(), known.routes());
            if (filter.table() != null) {
                requireTable(filter.table(), known.tables());
            }
        });
    }

    private static void requireTable(String name, Set<TableName> known) {
        if (!known.isEmpty()
                && known.stream()
                        .noneMatch(
                                each -> name.equals(each.table()) || name.equals(each.schema() + "." + each.table()))) {
            throw unknown("published table", name, known.stream().map(TableName::toString));
        }
    }

    private static void requireKnown(String what, String name, Set<String> known) {
        if (name != null && !known.contains(name)) {
            throw unknown(what, name, known.stream());
        }
    }

    private static ApiException unknown(String what, String name, Stream<String> known) {
        return ApiException.badRequest("there is no " + what + " " + name + ". Known: "
                + known.sorted().collect(Collectors.joining(", ")));
    }

    private static DeadLetterFilter filter(Map<String, String> by) {
        for (String name : by.keySet()) {
            if (!FILTERS.contains(name)) {
                throw ApiException.badRequest(name + " is not understood. Known: " + known());
            }
        }
        return new DeadLetterFilter(
                by.get("sink"),
                by.get("route"),
                by.get("table"),
                by.get("key"),
                by.containsKey("since") ? since(by.get("since")) : null,
                by.get("cause"),
                by.containsKey("state") ? state(by.get("state")) : null,
                by.containsKey("ids") ? idList(by.get("ids")) : null);
    }

    private static String known() {
        return String.join(", ", new TreeSet<>(FILTERS));
    }

    private static List<Long> idList(String text) {
        List<Long> ids = Arrays.stream(text.split(","))
                .map(String::strip)
                .filter(id -> !id.isEmpty())
                .map(DeadLetterApi::id)
                .distinct()
                .toList();
        if (ids.size() > PAGE) {
            throw ApiException.badRequest("ids holds more than " + PAGE + " ids. Ask for them in parts");
        }
        return ids;
    }

    private static long id(String text) {
        return number("id", text);
    }

    private static long number(String name, String text) {
        if (!text.matches("\\d{1,18}")) {
            throw ApiException.badRequest(name + "=" + text + " is no number");
        }
        return Long.parseLong(text);
    }

    private static Instant since(String text) {
        try {
            return Instant.parse(text);
        } catch (DateTimeParseException e) {
            throw ApiException.badRequest("since=" + text + " is no time. Write it as 2026-01-31T12:00:00Z");
        }
    }

    private static DeadLetter.State state(String text) {
        try {
            return DeadLetter.State.valueOf(text.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest("state=" + text + " is no state. Write parked or dead");
        }
    }
}
