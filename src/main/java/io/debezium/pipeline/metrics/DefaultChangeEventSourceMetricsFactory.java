package io.debezium.pipeline.metrics;

import io.debezium.connector.base.ChangeEventQueueMetrics;
import io.debezium.connector.common.CdcSourceTaskContext;
import io.debezium.data.Envelope.Operation;
import io.debezium.pipeline.metrics.spi.ChangeEventSourceMetricsFactory;
import io.debezium.pipeline.source.spi.EventMetadataProvider;
import io.debezium.pipeline.spi.OffsetContext;
import io.debezium.pipeline.spi.Partition;
import io.debezium.spi.schema.DataCollectionId;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;

/**
 * In place of Debezium's class of this name, whose metrics of a stream wake a thread of their own for each change, and print the
 * change's key and place for attributes of an MBean: a cost, and a leak of what may have to
 * stay hidden. This one's remember the newest change's source and put the same attributes together when somebody reads them.
 *
 * <p>Left out are {@code LastEvent} and the statistics of the lag, which is as it was at the newest change.
 */
public class DefaultChangeEventSourceMetricsFactory<P extends Partition> implements ChangeEventSourceMetricsFactory<P> {
    @Override
    public <T extends CdcSourceTaskContext> SnapshotChangeEventSourceMetrics<P> getSnapshotMetrics(
            T taskContext, ChangeEventQueueMetrics queue, EventMetadataProvider provider) {
        return new DefaultSnapshotChangeEventSourceMetrics<>(taskContext, queue, provider);
    }

    @Override
    public <T extends CdcSourceTaskContext> StreamingChangeEventSourceMetrics<P> getStreamingMetrics(
            T taskContext,
            ChangeEventQueueMetrics queue,
            EventMetadataProvider provider,
            CapturedTablesSupplier capturedTables) {
        return new NewestChange<>(taskContext, queue, provider, capturedTables);
    }

    /** Written by the thread that reads the stream, read by any. */
    private static final class NewestChange<P extends Partition> extends DefaultStreamingChangeEventSourceMetrics<P> {
        private final long[] seen = new long[Operation.values().length];
        private long transactions;
        private Long transaction;
        private long atMillis;
        /** Written last: it publishes the others. */
        private volatile Struct source;

        <T extends CdcSourceTaskContext> NewestChange(
                T taskContext,
                ChangeEventQueueMetrics queue,
                EventMetadataProvider provider,
                CapturedTablesSupplier capturedTables) {
            super(taskContext, queue, provider, capturedTables);
        }

        @Override
        public void onEvent(
                P partition,
                DataCollectionId table,
                OffsetContext offset,
                Object key,
                Struct value,
                Operation operation) {
            Struct newest = value.getStruct("source");
            seen[operation.ordinal()]++;
            Long of = newest.getInt64("txId");
            if (of != null && !of.equals(transaction)) {
                transaction = of;
                transactions++;
            }
            atMillis = System.currentTimeMillis();
            source = newest;
        }

        private long seen(Operation... operations) {
            Struct published = source;
            long sum = 0;
            for (Operation operation : operations) {
                sum += published == null ? 0 : seen[operation.ordinal()];
            }
            return sum;
        }

        @Override
        public long getTotalNumberOfEventsSeen() {
            return seen(Operation.values());
        }

        @Override
        public long getTotalNumberOfCreateEventsSeen() {
            return seen(Operation.CREATE);
        }

        @Override
        public long getTotalNumberOfUpdateEventsSeen() {
            return seen(Operation.UPDATE);
        }

        @Override
        public long getTotalNumberOfDeleteEventsSeen() {
            return seen(Operation.DELETE);
        }

        @Override
        public long getNumberOfCommittedTransactions() {
            return source == null ? 0 : transactions;
        }

        @Override
        public String getLastTransactionId() {
            return source == null || transaction == null ? null : transaction.toString();
        }

        @Override
        public long getMilliSecondsBehindSource() {
            Struct newest = source;
            return newest == null ? -1 : atMillis - newest.getInt64("ts_ms");
        }

        @Override
        public long getMilliSecondsSinceLastEvent() {
            return source == null ? -1 : System.currentTimeMillis() - atMillis;
        }

        @Override
        public Map<String, String> getSourceEventPosition() {
            Map<String, String> position = new TreeMap<>();
            Struct newest = source;
            if (newest != null) {
                for (String name : new String[] {"lsn", "txId", "ts_us"}) {
                    Field field = newest.schema().field(name);
                    if (field != null && newest.get(field) != null) {
                        position.put(name, newest.get(field).toString());
                    }
                }
            }
            return position;
        }

        @Override
        public String getLastEvent() {
            return null;
        }
    }
}
