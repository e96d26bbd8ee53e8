package io.walroute.change;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * One committed change of one row (or one TRUNCATE of one table), as it goes out on every wire.
 *
 * <p>Immutable, and safe to share between routes and threads. Column values are what Jackson writes as they stand: String,
 * Long, Double, Float, Boolean, {@link RawJson}, a List of these, or null. Maps keep the table's column order.
 */
public final class ChangeEvent {
    private final Operation operation;
    private final String schema;
    private final String table;
    private final Instant timestamp;
    private final Map<String, Object> key;
    private final Map<String, Object> oldRow;
    private final Map<String, Object> newRow;
    private final List<String> changedColumns;
    private final List<String> unavailableColumns;
    private final List<String> redactedColumns;
    private final Version version;
    private final long xid;
    private final boolean snapshot;
    private final boolean replayed;
    private final String id;

    // Computed once and only when asked for; a race computes an equal value twice. An array needs volatile for its
    // bytes
    // to be seen by the thread that sees the array; a String does not.
    private volatile byte[] json;
    private String keyText;
    private String oldKeyText;
    private String lsnText;
    private int roughBytes;

    private ChangeEvent(Builder b) {
        operation = Objects.requireNonNull(b.operation, "operation");
        schema = Objects.requireNonNull(b.schema, "schema");
        table = Objects.requireNonNull(b.table, "table");
        timestamp = Objects.requireNonNull(b.timestamp, "timestamp");
        version = Objects.requireNonNull(b.version, "version");
        key = unmodifiable(b.key);
        oldRow = unmodifiable(b.oldRow);
        newRow = unmodifiable(b.newRow);
        changedColumns = b.changedColumns == null ? null : List.copyOf(b.changedColumns);
        unavailableColumns = List.copyOf(b.unavailableColumns);
        redactedColumns = List.copyOf(b.redactedColumns);
        xid = b.xid;
        snapshot = b.snapshot;
        replayed = b.replayed;
        id = b.id != null ? b.id : id(b);
    }

    private static Map<String, Object> unmodifiable(Map<String, Object> columns) {
        return columns == null || columns instanceof RowMap ? columns : Collections.unmodifiableMap(columns);
    }

    private String id(Builder b) {
        return operation == Operation.READ
                ? EventId.ofRead(version, schema, table, b.backfill, keyText())
                : EventId.of(version, schema, table);
    }

    /** The same for the same change however often it is delivered; different for any two changes. Opaque. */
    public String id() {
        return id;
    }

    public Operation operation() {
        return operation;
    }

    public String schema() {
        return schema;
    }

    public String table() {
        return table;
    }

    /** The table's name as keys and webhook types use it: without schema for {@code public}, else {@code schema.table}. */
    public String qualifiedTable() {
        return schema.equals("public") ? table : schema + "." + table;
    }

    /** The commit time. */
    public Instant timestamp() {
        return timestamp;
    }

    /** The primary key's columns in key order, after the change; null where the table has none, and for a TRUNCATE. */
    public Map<String, Object> key() {
        return key;
    }

    /** What the replica identity gives of the row before the change; null where it gives nothing. */
    public Map<String, Object> oldRow() {
        return oldRow;
    }

    /** The row after the change, without {@link #unavailableColumns()}; null for a DELETE and a TRUNCATE. */
    public Map<String, Object> newRow() {
        return newRow;
    }

    /** The columns whose value an UPDATE changed; null when that can't be known. */
    public List<String> changedColumns() {
        return changedColumns;
    }

    /** TOASTed columns that the WAL left out because they didn't change; never null. */
    public List<String> unavailableColumns() {
        return unavailableColumns;
    }

    /**
     * In a sink's copy: the columns whose values were masked, hashed or shortened before they left; dropped ones aren't named.
     * Never null.
     */
    public List<String> redactedColumns() {
        return redactedColumns;
    }

    public Version version() {
        return version;
    }

    public Lsn lsn() {
        return version.lsn();
    }

    /** {@link #lsn()} as PostgreSQL writes it. */
    public String lsnText() {
        String text = lsnText;
        if (text == null) {
            text = version.lsn().toString();
            lsnText = text;
        }
        return text;
    }

    public long xid() {
        return xid;
    }

    /** What its rows take in memory, roughly, in bytes: enough to bound wide rows, and asked for by each lane. */
    public int roughBytes() {
        int bytes = roughBytes;
        if (bytes == 0) {
            bytes = (int) Math.min(Integer.MAX_VALUE, RoughBytes.of(this));
            roughBytes = bytes;
        }
        return bytes;
    }

    /** Whether the row was read by a snapshot or backfill. */
    public boolean snapshot() {
        return snapshot;
    }

    /** Whether the change comes from the audit log, not from the stream. */
    public boolean replayed() {
        return replayed;
    }

    /** Whether the column's value is known to have changed; false when that can't be known. */
    public boolean changed(String column) {
        return changedColumns != null && changedColumns.contains(column);
    }

    /** Whether an UPDATE is known to have changed the primary key. */
    public boolean keyChanged() {
        return operation == Operation.UPDATE && !Objects.equals(keyText(), oldKeyText());
    }

    /**
     * The primary key as one text, columns joined by {@code :} in key order, with {@code :} and {@code %} in values
     * percent-encoded; the last part of the change's cache key. Null where the table has no primary key.
     */
    public String keyText() {
        String text = keyText;
        if (text == null && key != null) {
            text = KeyText.of(key.values());
            keyText = text;
        }
        return text;
    }

