package io.walroute.source;

import io.debezium.connector.postgresql.BareSourceInfoStructMaker;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.camel.component.debezium.postgres.configuration.PostgresConnectorEmbeddedDebeziumConfiguration;

/**
 * camel-debezium's settings for PostgreSQL, with the defaults under which nothing is lost. What differs from Debezium's own
 * defaults, and why, stands beside it.
 */
public class WalConfiguration extends PostgresConnectorEmbeddedDebeziumConfiguration {
    /** How often an idle engine calls its handler, whatever the settings: confirming and draining hang on it. */
    static final Duration TICK = Duration.ofMillis(250);

    public WalConfiguration() {
        setPluginName("pgoutput");
        setSlotName("grails_wal_slot");
        setPublicationName("grails_publication");
        setPublicationAutocreateMode("disabled"); // what is published is the operator's decision
        setTopicPrefix("walroute"); // each engine gets one of its own: two alive with one prefix hang
        setSnapshotMode("no_data"); // rows that exist already are backfilled, with the stream's own value texts
        // The slot is the only position: an offset file beside it could only disagree.
        setOffsetStorage("org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        // The engine's own reconnect drops rows that share an LSN; a new engine gets whole transactions again.
        setErrorsMaxRetries(0);
        setSlotMaxRetries(0);
        // A transaction's END is what makes it confirmable without waiting for later traffic.
        setProvideTransactionMetadata(true);
        setHeartbeatIntervalMs((int) TICK.toMillis());
        setStatusUpdateIntervalMs(1_000);
        setPollIntervalMs(10); // Debezium's 500 ms is the latency of every change
        setMaxBatchSize(512);
        // A few batches: what waits here is copied by each collection of the young generation, and the engine is the
        // faster side.
        setMaxQueueSize(1_024);
        setMaxQueueSizeInBytes(16L << 20); // of characters; by count alone, 50 kB rows fill a 256 MB heap
        setTombstonesOnDelete(false);
        setSkippedOperations("none"); // TRUNCATE is skipped by default
        setMessagePrefixIncludeList(WalHeartbeat.PREFIX.replace(".", "\\."));
        setIncludeUnknownDatatypes(true);
        setSourceinfoStructMaker(BareSourceInfoStructMaker.class.getName());
        setExtendedHeadersEnabled(false); // the connector's own names with each change
        setConverters("walroute");
        setUnavailableValuePlaceholder(TextConverter.ABSENT);
        Map<String, Object> more = new HashMap<>();
        more.put("walroute.type", TextConverter.class.getName());
        // What a role or database sets for its sessions must not change what a value looks like.
        more.put("driver.options", TextConverter.DRIVER_OPTIONS);
        setAdditionalProperties(more);
    }
}
