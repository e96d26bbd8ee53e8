package io.walroute.source;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeHeaders;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.PgType;
import io.walroute.change.RowMap;
import io.walroute.change.SharedHeaders;
import io.walroute.change.Version;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.camel.Exchange;
import org.apache.camel.component.debezium.DebeziumConstants;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns Debezium's records into change events. Knows one engine's life: it must see every record in order, from the first,
 * since an event's id counts the changes of its table at its LSN. Used from the engine's thread only.
 *
 * <p>Expects {@link TextConverter} on every column, so that each value is PostgreSQL's text and its type stands in the
 * schema's name.
 */
final class DebeziumReader {
    private static final Logger LOG = LoggerFactory.getLogger(DebeziumReader.class);
    private static final String NEW_KEY = "__debezium.newkey";
    private static final String OLD_KEY = "__debezium.oldkey";
    private static final String TYPE_PREFIX = "pg.";
    // Schemas change with every ALTER TABLE; old ones are only worth keeping while changes under them may still come.
    private static final int MAX_PLANS = 2_000;
    /** What a change costs beside its texts: event, maps, exchange, ledger entry (a heap dump showed about 2 kB). */
    private static final int OVERHEAD_BYTES = 2_000;

    /** In the order of {@link #exchange}'s values. */
    private static final SharedHeaders.Names HEADERS = new SharedHeaders.Names(List.of(
            DebeziumConstants.HEADER_IDENTIFIER,
            DebeziumConstants.HEADER_KEY,
            DebeziumConstants.HEADER_SOURCE_METADATA,
            DebeziumConstants.HEADER_OPERATION,
            DebeziumConstants.HEADER_BEFORE,
            DebeziumConstants.HEADER_TIMESTAMP,
            DebeziumConstants.HEADER_DDL_SQL,
            Exchange.MESSAGE_TIMESTAMP,
            ChangeHeaders.TABLE,
            ChangeHeaders.SCHEMA,
            ChangeHeaders.OPERATION,
            ChangeHeaders.EVENT_ID,
            ChangeHeaders.LSN,
            ChangeHeaders.XID));

    private final Epochs epochs;
    private final TableCatalog catalog;
    private final Set<String> excluded;
    private final Map<Long, List<SkipRule>> skips;
    private final Map<Schema, Plan> plans = new IdentityHashMap<>();
    private final Map<Schema, Shape> shapes = new IdentityHashMap<>();
    private Shape lastShape;

    private long lastLsn = -1;
    private long lastXid = -1;
    /** The table of the first change at that LSN. */
    private TableId first;
    /** Changes of each table at that LSN; null while there is only one. */
    private Map<TableId, Integer> positions;

    private final Map<TableId, Names> known = new HashMap<>();
    private Names lastNames;
    private SourceRecord keyChangeDelete;

    /**
     * @param excluded tables to leave out, as {@code schema.table}
     * @param skips transactions to pass over
     */
    DebeziumReader(Epochs epochs, TableCatalog catalog, Set<String> excluded, List<SkipRule> skips) {
        this.skips = skips.stream().collect(Collectors.groupingBy(SkipRule::xid));
        this.epochs = epochs;
        this.catalog = catalog;
        this.excluded = excluded;
    }

    /** An item's mark: what of its record is needed to confirm it. Thousands may wait for a slow change before them. */
    record Mark(Map<String, ?> partition, Map<String, ?> offset) {
        private Mark(SourceRecord record) {
            this(record.sourcePartition(), record.sourceOffset());
        }
    }

    /** Empty for a record that has nothing to say by itself (the first half of a key change, an excluded table). */
    Optional<Item> read(SourceRecord record) throws SQLException {
        if (!(record.value() instanceof Struct value)) {
            return Optional.of(Item.boundary(Item.Kind.TICK, new Mark(record), position(record)));
        }
        Shape shape = shape(value.schema());
        if (shape.op == null) {
            return Optional.of(Item.boundary(boundary(value), new Mark(record), position(record)));
        }
        String operation = (String) value.get(shape.op);
        SkipRule skip = skips.isEmpty() || operation.equals("m") ? null : skip(value.getStruct("source"));
        if (skip != null) {
            return skipped(skip, record, value, operation);
        }
        return operation.equals("m")
                ? Optional.of(message(value, new Mark(record), position(record)))
                : Optional.ofNullable(change(record, value, operation));
    }

