package io.walroute.lanes;

import io.walroute.change.ParkedKeys;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;

/**
 * A set of keys of tables in 16 bytes each: of a key only the first half of its SHA-256 is kept. No two keys will ever share
 * that, by chance or by anybody's choice of keys.
 *
 * <p>Open addressing with linear probing, at most half full. Not thread-safe.
 */
final class KeySet {
    private static final int FIRST_SLOTS = 16;

    private final MessageDigest sha256 = sha256();
    private final Map<String, Integer> tables = new HashMap<>();
    /** Two longs a slot; both 0 where it is free. */
    private long[] slots = new long[2 * FIRST_SLOTS];

    private int size;
    // The hash that was computed last.
    private long high;
    private long low;

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** @param key in the form of {@link ParkedKeys#key} */
    boolean add(String key) {
        int end = key.indexOf('\0');
        if (end < 0) {
            throw new IllegalArgumentException("'" + key + "' is no key of parked deliveries: the NUL is missing");
        }
        return add(key.substring(0, end), key.substring(end + 1));
    }

    boolean add(String table, String key) {
        hash(table, key);
        int slot = find();
        if (!isFree(slot)) {
            return false;
        }
        put(slot);
        size++;
        tables.merge(table, 1, Integer::sum);
        if (size * 4 > slots.length) {
            grow();
        }
        return true;
    }

    boolean remove(String table, String key) {
        if (size == 0) {
            return false;
        }
        hash(table, key);
        int slot = find();
        if (isFree(slot)) {
            return false;
        }
        free(slot);
        size--;
        tables.computeIfPresent(table, (name, keys) -> keys == 1 ? null : keys - 1);
        return true;
    }

    boolean contains(String table, String key) {
        if (size == 0 || !tables.containsKey(table)) {
            return false;
        }
        hash(table, key);
        return !isFree(find());
    }

    /** Whether any key of the table is in here. */
    boolean containsAnyOf(String table) {
        return tables.containsKey(table);
    }

    int size() {
        return size;
    }

    private void hash(String table, String key) {
        sha256.update(table.getBytes(StandardCharsets.UTF_8));
        sha256.update((byte) 0);
        ByteBuffer digest = ByteBuffer.wrap(sha256.digest(key.getBytes(StandardCharsets.UTF_8)));
        high = digest.getLong();
        low = digest.getLong() | 1; // never 0: that marks free slots
    }

    /** The slot of the last hash, or the free one where it belongs. */
    private int find() {
        int mask = slots.length / 2 - 1;
        int slot = (int) high & mask;
        while (!isFree(slot) && (slots[2 * slot] != high || slots[2 * slot + 1] != low)) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private boolean isFree(int slot) {
        return slots[2 * slot + 1] == 0;
    }

    private void put(int slot) {
        slots[2 * slot] = high;
        slots[2 * slot + 1] = low;
    }

    /** Moves later ones of the same run up, so that no search ends at the gap too early. */
    private void free(int slot) {
        int mask = slots.length / 2 - 1;
        int gap = slot;
        for (int next = (gap + 1) & mask; !isFree(next); next = (next + 1) & mask) {
            int home = (int) slots[2 * next] & mask;
            if (((next - home) & mask) >= ((next - gap) & mask)) {
                slots[2 * gap] = slots[2 * next];
                slots[2 * gap + 1] = slots[2 * next + 1];
                gap = next;
            }
        }
        slots[2 * gap] = 0;
        slots[2 * gap + 1] = 0;
    }

    private void grow() {
        long[] before = slots;
        slots = new long[before.length * 2];
        for (int i = 0; i < before.length; i += 2) {
            if (before[i + 1] != 0) {
                high = before[i];
                low = before[i + 1];
                put(find());
            }
        }
    }
}
