package io.walroute.faults;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lettuce.core.api.sync.RedisCommands;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Compares everything that left the service with the database: the cache with the tables, the audit log with the triggers' log
 * and with the order in which PostgreSQL itself decodes commits, the receiver's ledger and the clients' frames with both.
 */
final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_DETAILS = 12;

    /** A row of the audit log. */
    record Audited(String eventId, String xid, String table, String operation, String id, String oldId, String n) {}

    /**
     * What one WebSocket client got.
     *
     * @param events event ids in the order of their frames, repeats included
     * @param backwards how many frames had a position that wasn't after the one before
     */
    record Heard(Wish wish, List<String> events, boolean gap, int backwards) {}

    /** What there is to compare. */
    interface Evidence {
        Connection database() throws SQLException;

        Connection audit() throws SQLException;

        RedisCommands<String, String> redis();

        /** Event ids that the receiver accepted, in order. */
        List<String> webhooks();

        List<Heard> clients();

        /** A second slot of the same publication that nobody has read. */
        String oracleSlot();
    }

    private final Evidence evidence;
    private final List<String> details = new ArrayList<>();
    private long lost;
    private long reordered;
    private Verdict.Frames frames = new Verdict.Frames(0, 0, 0);

    private Oracle(Evidence evidence) {
        this.evidence = evidence;
    }

    /** Once everything is quiet. */
    static Verdict judge(Evidence evidence) throws Exception {
        return new Oracle(evidence).judge();
    }

    private Verdict judge() throws Exception {
        cache();
        List<Audited> audit = audit();
        committed(audit);
        commitOrder(audit);
        List<Audited> small =
                audit.stream().filter(a -> !a.table.equals(Workload.BIG)).toList();
        arrival("webhook", small, evidence.webhooks(), false);
        evidence.clients().forEach(client -> frames(client, audit));
        Set<String> once = new HashSet<>(evidence.webhooks());
        return new Verdict(
                audit.size(), lost, reordered, evidence.webhooks().size() - once.size(), frames, List.copyOf(details));
    }

    private void lose(String what) {
        lost++;
        detail("lost: " + what);
    }

    private void detail(String line) {
        if (details.size() < MOST_DETAILS) {
            details.add(line);
        }
    }

    // ---------------------------------------------------------------- cache

    private void cache() throws Exception {
        List<String> tables = new ArrayList<>(Workload.TABLES);
        tables.add(Workload.BIG);
        for (String table : tables) {
            Map<String, JsonNode> cached = cached(table);
            Map<String, JsonNode> rows = rows(table);
            Set<String> keys = new LinkedHashSet<>(rows.keySet());
            keys.addAll(cached.keySet());
            for (String key : keys) {
                if (!String.valueOf(rows.get(key)).equals(String.valueOf(cached.get(key)))) {
                    lose("cache " + key + " is " + shortened(cached.get(key)) + ", the table has "
                            + shortened(rows.get(key)));
                }
            }
        }
    }

    private static String shortened(JsonNode row) {
        String text = String.valueOf(row);
        return text.length() > 80 ? text.substring(0, 80) + "…" : text;
    }

    private Map<String, JsonNode> cached(String table) throws Exception {
        Map<String, JsonNode> entries = new TreeMap<>();
        List<String> keys = evidence.redis().keys(table + ":*");
        for (int from = 0; from < keys.size(); from += 5_000) {
            List<String> part = keys.subList(from, Math.min(keys.size(), from + 5_000));
            for (var entry : evidence.redis().mget(part.toArray(String[]::new))) {
                if (entry.hasValue()) {
                    var row = (ObjectNode) JSON.readTree(entry.getValue());
                    row.remove("_version");
                    entries.put(entry.getKey(), row);
                }
            }
        }
        return entries;
    }

    private Map<String, JsonNode> rows(String table) throws SQLException {
        Map<String, JsonNode> rows = new TreeMap<>();
        try (var c = evidence.database();
                var s = c.createStatement();
                var r = s.executeQuery("SELECT id, n, v FROM " + table)) {
            while (r.next()) {
                ObjectNode row = JSON.createObjectNode();
                row.put("id", r.getLong(1));
                row.put("n", r.getLong(2));
                row.put("v", r.getString(3));
                // Parsed again, so that numbers have the type that parsing gives them.
                rows.put(table + ":" + r.getLong(1), read(row.toString()));
            }
        }
        return rows;
    }

    private static JsonNode read(String json) throws SQLException {
        try {
            return JSON.readTree(json);
        } catch (java.io.IOException e) {
            throw new SQLException(e);
        }
    }

    // ---------------------------------------------------------------- audit log

    private List<Audited> audit() throws SQLException {
        List<Audited> audit = new ArrayList<>();
        try (var c = evidence.audit();
                var s = c.createStatement();
                var r = s.executeQuery("SELECT event_id, xid, table_name, operation, json_extract(key, '$.id'),"
                        + " json_extract(event, '$.old.id'), json_extract(event, '$.new.n') FROM audit_log"
                        + " WHERE table_name LIKE 'f\\_%' ESCAPE '\\' ORDER BY seq")) {
            while (r.next()) {
                audit.add(new Audited(
                        r.getString(1),
                        r.getString(2),
                        r.getString(3),
                        r.getString(4),
                        r.getString(5),
                        r.getString(6),
                        r.getString(7)));
            }
        }
        return audit;
    }

    /** Each committed change once, none of a transaction that was rolled back. */
    private void committed(List<Audited> audit) throws SQLException {
        Map<String, Integer> balance = new HashMap<>();
        try (var c = evidence.database();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            s.setFetchSize(10_000);
            try (var r = s.executeQuery("SELECT t, op, id, n, xid FROM f_log")) {
                while (r.next()) {
                    balance.merge(
                            r.getString(1) + " " + r.getString(2) + " " + r.getString(3) + " " + r.getString(4) + " "
                                    + r.getString(5),
                            1,
                            Integer::sum);
                }
            }
        }
        for (Audited a : audit) {
            boolean hasN = a.operation.equals("INSERT") || a.operation.equals("UPDATE");
            balance.merge(
                    a.table + " " + a.operation + " " + (a.operation.equals("TRUNCATE") ? null : a.id) + " "
                            + (hasN ? a.n : null) + " " + a.xid,
                    -1,
                    Integer::sum);
        }
        balance.forEach((change, missing) -> {
            if (missing > 0) {
                lose("audit log lacks " + change);
            } else if (missing < 0) {
                lose("audit log has " + change + " " + -missing + " times too often");
            }
        });
    }

    /** Transactions stand in the order in which PostgreSQL decodes them, each one's changes together. */
    private void commitOrder(List<Audited> audit) throws SQLException {
        List<String> order = new ArrayList<>();
        for (Audited a : audit) {
            if (order.isEmpty() || !order.get(order.size() - 1).equals(a.xid)) {
                order.add(a.xid);
            }
        }
        List<String> commits = commits();
        commits.retainAll(new HashSet<>(order));
        for (int i = 0; i < Math.max(order.size(), commits.size()); i++) {
            String found = i < order.size() ? order.get(i) : null;
            String expected = i < commits.size() ? commits.get(i) : null;
            if (found == null || !found.equals(expected)) {
                reordered++;
                detail("reordered: audit log has transaction " + found + " where " + expected + " was committed");
                return;
            }
        }
    }

    /** pgoutput's message "B" ends with the xid. */
    private List<String> commits() throws SQLException {
        List<String> xids = new ArrayList<>();
        try (var c = evidence.database();
                var s = c.createStatement()) {
            c.setAutoCommit(false);
            s.setFetchSize(10_000);
            try (var r = s.executeQuery("SELECT data FROM pg_logical_slot_peek_binary_changes('" + evidence.oracleSlot()
                    + "', NULL, NULL, 'proto_version', '1', 'publication_names', 'grails_publication')"
                    + " WHERE get_byte(data, 0) = 66")) {
                while (r.next()) {
                    xids.add(Integer.toUnsignedString(
                            ByteBuffer.wrap(r.getBytes(1)).getInt(17)));
                }
            }
        }
        return xids;
    }

    // ---------------------------------------------------------------- webhooks and frames

    private void frames(Heard client, List<Audited> audit) {
        String where = "client \"" + client.wish.name() + '"';
        List<Audited> wanted = audit.stream().filter(client.wish.wants()).toList();
        long before = lost;
        arrival(where, wanted, client.events, client.gap);
        long repeats = client.events.size() - new HashSet<>(client.events).size();
        if (repeats > 0) {
            detail("repeated: " + where + " got " + repeats + " frames once more");
        }
        if (client.backwards > 0) {
            reordered += client.backwards;
            detail("reordered: " + where + " got " + client.backwards
                    + " positions that were not after the one before");
        }
        frames = frames.plus(new Verdict.Frames(wanted.size(), lost - before, repeats));
    }

    /** Every change came and nothing else did, and the first coming of each lies behind that of every earlier change of its row. */
    private void arrival(String where, List<Audited> audit, List<String> arrived, boolean hadGap) {
        Map<String, Integer> first = new HashMap<>();
        for (int i = 0; i < arrived.size(); i++) {
            first.putIfAbsent(arrived.get(i), i);
        }
        Set<String> invented = new LinkedHashSet<>(arrived);
        audit.forEach(a -> invented.remove(a.eventId));
        invented.forEach(id -> lose(where + " got " + id + ", which it had no business to get"));
        Map<String, Integer> lastOfKey = new HashMap<>();
        Map<String, Integer> lastOfTable = new HashMap<>();
        Map<String, Integer> lastTruncate = new HashMap<>();
        for (Audited a : audit) {
            Integer place = first.get(a.eventId);
            if (place == null) {
                if (!hadGap) {
                    lose(where + " lacks " + a);
                }
                continue;
            }
            int after = lastTruncate.getOrDefault(a.table, -1);
            if (a.operation.equals("TRUNCATE")) {
                after = Math.max(after, lastOfTable.getOrDefault(a.table, -1));
                lastTruncate.put(a.table, place);
            } else {
                for (String key : keys(a)) {
                    after = Math.max(after, lastOfKey.getOrDefault(key, -1));
                    lastOfKey.merge(key, place, Math::max);
                }
            }
            lastOfTable.merge(a.table, place, Math::max);
            if (place < after) {
                reordered++;
                detail("reordered: " + where + " got " + a + " as number " + place + ", after number " + after);
            }
        }
    }

    private static Set<String> keys(Audited a) {
        Set<String> keys = new HashSet<>(Set.of(a.table + ":" + a.id));
        if (a.operation.equals("UPDATE") && a.oldId != null) {
            keys.add(a.table + ":" + a.oldId);
        }
        return keys;
    }
}