    private Shape shape(Schema schema) {
        Shape last = lastShape;
        if (last == null || last.schema != schema) {
            if (shapes.size() >= MAX_PLANS) {
                shapes.clear();
            }
            last = shapes.computeIfAbsent(schema, Shape::new);
            lastShape = last;
        }
        return last;
    }

    /** Where the parts of a record stand: looking them up by name costs more than reading them. */
    private static final class Shape {
        private final Schema schema;
        /** Null if the records are no changes. */
        private final Field op;

        private final Field source;
        private final Field before;
        private final Field at;
        private final Field schemaName;
        private final Field table;
        private final Field lsn;
        private final Field xid;
        private final Field commitMicros;

        Shape(Schema schema) {
            this.schema = schema;
            op = schema.field("op");
            source = schema.field("source");
            before = schema.field("before");
            at = schema.field("ts_ms");
            Schema of = source == null ? null : source.schema();
            schemaName = of == null ? null : of.field("schema");
            table = of == null ? null : of.field("table");
            lsn = of == null ? null : of.field("lsn");
            xid = of == null ? null : of.field("txId");
            commitMicros = of == null ? null : of.field("ts_us");
        }

        Struct source(Struct value) {
            return (Struct) value.get(source);
        }
    }

    /** Null for the first half of a key change, and for an excluded table. */
    private Item change(SourceRecord record, Struct value, String operation) throws SQLException {
        return switch (operation) {
            case "c" -> insert(record, value);
            case "u" -> update(record, value, null);
            case "d" -> delete(record, value);
            case "t" -> truncate(record, value);
            default ->
                throw new IllegalStateException(
                        "the engine sent an operation '" + operation + "', which it never should");
        };
    }

    private SkipRule skip(Struct source) {
        List<SkipRule> ofXid = skips.get(source.getInt64("txId"));
        if (ofXid == null) {
            return null;
        }
        var lsn = new Lsn(source.getInt64("lsn"));
        for (SkipRule rule : ofXid) {
            if (rule.covers(rule.xid(), lsn, committedAt(source))) {
                return rule;
            }
        }
        return null;
    }

    private Optional<Item> skipped(SkipRule rule, SourceRecord record, Struct value, String operation)
            throws SQLException {
        Item read = readIfPossible(record, value, operation);
        Struct source = value.getStruct("source");
        String schema = source.getString("schema");
        String table = source.getString("table");
        boolean halfOfAnother = record.headers().lastWithName(NEW_KEY) != null;
        if (halfOfAnother || excluded.contains(schema + "." + table)) {
            return Optional.empty();
        }
        Operation what =
                switch (operation) {
                    case "c" -> record.headers().lastWithName(OLD_KEY) != null ? Operation.UPDATE : Operation.INSERT;
                    case "u" -> Operation.UPDATE;
                    case "d" -> Operation.DELETE;
                    default -> Operation.TRUNCATE;
                };
        return Optional.of(Item.skipped(rule, schema.equals("public") ? table : schema + "." + table, what, read));
    }

    /** Null if it isn't: what can't be read may be the reason why it is passed over. */
    private Item readIfPossible(SourceRecord record, Struct value, String operation) throws SQLException {
        try {
            return change(record, value, operation);
        } catch (RuntimeException e) {
            LOG.debug("A change that is passed over can't be read", e);
            return null;
        }
    }

    /** Transaction metadata have a status; the engine's own heartbeat has none. */
    private static Item.Kind boundary(Struct value) {
        if (value.schema().field("status") == null) {
            return Item.Kind.TICK;
        }
        return "END".equals(value.getString("status")) ? Item.Kind.END : Item.Kind.BEGIN;
    }

    private static Item message(Struct value, Mark mark, Lsn position) {
        Struct message = value.getStruct("message");
        Object content = message.get("content");
        byte[] bytes;
        if (content instanceof byte[] array) {
            bytes = array;
        } else if (content instanceof ByteBuffer buffer) {
            bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
        } else {
            bytes = String.valueOf(content).getBytes(StandardCharsets.UTF_8);
        }
        return Item.heartbeat(new String(bytes, StandardCharsets.UTF_8), mark, position);
    }

