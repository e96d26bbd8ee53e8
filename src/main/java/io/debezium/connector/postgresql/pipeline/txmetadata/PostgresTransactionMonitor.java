package io.debezium.connector.postgresql.pipeline.txmetadata;

import io.debezium.config.CommonConnectorConfig;
import io.debezium.function.BlockingConsumer;
import io.debezium.pipeline.source.spi.EventMetadataProvider;
import io.debezium.pipeline.spi.OffsetContext;
import io.debezium.pipeline.spi.Partition;
import io.debezium.pipeline.txmetadata.TransactionMonitor;
import io.debezium.schema.SchemaNameAdjuster;
import io.debezium.spi.schema.DataCollectionId;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * In place of Debezium's class of this name, which adds to each change which of its transaction it is. That nobody reads here: a
 * transaction's beginning and end, which PostgreSQL tells, are what walroute needs, and they come as records of their own.
 */
public class PostgresTransactionMonitor extends TransactionMonitor {
    public PostgresTransactionMonitor(
            CommonConnectorConfig config,
            EventMetadataProvider provider,
            SchemaNameAdjuster adjuster,
            BlockingConsumer<SourceRecord> sender,
            String topic) {
        super(config, provider, adjuster, sender, topic);
    }

    @Override
    public void dataEvent(Partition partition, DataCollectionId table, OffsetContext offset, Object key, Struct value) {
        // pgoutput says where each transaction begins and ends: no change has to be looked at for that.
    }
}
