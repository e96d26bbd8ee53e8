package io.debezium.connector.postgresql;

import io.debezium.config.CommonConnectorConfig;
import java.time.Instant;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;

/**
 * What Debezium says of a change's origin, without {@code sequence}, whose two positions it writes as JSON for each change;
 * {@code snapshot} keeps its default, false, since there is none. Stands in Debezium's package for what it reads is visible there
 * only.
 */
public class BareSourceInfoStructMaker extends PostgresSourceInfoStructMaker {
    private String version;
    private String connector;
    private String name;
    /** In the order of {@link #struct}; looking one up by its name costs as much as setting it. */
    private Field[] fields;

    @Override
    public void init(String connector, String version, CommonConnectorConfig config) {
        super.init(connector, version, config);
        this.connector = connector;
        this.version = version;
        name = config.getLogicalName();
        Schema schema = schema();
        fields = new Field[] {
            schema.field(SourceInfo.DEBEZIUM_VERSION_KEY),
            schema.field(SourceInfo.DEBEZIUM_CONNECTOR_KEY),
            schema.field(SourceInfo.SERVER_NAME_KEY),
            schema.field(SourceInfo.DATABASE_NAME_KEY),
            schema.field(SourceInfo.TIMESTAMP_KEY),
            schema.field(SourceInfo.TIMESTAMP_US_KEY),
            schema.field(SourceInfo.TIMESTAMP_NS_KEY),
            schema.field(SourceInfo.SCHEMA_NAME_KEY),
            schema.field(SourceInfo.TABLE_NAME_KEY),
            schema.field(SourceInfo.TXID_KEY),
            schema.field(SourceInfo.LSN_KEY),
            schema.field(SourceInfo.XMIN_KEY),
            schema.field(SourceInfo.ORIGIN_KEY),
            schema.field(SourceInfo.ORIGIN_LSN_KEY),
        };
    }

    @Override
    public Struct struct(SourceInfo source) {
        Instant at = source.timestamp() == null ? Instant.now() : source.timestamp();
        long micros = at.getEpochSecond() * 1_000_000 + at.getNano() / 1_000;
        Object[] values = {
            version,
            connector,
            name,
            source.database() == null ? "" : source.database(),
            at.toEpochMilli(),
            micros,
            micros * 1_000 + at.getNano() % 1_000,
            source.schemaName(),
            source.tableName(),
            source.txId(),
            source.lsn() == null ? null : source.lsn().asLong(),
            source.xmin(),
            source.originName(),
            source.originLsn() == null ? null : source.originLsn().asLong(),
        };
        var struct = new Struct(schema());
        for (int i = 0; i < values.length; i++) {
            if (values[i] != null) {
                struct.put(fields[i], values[i]);
            }
        }
        return struct;
    }
}