    /** Where the engine moves the slot when the record is confirmed; null if that moves nothing. */
    private static Lsn position(SourceRecord record) {
        Object commit =
                record.sourceOffset() == null ? null : record.sourceOffset().get("lsn_commit");
        Object processed =
                record.sourceOffset() == null ? null : record.sourceOffset().get("lsn_proc");
        Object position = commit != null ? commit : processed;
        return position instanceof Long lsn ? new Lsn(lsn) : null;
    }

    private Item insert(SourceRecord record, Struct value) throws SQLException {
        if (keyChangeDelete != null && record.headers().lastWithName(OLD_KEY) != null) {
            SourceRecord delete = keyChangeDelete;
            keyChangeDelete = null;
            return update(record, value, ((Struct) delete.value()).getStruct("before"));
        }
        Row row = row(value, "after");
        var event = event(Operation.INSERT, value);
        if (event == null) {
            return null;
        }
        event.newRow(row.columns).unavailableColumns(row.unavailable);
        event.key(key(row.plan, record, row.columns));
        return item(record, event.build(), row.bytes);
    }

    /** @param movedFrom the old row of a changed primary key, which comes by a record of its own; else null */
    private Item update(SourceRecord record, Struct value, Struct movedFrom) throws SQLException {
        Row row = row(value, "after");
        var event = event(Operation.UPDATE, value);
        if (event == null) {
            return null;
        }
        event.newRow(row.columns).unavailableColumns(row.unavailable);
        event.key(key(row.plan, record, row.columns));
        Struct before = movedFrom != null ? movedFrom : value.getStruct("before");
        long bytes = row.bytes;
        if (before != null) {
            Plan plan = plan(before.schema(), value);
            Row old = row(plan, before);
            bytes += old.bytes;
            if (plan.isWhole(old.columns)) {
                event.oldRow(old.columns).changedColumns(changed(old, row));
            } else {
                event.oldRow(plan.identityOnly(old.columns, record));
            }
        }
        return item(record, event.build(), bytes);
    }

    private Item delete(SourceRecord record, Struct value) throws SQLException {
        if (record.headers().lastWithName(NEW_KEY) != null) {
            keyChangeDelete = record; // its other half is the next record: the two are one UPDATE
            return null;
        }
        var event = event(Operation.DELETE, value);
        if (event == null) {
            return null;
        }
        Struct before = value.getStruct("before");
        long bytes = 0;
        if (before != null) {
            Plan plan = plan(before.schema(), value);
            Row old = row(plan, before);
            bytes = old.bytes;
            Map<String, Object> columns =
                    plan.isWhole(old.columns) ? old.columns : plan.identityOnly(old.columns, record);
            event.oldRow(columns);
            event.key(key(plan, record, columns));
        }
        return item(record, event.build(), bytes);
    }

    private Item truncate(SourceRecord record, Struct value) {
        var event = event(Operation.TRUNCATE, value);
        return event == null ? null : item(record, event.build(), 0);
    }

    private Item item(SourceRecord record, ChangeEvent event, long bytes) {
        Shape shape = shape(((Struct) record.value()).schema());
        return Item.change(
                event, endpoint -> exchange((WalEndpoint) endpoint, record, shape, event), bytes + OVERHEAD_BYTES);
    }

    /**
     * As {@code DebeziumEndpoint.createDbzExchange} does it, header for header, but for the body. That method asks each record
     * for a field that PostgreSQL's never have, and the exception it gets costs as much as all the rest of the routing.
     */
    private static Exchange exchange(WalEndpoint endpoint, SourceRecord record, Shape shape, ChangeEvent event) {
        Exchange exchange = endpoint.createExchange();
        var message = exchange.getIn();
        message.setBody(event);
        var value = (Struct) record.value();
        Object at = value.get(shape.at);
        var headers = new SharedHeaders(
                HEADERS,
                record.topic(),
                record.key(),
                new StructMap(shape.source(value)),
                // A changed key comes as two records, of which this is the second, an insert.
                event.operation() == Operation.UPDATE ? "u" : value.get(shape.op),
                shape.before == null ? null : value.get(shape.before),
                at,
                null,
                at,
                event.table(),
                event.schema(),
                event.operation().name(),
                event.id(),
                event.lsnText(),
                event.xid());
        message.setHeaders(headers);
        return exchange;
    }