    /** {@link #keyText()} before the change: as after it unless {@code old} has other values in the key's columns. */
    public String oldKeyText() {
        String text = oldKeyText;
        if (text == null) {
            text = textOfOldKey();
            oldKeyText = text;
        }
        return text;
    }

    private String textOfOldKey() {
        // Nearly always it is the same, and this is asked of every change.
        if (key == null || oldRow == null || hasOldKey() || !oldRow.keySet().containsAll(key.keySet())) {
            return keyText();
        }
        return KeyText.of(key.keySet().stream().map(oldRow::get).toList());
    }

    private boolean hasOldKey() {
        for (var column : key.entrySet()) {
            if (!Objects.equals(column.getValue(), oldRow.get(column.getKey()))) {
                return false;
            }
        }
        return true;
    }

    /** The contract's JSON, UTF-8. Encoded once: callers must not change the array. */
    public byte[] toJson() {
        byte[] bytes = json;
        if (bytes == null) {
            bytes = ChangeJson.write(this);
            json = bytes;
        }
        return bytes;
    }

    /**
     * The inverse of {@link #toJson()}.
     *
     * @throws IllegalArgumentException if the text is no change event; the message says what is wrong with it
     */
    public static ChangeEvent fromJson(byte[] json) {
        return ChangeJson.read(new String(json, StandardCharsets.UTF_8));
    }

    /** This change as a replay sends it: the same in everything but {@link #replayed()}. */
    public ChangeEvent asReplayed() {
        return replayed ? this : toBuilder().replayed(true).build();
    }

    @Override
    public String toString() {
        return new String(toJson(), StandardCharsets.UTF_8);
    }

    // Accessors for Camel's Simple language, which calls getters: ${body.new[price_wei]}, ${body.operation}. None for
    // booleans:
    // ${body.replayed} finds replayed() itself, and beside an isReplayed() it would be ambiguous.

    public String getId() {
        return id;
    }

    public String getOperation() {
        return operation.name();
    }

    public String getSchema() {
        return schema;
    }

    public String getTable() {
        return table;
    }

    public String getQualifiedTable() {
        return qualifiedTable();
    }

    public Instant getTimestamp() {
        return timestamp;
    }

    public Map<String, Object> getKey() {
        return key;
    }

    public Map<String, Object> getOld() {
        return oldRow;
    }

    public Map<String, Object> getNew() {
        return newRow;
    }

    public List<String> getChangedColumns() {
        return changedColumns;
    }

    public String getLsn() {
        return lsnText();
    }

    public long getXid() {
        return xid;
    }

    public Builder toBuilder() {
        var b = new Builder(operation, schema, table, timestamp, version);
        b.key = key;
        b.oldRow = oldRow;
        b.newRow = newRow;
        b.changedColumns = changedColumns;
        b.unavailableColumns = unavailableColumns;
        b.redactedColumns = redactedColumns;
        b.xid = xid;
        b.snapshot = snapshot;
        b.replayed = replayed;
        b.id = id;
        return b;
    }

    public static Builder builder(
            Operation operation, String schema, String table, Instant timestamp, Version version) {
        return new Builder(operation, schema, table, timestamp, version);
    }

    /** Takes maps as they are: the caller gives them away. */
    public static final class Builder {
        private final Operation operation;
        private final String schema;
        private final String table;
        private final Instant timestamp;
        private final Version version;
        private Map<String, Object> key;
        private Map<String, Object> oldRow;
        private Map<String, Object> newRow;
        private List<String> changedColumns;
        private List<String> unavailableColumns = List.of();
        private List<String> redactedColumns = List.of();
        private long xid;
        private boolean snapshot;
        private boolean replayed;
        private String id;
        private String backfill = "";

        private Builder(Operation operation, String schema, String table, Instant timestamp, Version version) {
            this.operation = operation;
            this.schema = schema;
            this.table = table;
            this.timestamp = timestamp;
            this.version = version;
        }

        public Builder key(Map<String, Object> columns) {
            key = columns;
            return this;
        }

        /** A key of one column. */
        public Builder key(String column, Object value) {
            var columns = new LinkedHashMap<String, Object>();
            columns.put(column, value);
            return key(columns);
        }

        public Builder oldRow(Map<String, Object> row) {
            oldRow = row;
            return this;
        }

        public Builder newRow(Map<String, Object> row) {
            newRow = row;
            return this;
        }

        public Builder changedColumns(List<String> columns) {
            changedColumns = columns;
            return this;
        }

        public Builder unavailableColumns(List<String> columns) {
            unavailableColumns = columns;
            return this;
        }

        public Builder redactedColumns(List<String> columns) {
            redactedColumns = columns;
            return this;
        }

        public Builder xid(long value) {
            xid = value;
            return this;
        }

        public Builder snapshot(boolean value) {
            snapshot = value;
            return this;
        }

        public Builder replayed(boolean value) {
            replayed = value;
            return this;
        }

        /** The name of the backfill that read the row: a part of the id of a {@link Operation#READ}. */
        public Builder backfill(String name) {
            backfill = name;
            return this;
        }

        /** Left out, the id follows from version, schema and table, and for a READ from backfill and key. */
        public Builder id(String value) {
            id = value;
            return this;
        }

        public ChangeEvent build() {
            return new ChangeEvent(this);
        }
    }
}
