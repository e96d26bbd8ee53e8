package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.settings.Settings;
import io.walroute.slot.Pin;
import io.walroute.slot.ReplicationStatus;
import io.walroute.slot.SlotInfo;
import io.walroute.slot.TableStatus;
import io.walroute.slot.WalBudget;
import io.walroute.slot.WalFigures;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What {@code status} knows, as the JSON that it prints; the text is made of the same members. */
final class StatusDocument {
    private static final List<String> LAG = List.of("lag_bytes", "lag_seconds", "lag_is_at_least");

    private final Settings settings;
    private final ReplicationStatus status;
    private final Optional<EntryPoints.Noted> noted;
    private final StatusCommand.Service service;
    private final WalBudget budget;
    private final Instant now;

    StatusDocument(
            Settings settings,
            ReplicationStatus status,
            Optional<EntryPoints.Noted> noted,
            StatusCommand.Service service,
            WalBudget budget,
            Instant now) {
        this.settings = settings;
        this.status = status;
        this.noted = noted;
        this.service = service;
        this.budget = budget;
        this.now = now;
    }

    boolean isSound() {
        return status.isSound() && gap() == null;
    }

    private String gap() {
        return noted.map(EntryPoints.Noted::gap).orElse(null);
    }

    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("at", now.toString());
        map.put("database", settings.databaseUrl().toString());
        map.put("sound", isSound());
        map.put("problems", problems());
        map.put("warnings", warnings());
        map.put("server", server());
        map.put("slot", slot());
        Map<String, Object> figures = figures();
        Map<String, Object> lag = new LinkedHashMap<>();
        LAG.forEach(name -> lag.put(name.substring("lag_".length()), figures.remove(name)));
        map.put("lag", status.slot() == null ? null : lag);
        map.put("wal_budget", status.slot() == null ? null : figures);
        map.put("pins", status.pins().stream().map(StatusDocument::pin).toList());
        map.put("publication", publication());
        map.put("tables", status.tables().stream().map(StatusDocument::table).toList());
        map.put("gap", gap());
        map.put("skips", skips());
        map.put("service", service());
        return map;
    }

    private List<String> problems() {
        List<String> problems = new ArrayList<>();
        if (gap() != null) {
            problems.add(gap());
        }
        problems.addAll(status.problems());
        return problems;
    }

    /** Of the service: what is well, but has a command that makes it better, as a cache that was emptied. */
    private List<String> warnings() {
        List<String> warnings = new ArrayList<>(status.warnings());
        if (service.answer() != null) {
            service.answer().path("checks").forEach(check -> {
                if (check.path("status").asText().equals("UP") && check.hasNonNull("command")) {
                    warnings.add(check.path("name").asText() + ": "
                            + check.path("message").asText());
                }
            });
        }
        return warnings;
    }

    private Map<String, Object> server() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("version", status.server());
        map.put("standby", status.info().standby());
        map.put("timeline", status.info().timeline());
        map.put("wal_level", status.info().walLevel());
        map.put("wal_lsn", status.info().walPosition().toString());
        return map;
    }

    private Map<String, Object> slot() {
        SlotInfo slot = status.slot();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", settings.replicationSlot());
        map.put("exists", slot != null);
        map.put("active", slot != null && slot.active());
        map.put("pid", slot == null ? null : slot.activePid());
        map.put("client", slot == null ? null : slot.activeClient());
        map.put(
                "inactive_since",
                slot == null || slot.inactiveSince() == null
                        ? null
                        : slot.inactiveSince().toString());
        map.put("plugin", slot == null ? null : slot.plugin());
        map.put("wal_status", slot == null ? null : slot.walStatus());
        map.put("invalidation_reason", slot == null ? null : slot.invalidationReason());
        map.put(
                "restart_lsn",
                slot == null || slot.restartLsn() == null
                        ? null
                        : slot.restartLsn().toString());
        map.put(
                "confirmed_flush_lsn",
                slot == null || slot.confirmedFlushLsn() == null
                        ? null
                        : slot.confirmedFlushLsn().toString());
        map.put("failover", slot != null && slot.failover());
        map.put("synced", slot != null && slot.synced());
        return map;
    }

    /** The service has looked for longer, so its rates are better; where the slot stands now is read here. */
    private Map<String, Object> figures() {
        if (status.slot() == null) {
            return new LinkedHashMap<>();
        }
        Map<String, Object> figures = WalFigures.of(budget, status.slot(), status.limits(), now);
        JsonNode served = service.answer() == null ? null : service.answer().path("wal");
        if (served != null && served.path("measured_seconds").isNumber()) {
            for (String name : WalFigures.MEASURED) {
                figures.put(name, value(served.path(name)));
            }
        } else if (!status.slot().active()
                && Long.valueOf(0).equals(status.slot().lagBytes())) {
            figures.put("lag_seconds", 0.0);
        } else {
            unreadSince().ifPresent(since -> {
                figures.put("lag_seconds", Duration.between(since, now).toMillis() / 1000.0);
                figures.put("lag_is_at_least", false);
            });
        }
        return figures;
    }

    /** Since when the slot has stood where it stands: then nothing after it was confirmed. */
    private Optional<Instant> unreadSince() {
        Instant inactive = status.slot().inactiveSince();
        Optional<Instant> here = noted.filter(
                        each -> each.position().compareTo(status.slot().confirmedFlushLsn()) >= 0)
                .map(EntryPoints.Noted::at);
        return here.or(() -> Optional.ofNullable(inactive));
    }

    private static Object value(JsonNode node) {
        return node.isIntegralNumber()
                ? (Object) node.asLong()
                : node.isNumber() ? (Object) node.asDouble() : node.isBoolean() ? (Object) node.asBoolean() : null;
    }

    private static Map<String, Object> pin(Pin pin) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("kind", pin.kind().name().toLowerCase(Locale.ROOT));
        map.put("name", pin.name());
        map.put("kept_bytes", pin.keptBytes());
        map.put("seconds", pin.age() == null ? null : pin.age().toSeconds());
        map.put("detail", pin.detail());
        return map;
    }

    private Map<String, Object> publication() {
        var publication = status.publication();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", settings.publicationName());
        map.put("exists", publication != null);
        map.put("all_tables", publication != null && publication.allTables());
        map.put("via_partition_root", publication != null && publication.viaRoot());
        map.put("unpublished_operations", publication == null ? List.of() : publication.unpublished());
        map.put("missing_tables", names(each -> each.wanted() && !each.published()));
        map.put("extra_tables", names(each -> !each.wanted() && each.published()));
        return map;
    }

    private List<String> names(java.util.function.Predicate<TableStatus> which) {
        return status.tables().stream()
                .filter(which)
                .map(each -> each.name().toString())
                .toList();
    }

    private static Map<String, Object> table(TableStatus table) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("table", table.name().toString());
        map.put("exists", table.exists());
        map.put("published", table.published());
        map.put("wanted", table.wanted());
        map.put("primary_key", table.hasKey());
        map.put("replica_identity", table.replicaIdentity());
        map.put("wanted_replica_identity", table.wantedIdentity());
        map.put("replica_identity_as_wanted", table.identityIsRight());
        return map;
    }

    private Object skips() {
        JsonNode served = service.answer() == null ? null : service.answer().path("skips");
        return served != null && served.isArray()
                ? served
                : noted.map(EntryPoints.Noted::skips).orElse(List.of());
    }

    private Map<String, Object> service() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("running", service.answer() != null);
        if (service.answer() == null) {
            map.put("why_not", service.why());
        } else {
            service.answer().fields().forEachRemaining(each -> map.put(each.getKey(), each.getValue()));
        }
        return map;
    }
}
