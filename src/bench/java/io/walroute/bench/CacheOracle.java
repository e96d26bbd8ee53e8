package io.walroute.bench;

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
import io.walroute.source.TextConverter;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/** Compares Redis with the published tables: each row must be there as it is, and nothing else. */
final class CacheOracle {
    private static final int BATCH = 500;

    private final ObjectMapper json = new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
    private final Ground ground;
    private long rows;
    private long entries;
    private String fault;

    private CacheOracle(Ground ground) {
        this.ground = ground;
    }

    /** Null if they are equal; else the first difference. */
    static String fault(Ground ground) throws SQLException, IOException {
        return new CacheOracle(ground).compare();
    }

    private String compare() throws SQLException, IOException {
        var properties = new Properties();
        properties.setProperty("options", TextConverter.DRIVER_OPTIONS);
        properties.setProperty("binaryTransfer", "false");
        RedisClient client = RedisClient.create(ground.servers.redis().url());
        try (var redis = client.connect();
                Connection database = DriverManager.getConnection(ground.servers.jdbcUrl(), properties);
                var s = database.createStatement();
                ResultSet tables = s.executeQuery("SELECT p.tablename, a.attname FROM pg_publication_tables p"
                        + " JOIN pg_class c ON c.relname = p.tablename AND c.relnamespace = 'public'::regnamespace"
                        + " JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
                        + " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
                        + " WHERE p.pubname = '" + Ground.PUBLICATION + "' ORDER BY 1")) {
            while (tables.next() && fault == null) {
                compare(database, redis.sync(), tables.getString(1), tables.getString(2));
            }
        } finally {
            client.shutdown();
        }
        return fault != null || entries == rows ? fault : entries + " entries for " + rows + " rows";
    }

    private void compare(Connection database, RedisCommands<String, String> redis, String table, String key)
            throws SQLException, IOException {
        database.setAutoCommit(false);
        try (var select = database.createStatement()) {
            select.setFetchSize(BATCH);
            try (ResultSet found = select.executeQuery("SELECT * FROM " + table)) {
                Map<String, String> batch = new LinkedHashMap<>();
                while (found.next() && fault == null) {
                    batch.put(table + ":" + found.getString(key), ChangeJson.writeRow(row(found)));
                    if (batch.size() == BATCH) {
                        compare(redis, batch);
                    }
                }
                compare(redis, batch);
            }
        }
        database.rollback();
        var scan =
                ScanIterator.scan(redis, ScanArgs.Builder.matches(table + ":*").limit(1000));
        var seen = new java.util.HashSet<String>(); // SCAN may give a key twice
        while (scan.hasNext()) {
            entries += seen.add(scan.next()) ? 1 : 0;
        }
    }

    /** Values as the stream gives them. */
    private static Map<String, Object> row(ResultSet found) throws SQLException {
        var columns = found.getMetaData();
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            String text = found.getString(i);
            // The driver calls an integer with a sequence as CREATE TABLE does.
            String type = columns.getColumnTypeName(i).equals("bigserial") ? "int8" : columns.getColumnTypeName(i);
            row.put(
                    columns.getColumnName(i),
                    text == null ? null : PgType.of(type).convert(text));
        }
        return row;
    }

    private void compare(RedisCommands<String, String> redis, Map<String, String> batch) throws IOException {
        if (batch.isEmpty()) {
            return;
        }
        rows += batch.size();
        for (KeyValue<String, String> entry : redis.mget(batch.keySet().toArray(String[]::new))) {
            String expected = batch.get(entry.getKey());
            if (!entry.hasValue()) {
                fault = entry.getKey() + " is missing from Redis";
            } else {
                JsonNode found = json.readTree(entry.getValue());
                ((ObjectNode) found).remove("_version");
                if (!json.readTree(expected).equals(found)) {
                    fault = entry.getKey() + " differs: the table has " + expected + ", Redis " + found;
                }
            }
        }
        batch.clear();
    }
}