    /** Null for an excluded table; the position is counted all the same. */
    private ChangeEvent.Builder event(Operation operation, Struct value) {
        Shape shape = shape(value.schema());
        Struct source = shape.source(value);
        Names names = names((String) source.get(shape.schemaName), (String) source.get(shape.table));
        int position = position(names, (Long) source.get(shape.lsn), (Long) source.get(shape.xid));
        if (names.excluded) {
            return null;
        }
        long xid = lastXid;
        var place = new Lsn(lastLsn);
        var version = new Version(epochs.at(place), place, position);
        Instant committedAt = committedAt((Long) source.get(shape.commitMicros));
        return ChangeEvent.builder(operation, names.schema, names.table, committedAt, version)
                .xid(xid);
    }

    /** The how-manieth change of its table at its LSN this is, from 0. Nearly always there is one only. */
    private int position(Names names, long lsn, long xid) {
        if (lsn != lastLsn || xid != lastXid) {
            lastLsn = lsn;
            lastXid = xid;
            first = names.id;
            positions = null;
            return 0;
        }
        if (positions == null) {
            positions = new HashMap<>();
            positions.put(first, 1);
        }
        return positions.merge(names.id, 1, Integer::sum) - 1;
    }

    private Names names(String schema, String table) {
        Names last = lastNames;
        if (last == null || !last.table.equals(table) || !last.schema.equals(schema)) {
            if (known.size() >= MAX_PLANS) {
                known.clear();
            }
            last = known.computeIfAbsent(new TableId(schema, table), id -> new Names(id, excluded));
            lastNames = last;
        }
        return last;
    }

    private record TableId(String schema, String table) {}

    /** One object for each table, and so one of each text: each change brings texts of its own. */
    private static final class Names {
        private final TableId id;
        private final String schema;
        private final String table;
        private final boolean excluded;

        Names(TableId id, Set<String> excluded) {
            this.id = id;
            schema = id.schema;
            table = id.table;
            this.excluded = excluded.contains(schema + "." + table);
        }
    }

    /** ts_us is the commit time; the envelope's own timestamps are the time of reading. */
    private static Instant committedAt(Struct source) {
        return committedAt(source.getInt64("ts_us"));
    }

    private static Instant committedAt(long micros) {
        return Instant.ofEpochSecond(Math.floorDiv(micros, 1_000_000L), Math.floorMod(micros, 1_000_000L) * 1_000L);
    }

    private static Map<String, Object> key(Plan plan, SourceRecord record, Map<String, Object> row) {
        RowMap.Columns columns = plan.keyColumns(record);
        if (columns == null) {
            return null;
        }
        Object[] values = new Object[columns.size()];
        for (int i = 0; i < values.length; i++) {
            Object value = row.get(columns.name(i));
            if (value == null && !row.containsKey(columns.name(i))) {
                return null; // an old row by another identity than the primary key doesn't tell it
            }
            values[i] = value;
        }
        return new RowMap(columns, values);
    }

    private static List<String> changed(Row old, Row row) {
        List<String> changed = new ArrayList<>();
        if (old.columns instanceof RowMap before
                && row.columns instanceof RowMap after
                && before.columns() == after.columns()) {
            for (int i = 0; i < after.size(); i++) {
                if (!Objects.equals(before.value(i), after.value(i))) {
                    changed.add(after.columns().name(i));
                }
            }
            return changed;
        }
        for (var column : row.columns.entrySet()) {
            Object before = old.columns.get(column.getKey());
            if (!Objects.equals(before, column.getValue())) {
                changed.add(column.getKey());
            }
        }
        return changed;
    }

    private Row row(Struct value, String part) throws SQLException {
        Struct struct = value.getStruct(part);
        return row(plan(struct.schema(), value), struct);
    }

    private static Row row(Plan plan, Struct struct) {
        Object[] values = new Object[plan.fields.length];
        List<String> unavailable = List.of();
        long bytes = 0;
        for (int i = 0; i < values.length; i++) {
            Field field = plan.fields[i];
            Object value = struct.get(field);
            // For NULL it is the column's default, that very object: each value that was sent is a text of its own.
            // Asking without default would look the column's name up.
            if (value == null || value == plan.defaults[i]) {
                continue;
            }
            var text = (String) value;
            if (text.equals(TextConverter.ABSENT)) {
                if (unavailable.isEmpty()) {
                    unavailable = new ArrayList<>();
                }
                unavailable.add(field.name());
            } else {
                bytes += text.length();
                values[i] = plan.types[i] == PgType.AS_IS ? text : plan.types[i].convert(text);
            }
        }
        Map<String, Object> columns = new RowMap(plan.columns, values);
        if (!unavailable.isEmpty()) {
            columns = new LinkedHashMap<>(columns);
            columns.keySet().removeAll(unavailable);
        }
        return new Row(plan, columns, unavailable, bytes);
    }

