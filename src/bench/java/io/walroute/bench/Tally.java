package io.walroute.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.postgresql.PGConnection;
import org.postgresql.PGProperty;
import org.postgresql.replication.PGReplicationStream;

/**
 * What a slot holds, counted from pgoutput's messages by a bare replication stream that decodes no column: how many changes of
 * which table, and how many up to which LSN. It is also the reader that stands in for pg_recvlogical where that is missing.
 *
 * @param byKind changes by table and operation, as {@code listings.UPDATE}
 * @param upTo how many changes were committed up to the end LSN of a transaction; not every transaction is kept
 * @param seconds from the first message to the last
 */
record Tally(long changes, Map<String, Long> byKind, NavigableMap<Long, Long> upTo, double seconds) {
    private static final int KEPT_EVERY = 200;

    /** Reads the slot up to the transaction that ends the backlog: the one that changes {@code bench_end}. */
    static Tally read(String jdbcUrl, String slot, String publication) throws SQLException {
        var properties = new Properties();
        PGProperty.REPLICATION.set(properties, "database");
        PGProperty.ASSUME_MIN_SERVER_VERSION.set(properties, "10");
        PGProperty.PREFER_QUERY_MODE.set(properties, "simple");
        try (Connection connection = DriverManager.getConnection(jdbcUrl, properties);
                PGReplicationStream stream = connection
                        .unwrap(PGConnection.class)
                        .getReplicationAPI()
                        .replicationStream()
                        .logical()
                        .withSlotName(slot)
                        .withSlotOption("proto_version", 1)
                        .withSlotOption("publication_names", publication)
                        .withStatusInterval(1, TimeUnit.SECONDS)
                        .start()) {
            return read(stream);
        }
    }

    private static Tally read(PGReplicationStream stream) throws SQLException {
        Map<Integer, String> tables = new HashMap<>();
        Map<String, Long> byKind = new TreeMap<>();
        NavigableMap<Long, Long> upTo = new TreeMap<>();
        long changes = 0;
        long begin = 0;
        boolean last = false;
        for (long transactions = 0; ; ) {
            ByteBuffer message = stream.readPending();
            if (message == null) {
                LockSupport.parkNanos(200_000);
                continue;
            }
            begin = begin == 0 ? System.nanoTime() : begin;
            char type = (char) message.get();
            switch (type) {
                case 'R' -> {
                    int oid = message.getInt();
                    String schema = text(message);
                    String name = text(message);
                    tables.put(oid, schema.equals("public") ? name : schema + "." + name);
                }
                case 'I', 'U', 'D' -> {
                    String table = tables.get(message.getInt());
                    String operation = type == 'I' ? "INSERT" : type == 'U' ? "UPDATE" : "DELETE";
                    byKind.merge(table + "." + operation, 1L, Long::sum);
                    last = table.equals(Ground.END_TABLE);
                    changes++;
                }
                case 'C' -> {
                    message.get();
                    message.getLong();
                    long end = message.getLong();
                    if (++transactions % KEPT_EVERY == 0 || last) {
                        upTo.put(end, changes);
                    }
                    if (last) {
                        return new Tally(changes, byKind, upTo, (System.nanoTime() - begin) / 1e9);
                    }
                }
                default -> {} // begin, type, truncate
            }
        }
    }

    private static String text(ByteBuffer message) {
        int start = message.position();
        while (message.get() != 0) {
            // up to the end of the C string
        }
        int length = message.position() - start - 1;
        return new String(message.array(), message.arrayOffset() + start, length, StandardCharsets.UTF_8);
    }

    /** How many of the changes lie at or before an LSN, as near as the kept transactions tell. */
    long changesUpTo(long lsn) {
        Map.Entry<Long, Long> entry = upTo.floorEntry(lsn);
        return entry == null ? 0 : entry.getValue();
    }

    long sum(String... kinds) {
        long sum = 0;
        for (String kind : kinds) {
            sum += byKind.getOrDefault(kind, 0L);
        }
        return sum;
    }
}
