package io.walroute.source;

import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.component.debezium.DebeziumEndpoint;
import org.apache.camel.component.debezium.postgres.configuration.PostgresConnectorEmbeddedDebeziumConfiguration;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;

/** One {@code wal:} endpoint; its settings beside those of {@link WalConfiguration}. */
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "wal",
        title = "WAL",
        syntax = "wal:name",
        consumerOnly = true,
        category = org.apache.camel.Category.DATABASE)
public class WalEndpoint extends DebeziumEndpoint<PostgresConnectorEmbeddedDebeziumConfiguration> {
    @UriPath(description = "Any name")
    private String name;

    private PostgresConnectorEmbeddedDebeziumConfiguration configuration;

    @UriParam(defaultValue = "10000", description = "Changes that routes may work on at once.")
    private int maxInFlight = 10_000;

    @UriParam(defaultValue = "16777216", description = "Bytes of changes that routes may work on at once.")
    private long maxInFlightBytes = 16L << 20;

    @UriParam(defaultValue = "8000", description = "How long a stop waits for changes in flight (in milliseconds).")
    private long drainTimeout = 8_000;

    @UriParam(
            defaultValue = "30000",
            description = "How often a heartbeat is written into the WAL and must come back (in milliseconds).")
    private long walHeartbeat = 30_000;

    @UriParam(defaultValue = "60000", description = "wal_sender_timeout of the replication session (in milliseconds).")
    private long walSenderTimeout = 60_000;

    @UriParam(
            defaultValue = "10000",
            description = "Longest wait between two tries to start after a failure (in milliseconds).")
    private long maxBackoff = 10_000;

    @UriParam(description = "Tables to leave out, as schema.table, separated by commas.")
    private String excludeTables = "";

    @UriParam(
            description =
                    "Where the changes of a transaction that an operator passes over go, as far as they can be read, in place of"
                            + " the route; nowhere if not set.")
    private String skippedUri;

    WalEndpoint(String uri, WalComponent component, PostgresConnectorEmbeddedDebeziumConfiguration configuration) {
        super(uri, component);
        this.configuration = configuration;
    }

    @Override
    public Consumer createConsumer(Processor processor) throws Exception {
        var consumer = new WalConsumer(this, processor);
        configureConsumer(consumer);
        return consumer;
    }

    @Override
    public WalComponent getComponent() {
        return (WalComponent) super.getComponent();
    }

    @Override
    public PostgresConnectorEmbeddedDebeziumConfiguration getConfiguration() {
        return configuration;
    }

    @Override
    public void setConfiguration(PostgresConnectorEmbeddedDebeziumConfiguration configuration) {
        this.configuration = configuration;
    }

    public int getMaxInFlight() {
        return maxInFlight;
    }

    public void setMaxInFlight(int maxInFlight) {
        this.maxInFlight = maxInFlight;
    }

    public long getMaxInFlightBytes() {
        return maxInFlightBytes;
    }

    public void setMaxInFlightBytes(long maxInFlightBytes) {
        this.maxInFlightBytes = maxInFlightBytes;
    }

    public long getDrainTimeout() {
        return drainTimeout;
    }

    public void setDrainTimeout(long drainTimeout) {
        this.drainTimeout = drainTimeout;
    }

    public long getWalHeartbeat() {
        return walHeartbeat;
    }

    public void setWalHeartbeat(long walHeartbeat) {
        this.walHeartbeat = walHeartbeat;
    }

    public long getWalSenderTimeout() {
        return walSenderTimeout;
    }

    public void setWalSenderTimeout(long walSenderTimeout) {
        this.walSenderTimeout = walSenderTimeout;
    }

    public long getMaxBackoff() {
        return maxBackoff;
    }

    public void setMaxBackoff(long maxBackoff) {
        this.maxBackoff = maxBackoff;
    }

    public String getSkippedUri() {
        return skippedUri;
    }

    public void setSkippedUri(String skippedUri) {
        this.skippedUri = skippedUri;
    }

    public String getExcludeTables() {
        return excludeTables;
    }

    public void setExcludeTables(String excludeTables) {
        this.excludeTables = excludeTables;
    }
}
