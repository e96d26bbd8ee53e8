package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.logging.Figures;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The document of {@code status} for people. */
final class StatusText {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String NAME = "%-13s %s%n";

    private final PrintStream out;
    private final boolean colours;
    private JsonNode status;

    StatusText(PrintStream out, boolean colours) {
        this.out = out;
        this.colours = colours;
    }

    void print(Map<String, Object> document) {
        status = JSON.valueToTree(document);
        server();
        slot();
        budget();
        publication();
        service();
        skips();
        out.println();
        sinks();
        tables();
        pins();
        lines("problems", "31", "Problem: ");
        lines("warnings", "33", "Warning: ");
        if (status.path("sound").asBoolean()) {
            out.println(colour("32", "Slot and publication are sound."));
        }
    }

    private void server() {
        JsonNode server = status.path("server");
        row(
                "Database",
                text("database") + ", PostgreSQL " + server.path("version").asText() + ", timeline "
                        + server.path("timeline").asInt()
                        + (server.path("standby").asBoolean() ? ", a standby" : "")
                        + ", WAL at " + server.path("wal_lsn").asText());
    }

    private void slot() {
        JsonNode slot = status.path("slot");
        String name = slot.path("name").asText();
        if (!slot.path("exists").asBoolean()) {
            row("Slot", name + colour("31", " does not exist"));
            return;
        }
        List<String> facts = new ArrayList<>();
        facts.add(
                slot.path("active").asBoolean()
                        ? "active (process " + slot.path("pid").asText()
                                + (slot.path("client").isNull()
                                        ? ""
                                        : ", " + slot.path("client").asText())
                                + ")"
                        : "inactive"
                                + (slot.path("inactive_since").isNull()
                                        ? ""
                                        : " since "
                                                + slot.path("inactive_since").asText()));
        facts.add(slot.path("plugin").asText());
        facts.add("WAL " + walStatus(slot));
        if (slot.path("failover").asBoolean()) {
            facts.add("failover");
        }
        if (slot.path("synced").asBoolean()) {
            facts.add("synced");
        }
        row("Slot", name + ", " + String.join(", ", facts));
        row(
                "Position",
                "confirmed " + slot.path("confirmed_flush_lsn").asText("-") + ", restart "
                        + slot.path("restart_lsn").asText("-"));
        JsonNode lag = status.path("lag");
        row(
                "Lag",
                bytes(lag.path("bytes"))
                        + (lag.path("seconds").isNumber()
                                ? ", the oldest "
                                        + (lag.path("is_at_least").asBoolean() ? "at least " : "")
                                        + time(lag.path("seconds")) + " old"
                                : ""));
    }

    private String walStatus(JsonNode slot) {
        String word = slot.path("wal_status").asText("unknown");
        String reason = slot.path("invalidation_reason").isNull()
                ? ""
                : " (" + slot.path("invalidation_reason").asText() + ")";
        return colour(word.equals("lost") ? "31" : word.equals("unreserved") ? "33" : "0", word) + reason;
    }

    private void budget() {
        JsonNode budget = status.path("wal_budget");
        if (budget.isNull()) {
            return;
        }
        if (budget.path("retained_bytes").isNull()) {
            row("WAL budget", "nothing is kept");
            return;
        }
        String limit = budget.path("limit_bytes").isNull()
                ? "no limit: WAL is kept until the disk is full"
                : Figures.bytes(Math.max(0, budget.path("safe_wal_bytes").asLong())) + " more are safe (limit "
                        + bytes(budget.path("limit_bytes")) + ")";
        row("WAL budget", bytes(budget.path("retained_bytes")) + " kept, " + limit);
        if (budget.path("measured_seconds").isNumber()) {
            JsonNode left = budget.path("seconds_to_invalidation");
            row(
                    "",
                    "WAL grows by " + bytes(budget.path("wal_bytes_per_second")) + "/s, what is kept by "
                            + bytes(budget.path("burn_bytes_per_second")) + "/s: "
                            + (left.isNumber()
                                    ? left.asLong() > 0
                                            ? "at that rate it is invalidated in " + colour("33", time(left))
                                            : colour("31", "invalidated at the next checkpoint")
                                    : "not heading for invalidation"));
        }
    }

    private void publication() {
        JsonNode publication = status.path("publication");
        String name = publication.path("name").asText();
        if (!publication.path("exists").asBoolean()) {
            row("Publication", name + colour("31", " does not exist"));
            return;
        }
        row(
                "Publication",
                name
                        + (publication.path("all_tables").asBoolean() ? ", all tables" : "")
                        + list(publication.path("missing_tables"), ", missing: ")
                        + list(publication.path("extra_tables"), ", beyond the settings: ")
                        + list(publication.path("unpublished_operations"), ", leaves out: "));
    }

