package io.debezium.connector.postgresql;

import io.debezium.config.CommonConnectorConfig;
import java.time.Instant;
import org.apache.kafka.connect.data.Struct;

/**
 * What Debezium says of a change's origin, without {@code sequence}, whose two positions it writes as JSON for each change, and
 * without {@code snapshot}, since there is none. Stands in Debezium's package for what it reads is visible there only.
 */
public class BareSourceInfoStructMaker extends PostgresSourceInfoStructMaker {
    private String version;
    private String connector;
    private String name;

    @Override
    public void init(String connector, String version, CommonConnectorConfig config) {
        super.init(connector, version, config);
        this.connector = connector;
        this.version = version;
        name = config.getLogicalName();
    }

    @Override
    protected Struct commonStruct(SourceInfo source) {
        Instant at = source.timestamp() == null ? Instant.now() : source.timestamp();
        long micros = at.getEpochSecond() * 1_000_000 + at.getNano() / 1_000;
        return new Struct(schema())
                .put("version", version)
                .put("connector", connector)
                .put("name", name)
                .put("db", source.database() == null ? "" : source.database())
                .put("ts_ms", at.toEpochMilli())
                .put("ts_us", micros)
                .put("ts_ns", micros * 1_000 + at.getNano() % 1_000);
    }
}
