package io.walroute.source;

import io.debezium.connector.postgresql.UnchangedToastedReplicationMessageColumn;
import io.debezium.spi.converter.CustomConverter;
import io.debezium.spi.converter.RelationalColumn;
import java.util.Properties;
import org.apache.kafka.connect.data.SchemaBuilder;

public class TextConverter implements CustomConverter<SchemaBuilder, RelationalColumn> {
    public static final String ABSENT = "\u0000absent";

    @Override
    public void configure(Properties props) {}

    @Override
    public void converterFor(RelationalColumn c, ConverterRegistration<SchemaBuilder> r) {
        r.register(
                SchemaBuilder.string().optional().name("pg." + c.typeName()),
                v -> v == null
                        ? null
                        : UnchangedToastedReplicationMessageColumn.isUnchangedToastedValue(v) ? ABSENT : v.toString());
    }
}
