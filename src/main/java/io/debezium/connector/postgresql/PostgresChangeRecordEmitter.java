package io.debezium.connector.postgresql;

import io.debezium.connector.postgresql.PostgresStreamingChangeEventSource.PgConnectionSupplier;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.connector.postgresql.connection.ReplicationMessage;
import io.debezium.data.Envelope.Operation;
import io.debezium.pipeline.spi.ChangeRecordEmitter;
import io.debezium.pipeline.spi.OffsetContext;
import io.debezium.pipeline.spi.Partition;
import io.debezium.relational.Column;
import io.debezium.relational.RelationalChangeRecordEmitter;
import io.debezium.relational.Table;
import io.debezium.relational.TableId;
import io.debezium.relational.TableSchema;
import io.debezium.schema.DataCollectionSchema;
import io.debezium.spi.schema.DataCollectionId;
import io.debezium.util.Clock;
import io.debezium.util.Strings;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.ConnectException;
import org.postgresql.core.BaseConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * In place of Debezium's class of this name, for {@code pgoutput} alone: that sends a table's columns in their order, and what
 * they are before the first row that has them. Debezium's own looks each column up by its lower-cased name, asks the settings
 * once for each value, and keeps three collections for each row.
 *
 * <p>The application's jar comes first on the class path; {@code DebeziumStream} checks that this one was loaded.
 */
public class PostgresChangeRecordEmitter extends RelationalChangeRecordEmitter<PostgresPartition> {
    private static final Logger LOG = LoggerFactory.getLogger(PostgresChangeRecordEmitter.class);

    private final ReplicationMessage message;
    private final PostgresSchema schema;
    private final PostgresConnectorConfig config;
    private final PostgresConnection connection;
    private final TableId tableId;
    private Object[] oldValues;

    public PostgresChangeRecordEmitter(
            PostgresPartition partition,
            OffsetContext offset,
            Clock clock,
            PostgresConnectorConfig config,
            PostgresSchema schema,
            PostgresConnection connection,
            TableId tableId,
            ReplicationMessage message) {
        super(partition, offset, clock, config);
        // One that is passed over, of a table that Debezium leaves out, says nothing of columns.
        if (message != null && !message.isSkippedMessage() && message.shouldSchemaBeSynchronized()) {
            throw new IllegalStateException("only pgoutput's messages are understood");
        }
        this.message = message;
        this.schema = schema;
        this.config = config;
        this.connection = connection;
        this.tableId = tableId;
    }

    /** Called by Debezium's dispatcher for a table that it doesn't know yet. */
    static Optional<DataCollectionSchema> updateSchema(
            Partition partition, DataCollectionId id, ChangeRecordEmitter<PostgresPartition> emitter) {
        return ((PostgresChangeRecordEmitter) emitter).read((TableId) id);
    }

    private Optional<DataCollectionSchema> read(TableId id) {
        try {
            schema.refresh(connection, id, config.skipRefreshSchemaOnMissingToastableData());
        } catch (SQLException e) {
            throw new ConnectException("the columns of table " + id + " can't be read", e);
        }
        TableSchema read = schema.schemaFor(id);
        if (read == null) {
            LOG.warn("Table {} has changes, but can't be found", id);
        }
        return Optional.ofNullable(read);
    }

    @Override
    public Operation getOperation() {
        return switch (message.getOperation()) {
            case INSERT -> Operation.CREATE;
            case UPDATE -> Operation.UPDATE;
            case DELETE -> Operation.DELETE;
            case TRUNCATE -> Operation.TRUNCATE;
            default -> throw new IllegalArgumentException("no change of a row: " + message.getOperation());
        };
    }

    @Override
    @SuppressWarnings({"rawtypes", "unchecked"}) // as the method that it overrides
    protected void emitTruncateRecord(Receiver receiver, TableSchema table) throws InterruptedException {
        Struct envelope = table.getEnvelopeSchema()
                .truncate(getOffset().getSourceInfo(), getClock().currentTimeAsInstant());
        receiver.changeRecord(getPartition(), table, Operation.TRUNCATE, null, envelope, getOffset(), null);
    }

    @Override
    public boolean ignoreRecord() {
        return message.isSkippedMessage();
    }

    @Override
    protected boolean skipEmptyMessages() {
        return true;
    }

    /** Called before {@link #getNewColumnValues}, which takes from the old row what the new one leaves out. */
    @Override
    protected Object[] getOldColumnValues() {
        oldValues = getOperation() == Operation.CREATE ? null : values(message.getOldTupleList(), null);
        return oldValues;
    }

    @Override
    protected Object[] getNewColumnValues() {
        return switch (getOperation()) {
            case CREATE, UPDATE -> values(message.getNewTupleList(), oldValues);
            default -> null;
        };
    }

    /** In the places of the table's columns. @param before the old row's, for what didn't change and isn't sent again */
    private Object[] values(List<ReplicationMessage.Column> sent, Object[] before) {
        if (sent == null || sent.isEmpty()) {
            return null;
        }
        Table table = schema.tableFor(tableId);
        List<Column> columns = table.columns();
        boolean unknownToo = config.includeUnknownDatatypes();
        PgConnectionSupplier supplier = () -> connection.connection().unwrap(BaseConnection.class);
        Object[] values = new Object[Math.max(columns.size(), present(sent))];
        for (int i = 0; i < sent.size(); i++) {
            ReplicationMessage.Column column = sent.get(i);
            int place = place(column.getName(), i, columns, table);
            if (place < 0 || place >= values.length) {
                LOG.warn("Column {} of table {} is unknown, its value is left out", column.getName(), tableId);
                continue;
            }
            Object value = column.getValue(supplier, unknownToo);
            if (column.isToastedColumn()) {
                Object old = before == null || place >= before.length ? null : before[place];
                value = old != null ? old : value;
            }
            values[place] = value;
        }
        return values;
    }

    private static int present(List<ReplicationMessage.Column> sent) {
        int present = 0;
        for (int i = 0; i < sent.size(); i++) {
            present += sent.get(i).isToastedColumn() ? 0 : 1;
        }
        return present;
    }

    /** From 0; below that if the table has no such column. */
    private static int place(String name, int likely, List<Column> columns, Table table) {
        if (likely < columns.size() && columns.get(likely).name().equals(name)) {
            return likely;
        }
        Column column = table.columnWithName(Strings.unquoteIdentifierPart(name));
        return column == null ? -1 : column.position() - 1;
    }
}
