package io.walroute.slot;

import io.walroute.change.Lsn;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Counts by table what pgoutput (protocol 1) says, message by message in their order. Of a row's message only the first five
 * bytes are needed. For one thread.
 */
final class TransactionTally {
    private static final Instant POSTGRES_EPOCH = Instant.parse("2000-01-01T00:00:00Z");
    private static final int INSERTS = 0;
    private static final int UPDATES = 1;
    private static final int DELETES = 2;
    private static final int TRUNCATES = 3;

    private final Predicate<Lsn> wanted;
    private final Map<Integer, String> names = new HashMap<>();
    private final Map<Integer, long[]> counts = new LinkedHashMap<>();
    private long xid;
    private Lsn commit;
    private Instant committedAt;
    private Lsn first;
    private boolean hit;
    private long transactions;
    private long changes;

    /** @param wanted tells by the LSN of a change whether its transaction is looked for */
    TransactionTally(Predicate<Lsn> wanted) {
        this.wanted = wanted;
    }

    /**
     * @param lsn of the message, as the server gives it beside
     * @return at its end, a transaction with changes
     */
    Optional<SlotTransaction> take(Lsn lsn, byte[] message) {
        var bytes = ByteBuffer.wrap(message);
        switch (bytes.get()) {
            case 'B' -> begin(bytes);
            case 'R' -> names.put(bytes.getInt(), name(text(bytes), text(bytes)));
            case 'I' -> count(lsn, bytes.getInt(), INSERTS);
            case 'U' -> count(lsn, bytes.getInt(), UPDATES);
            case 'D' -> count(lsn, bytes.getInt(), DELETES);
            case 'T' -> truncate(lsn, bytes);
            case 'C' -> {
                transactions++;
                return counts.isEmpty() ? Optional.empty() : Optional.of(transaction());
            }
            default -> {} // types, origins, messages: no change
        }
        return Optional.empty();
    }

    private void begin(ByteBuffer bytes) {
        commit = new Lsn(bytes.getLong());
        committedAt = POSTGRES_EPOCH.plus(bytes.getLong(), ChronoUnit.MICROS);
        xid = Integer.toUnsignedLong(bytes.getInt());
        first = null;
        hit = wanted.test(commit);
        counts.clear();
    }

    private void truncate(Lsn lsn, ByteBuffer bytes) {
        int tables = bytes.getInt();
        bytes.get(); // CASCADE, RESTART IDENTITY
        for (int i = 0; i < tables; i++) {
            count(lsn, bytes.getInt(), TRUNCATES);
        }
    }

    private void count(Lsn lsn, int table, int what) {
        counts.computeIfAbsent(table, added -> new long[4])[what]++;
        first = first == null || lsn.compareTo(first) < 0 ? lsn : first;
        hit |= wanted.test(lsn);
        changes++;
    }

    private SlotTransaction transaction() {
        List<SlotTransaction.Table> tables = new ArrayList<>();
        counts.forEach((table, n) -> tables.add(new SlotTransaction.Table(
                names.getOrDefault(table, "table " + Integer.toUnsignedString(table)),
                n[INSERTS],
                n[UPDATES],
                n[DELETES],
                n[TRUNCATES])));
        return new SlotTransaction(xid, first, commit, committedAt, List.copyOf(tables));
    }

    /** Whether the transaction under way, or the last one, has a wanted LSN. */
    boolean isHit() {
        return hit;
    }

    /** Of the transaction under way, or the last one; null before the first. */
    Lsn commit() {
        return commit;
    }

    long transactions() {
        return transactions;
    }

    long changes() {
        return changes;
    }

    private static String name(String schema, String table) {
        return schema.equals("public") ? table : (schema.isEmpty() ? "pg_catalog" : schema) + "." + table;
    }

    private static String text(ByteBuffer bytes) {
        int from = bytes.position();
        while (bytes.get() != 0) {
            // to its end
        }
        return new String(bytes.array(), from, bytes.position() - 1 - from, StandardCharsets.UTF_8);
    }
}
