package io.walroute.load;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisClient;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanIterator;
import io.lettuce.core.api.sync.RedisCommands;
import io.walroute.change.ChangeJson;
import io.walroute.change.PgType;
import io.walroute.settings.Settings;
import io.walroute.slot.TableName;
import io.walroute.source.TextConverter;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

/**
 * Compares the cache with the tables, row for row and entry for entry, once nothing is on its way any more. A row that isn't in
 * the cache and didn't change since the run began was never put there: that isn't the stream's doing, and counts apart.
 */
final class CacheCheck {
    /**
     * @param rows how many the tables have
     * @param missing rows whose changes never reached the cache
     * @param different entries that don't hold what the row does
     * @param stale entries without a row
     * @param notWarmed rows of before the run that no backfill has read
     * @param details the first few faults, a line each
     */
    record Result(
            long rows,
            long missing,
            long different,
            long stale,
            @JsonProperty("not_warmed") long notWarmed,
            List<String> details) {
        boolean passed() {
            return missing == 0 && different == 0 && stale == 0;
        }
    }

    private static final int BATCH = 500;
    private static final int MOST_DETAILS = 10;
    private static final Map<String, String> KEYS = Map.of("listings", "id", "offers", "id", "ens_names", "token_id");

    private final Settings settings;
    private final AuditCheck audit;
    private final ObjectMapper json = new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
    private final List<String> details = new ArrayList<>();
    private long rows;
    private long missing;
    private long different;
    private long stale;
    private long notWarmed;

    private CacheCheck(Settings settings, AuditCheck audit) {
        this.settings = settings;
        this.audit = audit;
    }

    static Result run(Settings settings, AuditCheck audit) throws SQLException, IOException {
        return new CacheCheck(settings, audit).run();
    }

    private Result run() throws SQLException, IOException {
        RedisClient client = RedisClient.create(settings.redisUrl().orElseThrow());
        try (var redis = client.connect();
                Connection database = connect()) {
            for (String table : KEYS.keySet().stream().sorted().toList()) {
                compare(database, redis.sync(), table);
            }
        } finally {
            client.shutdown();
        }
        return new Result(rows, missing, different, stale, notWarmed, List.copyOf(details));
    }

    /** Values as the stream gives them. */
    private Connection connect() throws SQLException {
        var properties = new Properties();
        properties.putAll(settings.databaseUrl().properties());
        properties.setProperty("options", TextConverter.DRIVER_OPTIONS);
        properties.setProperty("binaryTransfer", "false");
        Connection connection =
                DriverManager.getConnection(settings.databaseUrl().jdbcUrl(), properties);
        connection.setAutoCommit(false);
        return connection;
    }

    private void compare(Connection database, RedisCommands<String, String> redis, String table)
            throws SQLException, IOException {
        String prefix = CacheKeys.prefix(settings, table);
        Set<String> keys = new HashSet<>();
        try (var select = database.createStatement()) {
            select.setFetchSize(BATCH);
            try (ResultSet found = select.executeQuery("SELECT *, " + expiry(table) + " FROM public." + table)) {
                Map<String, Map<String, Object>> batch = new LinkedHashMap<>();
                Set<String> mayBeGone = new HashSet<>();
                while (found.next()) {
                    String key = prefix + CacheKeys.encode(found.getString(KEYS.get(table)));
                    keys.add(key);
                    batch.put(key, row(found));
                    if (hasTtl(table) || found.getBoolean(found.getMetaData().getColumnCount())) {
                        mayBeGone.add(key);
                    }
                    if (batch.size() == BATCH) {
                        compare(redis, table, batch, mayBeGone);
                    }
                }
                compare(redis, table, batch, mayBeGone);
            }
        } finally {
            database.rollback();
        }
        rows += keys.size();
        findStale(redis, prefix, keys);
    }

    /** An offer's entry goes by itself at its end. */
    private static String expiry(String table) {
        return table.equals("offers")
                ? "coalesce(expires_at < clock_timestamp() + interval '2 seconds', false)"
                : "false";
    }

    private boolean hasTtl(String table) {
        var of = settings.tableSettings().get(new TableName("public", table));
        return of != null && of.cacheTtl().isPresent();
    }

    private static Map<String, Object> row(ResultSet found) throws SQLException {
        var columns = found.getMetaData();
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 1; i < columns.getColumnCount(); i++) {
            String text = found.getString(i);
            // The driver calls an integer with a sequence as CREATE TABLE does.
            String type = columns.getColumnTypeName(i).equals("bigserial") ? "int8" : columns.getColumnTypeName(i);
            row.put(
                    columns.getColumnName(i),
                    text == null ? null : PgType.of(type).convert(text));
        }
        return row;
    }

    private void compare(
            RedisCommands<String, String> redis,
            String table,
            Map<String, Map<String, Object>> batch,
            Set<String> mayBeGone)
            throws SQLException, IOException {
        if (!batch.isEmpty()) {
            for (KeyValue<String, String> entry : redis.mget(batch.keySet().toArray(String[]::new))) {
                Map<String, Object> row = batch.get(entry.getKey());
                if (entry.hasValue()) {
                    compare(entry.getKey(), row, entry.getValue());
                } else if (!mayBeGone.contains(entry.getKey())) {
                    absent(entry.getKey(), table, row);
                }
            }
        }
        batch.clear();
        mayBeGone.clear();
    }

    private void compare(String key, Map<String, Object> row, String entry) {
        try {
            JsonNode expected = json.readTree(ChangeJson.writeRow(row));
            JsonNode found = json.readTree(entry);
            if (found instanceof ObjectNode object) {
                object.remove("_version");
            }
            if (!expected.equals(found)) {
                different++;
                detail(key + " holds another row than the table: " + firstDifference(expected, found));
            }
        } catch (IOException e) {
            different++;
            detail(key + " holds no JSON");
        }
    }

    private static String firstDifference(JsonNode expected, JsonNode found) {
        for (var columns = expected.fieldNames(); columns.hasNext(); ) {
            String column = columns.next();
            if (!expected.get(column).equals(found.get(column))) {
                return column + " is " + shortened(found.get(column)) + ", expected " + shortened(expected.get(column));
            }
        }
        return "it has columns that the table lacks";
    }

    private static String shortened(JsonNode value) {
        String text = String.valueOf(value);
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }

    private void absent(String key, String table, Map<String, Object> row) throws SQLException {
        String keyColumn = KEYS.get(table);
        Map<String, Object> keyOfRow = new LinkedHashMap<>();
        keyOfRow.put(keyColumn, row.get(keyColumn));
        if (audit.changedSinceBegin(table, ChangeJson.writeRow(keyOfRow))) {
            missing++;
            detail(key + " is missing");
        } else {
            notWarmed++;
        }
    }

    private void findStale(RedisCommands<String, String> redis, String prefix, Set<String> keys) {
        String pattern = prefix.replaceAll("([\\\\*?\\[\\]])", "\\\\$1") + "*";
        var scan = ScanIterator.scan(redis, ScanArgs.Builder.matches(pattern).limit(1000));
        Set<String> reported = new HashSet<>(); // SCAN may give a key twice
        while (scan.hasNext()) {
            String key = scan.next();
            if (!keys.contains(key) && reported.add(key)) {
                stale++;
                detail(key + " is still there, though the table has no such row");
            }
        }
    }

    private void detail(String line) {
        if (details.size() < MOST_DETAILS) {
            details.add(line);
        }
    }
}
