package io.walroute.source;

import io.debezium.connector.postgresql.UnchangedToastedReplicationMessageColumn;
import io.debezium.connector.postgresql.connection.ReplicationMessageColumnValueResolver;
import io.debezium.spi.converter.CustomConverter;
import io.debezium.spi.converter.RelationalColumn;
import io.walroute.change.PgType;
import java.util.Properties;
import org.apache.kafka.connect.data.SchemaBuilder;

/**
 * Has Debezium hand over every column of every table as PostgreSQL's text: an optional string, its schema named after the
 * type, {@code pg.timestamptz}, {@code pg._text}. Debezium's own conversions lose digits, infinities, dimensions and bit
 * lengths. {@link PgType} reads the texts.
 *
 * <p>Registered by the connector's options {@code converters=text} and {@code text.type=} this class's name. It also needs
 * {@code include.unknown.datatypes=true}, {@code driver.options=}{@link #DRIVER_OPTIONS} and a JVM in UTC, whose zone the
 * driver imposes on the session: arrays and ranges of timestamps come as the server prints them.
 *
 * <p>Debezium would parse most texts before a converter sees them; {@link ReplicationMessageColumnValueResolver}, which stands
 * in place of its class, leaves them as they are.
 */
public final class TextConverter implements CustomConverter<SchemaBuilder, RelationalColumn> {
    /** What a schema's name begins with; the rest is the type's name in pg_type. */
    public static final String SCHEMA_PREFIX = "pg.";
    /** In place of an unchanged TOASTed value, which the WAL left out. PostgreSQL's texts never have a NUL character. */
    public static final String ABSENT = "\u0000absent";
    /**
     * The driver's {@code options}, for roles and databases with settings of their own: fewer
     * {@code extra_float_digits} round, another {@code IntervalStyle} prints intervals that can't be read back. Money is printed as lc_monetary=C
     * prints it, then: with a dollar sign and two decimals, where the database's currency has none, too. DateStyle and
     * TimeZone are not here, for the driver sets both itself, after these.
     */
    public static final String DRIVER_OPTIONS =
            "-c bytea_output=hex -c extra_float_digits=1 -c IntervalStyle=postgres -c lc_monetary=C";

    @Override
    public void configure(Properties properties) {}

    @Override
    public void converterFor(RelationalColumn column, ConverterRegistration<SchemaBuilder> registration) {
        // No default is declared: Struct.get would put it in NULL's place.
        registration.register(
                SchemaBuilder.string().optional().name(SCHEMA_PREFIX + column.typeName()), TextConverter::text);
    }

    private static Object text(Object value) {
        if (value == null || value instanceof String) {
            return value;
        }
        // Anything else is a column's default, which is in no row and which nobody reads.
        return UnchangedToastedReplicationMessageColumn.isUnchangedToastedValue(value) ? ABSENT : value.toString();
    }
}