    private record Row(Plan plan, Map<String, Object> columns, List<String> unavailable, long bytes) {}

    private Plan plan(Schema schema, Struct value) throws SQLException {
        Plan plan = plans.get(schema);
        if (plan == null) {
            Struct source = value.getStruct("source");
            if (plans.size() >= MAX_PLANS) {
                plans.clear();
            }
            plan = new Plan(schema, catalog.read(source.getString("schema"), source.getString("table")));
            plans.put(schema, plan);
        }
        return plan;
    }

    /** How to read the rows of one version of a table. */
    private static final class Plan {
        private final Field[] fields;
        private final PgType[] types;
        private final Object[] defaults;
        private final RowMap.Columns columns;
        private final Optional<TableCatalog.Table> table;
        /** Null if the catalog doesn't tell it. */
        private final RowMap.Columns primaryKey;

        private RowMap.Columns enginesKey;

        Plan(Schema schema, Optional<TableCatalog.Table> table) {
            fields = schema.fields().toArray(Field[]::new);
            types = new PgType[fields.length];
            defaults = new Object[fields.length];
            for (int i = 0; i < fields.length; i++) {
                String name = fields[i].schema().name();
                if (name == null || !name.startsWith(TYPE_PREFIX)) {
                    throw new IllegalStateException(
                            "column " + fields[i].name() + " came without walroute's converter");
                }
                defaults[i] = fields[i].schema().defaultValue();
                types[i] = PgType.of(name.substring(TYPE_PREFIX.length()));
            }
            this.table = table;
            columns = new RowMap.Columns(Arrays.stream(fields).map(Field::name).toList());
            boolean keyIsPresent = table.isPresent()
                    && table.get().primaryKey().stream().allMatch(column -> schema.field(column) != null);
            primaryKey = keyIsPresent ? new RowMap.Columns(table.get().primaryKey()) : null;
        }

        /**
         * The primary key in key order. If the key was renamed or the table dropped since, the catalog can't tell: then the
         * engine's own key is taken. Null if there is none.
         */
        RowMap.Columns keyColumns(SourceRecord record) {
            if (primaryKey != null) {
                return primaryKey.size() == 0 ? null : primaryKey;
            }
            if (enginesKey == null && record.keySchema() != null) {
                enginesKey = new RowMap.Columns(
                        record.keySchema().fields().stream().map(Field::name).toList());
            }
            return record.keySchema() == null ? null : enginesKey;
        }

        /**
         * Whether an old row is all of the row. Under another identity than FULL every column outside the identity is null;
         * a value there proves FULL, whatever the catalog says today. Only a row of nulls needs the catalog.
         */
        boolean isWhole(Map<String, Object> old) {
            if (table.isEmpty()) {
                return old.values().stream().allMatch(Objects::nonNull);
            }
            List<String> identity =
                    table.get().full() ? table.get().primaryKey() : table.get().identity();
            for (var column : old.entrySet()) {
                if (column.getValue() != null && !identity.contains(column.getKey())) {
                    return true;
                }
            }
            return table.get().full() || identity.containsAll(old.keySet());
        }

        private static List<String> names(RowMap.Columns key) {
            return key == null
                    ? List.of()
                    : IntStream.range(0, key.size()).mapToObj(key::name).toList();
        }

        Map<String, Object> identityOnly(Map<String, Object> old, SourceRecord record) {
            List<String> identity = table.map(TableCatalog.Table::identity)
                    .filter(c -> !c.isEmpty())
                    .orElseGet(() -> names(keyColumns(record)));
            Map<String, Object> only = new LinkedHashMap<>();
            for (var column : old.entrySet()) {
                if (identity.contains(column.getKey())) {
                    only.put(column.getKey(), column.getValue());
                }
            }
            return only;
        }
    }
}