    private static String list(JsonNode names, String before) {
        List<String> all = new ArrayList<>();
        names.forEach(name -> all.add(name.asText()));
        return all.isEmpty() ? "" : before + String.join(", ", all);
    }

    private void service() {
        JsonNode service = status.path("service");
        if (!service.path("running").asBoolean()) {
            row("Service", "not asked: " + service.path("why_not").asText());
            return;
        }
        String health = service.path("status").asText();
        row(
                "Service",
                colour(health.equals("UP") ? "32" : health.equals("DOWN") ? "31" : "33", health) + ", up for "
                        + time(service.path("uptime_seconds")) + ", source "
                        + service.path("source").path("state").asText("without a route"));
        service.path("checks").forEach(check -> {
            if (!check.path("status").asText().equals("UP")) {
                row(
                        "",
                        check.path("name").asText() + " " + check.path("status").asText() + ": "
                                + check.path("message").asText());
            }
        });
        List<String> stopped = new ArrayList<>();
        service.path("routes").forEach(route -> {
            if (!route.path("state").asText().equals("started")) {
                stopped.add(
                        route.path("route").asText() + " " + route.path("state").asText());
            }
        });
        int routes = service.path("routes").size();
        row(
                "Routes",
                routes - stopped.size() + " started" + (stopped.isEmpty() ? "" : ", " + String.join(", ", stopped)));
        busy(service, "replays");
        busy(service, "backfills");
    }

    private void sinks() {
        table(status.path("service").path("sinks"), List.of("sink", "state", "circuit", "parked", "dead", "problem"));
    }

    private void busy(JsonNode service, String what) {
        service.path(what)
                .forEach(each -> row(
                        Character.toUpperCase(what.charAt(0)) + what.substring(1),
                        (each.path("id").isMissingNode() ? "" : each.path("id").asText() + " ")
                                + each.path("state").asText()
                                + (each.path("sent").isMissingNode()
                                        ? ""
                                        : ", " + each.path("sent").asText() + " sent")
                                + (each.path("rows").isMissingNode()
                                        ? ""
                                        : ", " + each.path("rows").asText() + " rows of "
                                                + TextTable.oneLine(
                                                        each.path("table").asText()))));
    }

    private void skips() {
        status.path("skips")
                .forEach(skip -> row(
                        "Skip",
                        skip.path("id").asText() + " " + skip.path("state").asText() + ": transaction "
                                + skip.path("xid").asText() + " at "
                                + skip.path("commit_lsn").asText() + ", "
                                + skip.path("changes").asText() + " changes, by "
                                + skip.path("by").asText() + " at "
                                + TextTable.time(skip.path("at").asText()) + ": "
                                + TextTable.oneLine(skip.path("reason").asText())));
    }

    private void tables() {
        table(
                status.path("tables"),
                List.of("table", "published", "primary_key", "replica_identity", "wanted_replica_identity"));
    }

    private void pins() {
        JsonNode pins = status.path("pins");
        if (pins.isEmpty()) {
            return;
        }
        out.println("Also keeping WAL or dead rows:");
        List<Map<String, Object>> rows = new ArrayList<>();
        for (JsonNode pin : pins) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("kind", pin.path("kind").asText());
            row.put("name", pin.path("name").asText());
            row.put("kept", pin.path("kept_bytes").isNumber() ? bytes(pin.path("kept_bytes")) : "");
            row.put("for", pin.path("seconds").isNumber() ? time(pin.path("seconds")) : "");
            row.put("detail", pin.path("detail").asText(""));
            rows.add(row);
        }
        TextTable.print(out, rows);
        out.println();
    }

    private void table(JsonNode rows, List<String> columns) {
        List<Map<String, Object>> table = new ArrayList<>();
        for (JsonNode each : rows) {
            Map<String, Object> row = new LinkedHashMap<>();
            for (String column : columns) {
                JsonNode value = each.path(column);
                row.put(
                        column.replace('_', ' '),
                        value.isBoolean() ? value.asBoolean() ? "yes" : "no" : value.isNull() ? "" : value.asText());
            }
            table.add(row);
        }
        if (!table.isEmpty()) {
            TextTable.print(out, table);
            out.println();
        }
    }

    private void lines(String member, String colour, String before) {
        status.path(member).forEach(line -> out.println(colour(colour, before) + line.asText()));
    }

    private void row(String name, String text) {
        out.printf(NAME, name, text);
    }

    private String text(String member) {
        return status.path(member).asText();
    }

    private static String bytes(JsonNode bytes) {
        return bytes.isNumber() ? Figures.bytes(bytes.asLong()) : "unknown";
    }

    private static String time(JsonNode seconds) {
        return Figures.time(Duration.ofMillis((long) (seconds.asDouble() * 1000)));
    }

    private String colour(String code, String text) {
        return colours && !code.equals("0") ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
