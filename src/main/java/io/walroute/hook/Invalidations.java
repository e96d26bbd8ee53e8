package io.walroute.hook;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import io.walroute.change.Operation;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a request says of changes whose keys are to be forgotten: {@code {"type":"cache.invalidate","timestamp":"…",
 * "data":{"keys":[{"table":"listings","key":{"id":42},"cache_key":"listings:42"}],"tables":[]}}}. Each key is there once,
 * however many changes it had; a changed key under both names; a table in {@code tables} (a TRUNCATE, or one without a key)
 * as a whole, with none of its keys. No column but the key's leaves.
 */
final class Invalidations {
    private final Map<String, String> keys = new LinkedHashMap<>();
    private final Set<String> tables = new TreeSet<>();
    private Instant latest = Instant.MIN;

    static byte[] body(List<ChangeEvent> events) {
        var invalidations = new Invalidations();
        events.forEach(invalidations::add);
        return invalidations.toJson().getBytes(StandardCharsets.UTF_8);
    }

    /** Under which names a receiver keeps what the change touches: one for each key, or the table's own name. */
    static Collection<String> names(ChangeEvent event) {
        String table = event.qualifiedTable();
        if (event.keyText() == null || event.operation() == Operation.TRUNCATE) {
            return Set.of(table);
        }
        Set<String> names = new LinkedHashSet<>();
        names.add(table + ":" + event.keyText());
        if (event.keyChanged()) {
            names.add(table + ":" + event.oldKeyText());
        }
        return names;
    }

    private void add(ChangeEvent event) {
        latest = event.timestamp().isAfter(latest) ? event.timestamp() : latest;
        String table = event.qualifiedTable();
        if (event.keyText() == null || event.operation() == Operation.TRUNCATE) {
            tables.add(table);
            return;
        }
        add(table, event.key(), event.keyText());
        if (event.keyChanged()) {
            Map<String, Object> oldKey = new LinkedHashMap<>();
            event.key()
                    .keySet()
                    .forEach(column -> oldKey.put(column, event.oldRow().get(column)));
            add(table, oldKey, event.oldKeyText());
        }
    }

    private void add(String table, Map<String, Object> key, String keyText) {
        String cacheKey = table + ":" + keyText;
        keys.computeIfAbsent(
                cacheKey,
                first -> "{\"table\":" + quoted(table) + ",\"key\":" + ChangeJson.writeRow(key) + ",\"cache_key\":"
                        + quoted(cacheKey) + "}");
    }

    private String toJson() {
        keys.keySet().removeIf(this::isOfWholeTable);
        return "{\"type\":\"cache.invalidate\",\"timestamp\":\"" + HookBody.microseconds(latest)
                + "\",\"data\":{\"keys\":[" + String.join(",", keys.values()) + "],\"tables\":["
                + String.join(",", tables.stream().map(Invalidations::quoted).toList()) + "]}}";
    }

    /** A table's name holds no colon but in quotes; then its keys are named beside it, which does no harm. */
    private boolean isOfWholeTable(String cacheKey) {
        return tables.contains(cacheKey.substring(0, cacheKey.indexOf(':')));
    }

    private static String quoted(String text) {
        return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
    }
}
