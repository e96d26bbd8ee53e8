package io.walroute.change;

import java.util.Set;

/** Message headers that every change carries in the routes, beside those of camel-debezium. */
public final class ChangeHeaders {
    /** String: the table's name without schema. */
    public static final String TABLE = "table";
    /** String: the schema's name. */
    public static final String SCHEMA = "schema";
    /** String: the {@link Operation}'s name. */
    public static final String OPERATION = "operation";
    /** String: {@link ChangeEvent#id()}. */
    public static final String EVENT_ID = "eventId";
    /** String: the row's LSN in PostgreSQL's form. */
    public static final String LSN = "lsn";
    /** Long: the transaction's id. */
    public static final String XID = "xid";

    /** Long: which replay sent the change again; missing on changes that come for the first time. */
    public static final String REPLAY = "replayId";

    /** Those that follow from the event itself. */
    public static final Set<String> FROM_EVENT = Set.of(TABLE, SCHEMA, OPERATION, EVENT_ID, LSN, XID);

    private ChangeHeaders() {}
}
