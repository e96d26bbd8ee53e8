package io.debezium.connector.postgresql.connection;

import io.debezium.connector.postgresql.PostgresStreamingChangeEventSource.PgConnectionSupplier;
import io.debezium.connector.postgresql.PostgresType;
import io.debezium.connector.postgresql.TypeRegistry;
import io.debezium.connector.postgresql.connection.ReplicationMessage.ColumnValue;

/**
 * In place of Debezium's class of this name: every value stays the text that the server sent. Debezium's own parses dates,
 * intervals, numbers and arrays into Java objects, of which {@code TextConverter} would only have to make the text again; that
 * took nearly half of what its reading thread allocates, and lost what Java's types can't hold (an interval {@code infinity},
 * one of 2^31 hours, a timetz offset with seconds).
 *
 * <p>The application's jar comes first on the class path; {@code DebeziumStream} checks that this one was loaded.
 */
public final class ReplicationMessageColumnValueResolver {
    private ReplicationMessageColumnValueResolver() {}

    /** Called by Debezium's pgoutput decoder for each value that the WAL has. Null for NULL. */
    public static Object resolveValue(
            String columnName,
            PostgresType type,
            String fullType,
            ColumnValue<?> value,
            PgConnectionSupplier connection,
            boolean includeUnknownDatatypes,
            TypeRegistry typeRegistry) {
        return value.isNull() ? null : value.asString();
    }
}
